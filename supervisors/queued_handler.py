"""A slow sink for events: a handler with a bounded queue and a thread of its own."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from typing import Self

from supervisors._leaving import add_last_step
from supervisors._mailbox import remaining
from supervisors.clock import SYSTEM_CLOCK
from supervisors.errors import ConfigError
from supervisors.events import Event, Handler
from supervisors.log import logger

CLOSE_SECONDS = 2.0
"""Seconds that what still waits may take when the program ends."""


class QueuedHandler:
    """Passes events on to a slow handler, in order, on one thread of its own.

    Whoever emits never waits: an event that finds the queue full is dropped and
    counted. What waits when the program ends is passed on once the trees have stopped.
    After an exception of the slow handler nothing more is passed on.

    When to use it: a handler that writes to a disk, a socket or a terminal. When not:
    one that counts or keeps; attach that itself.

    Example:
        >>> from supervisors import Events, QueuedHandler
        >>> events, written = Events(), []
        >>> with QueuedHandler(lambda event: written.append(event.name)) as handler:
        ...     number = events.attach(handler)
        ...     events.emit(("work", "done"))
        >>> written, handler.dropped
        ([('work', 'done')], 0)
    """

    def __init__(self, handler: Handler, *, limit: int = 10_000) -> None:
        """Start the thread.

        Args:
            handler: Called with each event that was not dropped.
            limit: How many events may wait.

        Raises:
            ConfigError: `limit` is less than one.
        """
        if limit < 1:
            msg = (
                f"limit is {limit}; it counts the events that may wait. "
                "Pass a positive number."
            )
            raise ConfigError(msg)
        self._handler = handler
        self._limit = limit
        self._queue: deque[Event] = deque()
        # Protects the queue and the three below, and wakes the thread.
        self._news = threading.Condition()
        self._dropped = 0
        self._closed = False
        self._thread = threading.Thread(
            target=self._run, name="supervisors-events", daemon=True
        )
        self._thread.start()
        self._call_off = add_last_step(lambda: self.close(CLOSE_SECONDS))
        _ALL.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __call__(self, event: Event) -> None:
        """Let an event wait for its turn, or drop it."""
        with self._news:
            if self._closed or len(self._queue) >= self._limit:
                self._dropped += 1
                return
            self._queue.append(event)
            self._news.notify()

    @property
    def dropped(self) -> int:
        """How many events were not passed on."""
        return self._dropped

    def close(self, timeout: float | None = None) -> bool:
        """Take no more events, pass on those that wait, and end the thread.

        Returns:
            `False` when that was not done after `timeout` seconds; what waits then is
            dropped, but for the event in hand.
        """
        deadline = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        with self._news:
            if not self._closed:
                self._closed = True
                self._call_off()
            self._news.notify()
        self._thread.join(remaining(deadline))
        with self._news:
            self._drop_all()
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (event := self._next()) is not None:
            try:
                self._handler(event)
            except Exception:  # noqa: BLE001 - told, as for a handler that is detached
                logger().exception("queued handler ended", handler=repr(self._handler))
                with self._news:
                    self._closed = True
                    # The one it failed on was not passed on either.
                    self._dropped += 1
                    self._drop_all()

    def _next(self) -> Event | None:
        with self._news:
            while not self._queue:
                if self._closed:
                    return None
                self._news.wait()
            return self._queue.popleft()

    def _drop_all(self) -> None:
        self._dropped += len(self._queue)
        self._queue.clear()

    def lose_in_fork(self) -> None:
        """In a forked child, which has no thread for this: drop all from now on."""
        self._news = threading.Condition()
        self._queue.clear()
        self._closed = True


_ALL: weakref.WeakSet[QueuedHandler] = weakref.WeakSet()
"""Those whose threads a fork does not copy."""


def _lose_in_fork() -> None:
    for handler in tuple(_ALL):
        handler.lose_in_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_lose_in_fork)
