"""A mailbox that closes without losing a caller.

`put` enqueues first and looks for the lid afterwards; `close` shuts the lid first and
empties the queue afterwards. Whichever comes second sees the other, so every envelope
is either handled by its actor or answered here, and no lock is needed.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from supervisors.errors import MailboxFullError

Answer = Callable[[Envelope[Any]], None]
"""What is done with an envelope that nobody will handle any more."""

_clock = time.monotonic


class Mailbox:
    """Messages waiting for one actor, oldest first. Any thread may put."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Envelope[Any] | None] = queue.SimpleQueue()
        self._answer: Answer | None = None
        # When each message came that is not done with, the one in hand included. Each
        # is noted before it can be taken and struck off after it was handled.
        self._came: deque[float] = deque()
        self.handled = 0
        """Messages done with; only the actor's thread counts."""

    def put(self, envelope: Envelope[Any], /) -> None:
        """Add a message, or answer it when the mailbox is closed."""
        self._came.append(_clock())
        self._queue.put(envelope)
        if self._answer is not None:
            self._drain(self._answer)

    _enqueue = put

    def put_system(self, envelope: Envelope[Any], /) -> None:
        """Add a message that no bound refuses: news of others' ends."""
        self._enqueue(envelope)

    def put_back(self, envelope: Envelope[Any], /) -> None:
        """Return a message that was taken and will not be handled."""
        self._queue.put(envelope)
        if self._answer is not None:
            self._drain(self._answer)

    def poke(self) -> None:
        """Wake the reader without a message."""
        self._queue.put(None)

    def get(self, timeout: float | None = None) -> Envelope[Any] | None:
        """Take the oldest message; `None` after `timeout` seconds or a poke."""
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return None

    def get_nowait(self) -> Envelope[Any] | None:
        """Take the oldest message if there is one."""
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None

    def done(self) -> None:
        """The message taken last has been handled."""
        self.handled += 1
        try:
            self._came.popleft()
        except IndexError:
            # Closed while the message was in hand.
            return

    def close(self, answer: Answer) -> None:
        """Let no message in any more, answer those that wait, and wake the reader."""
        self._answer = answer
        self._drain(answer)

    def lose(self, answer: Answer) -> None:
        """Close in a forked child: what waited is the parent's to answer."""
        # A fresh queue: a thread of the parent may have been inside the old one.
        self._queue = queue.SimpleQueue()
        self._came = deque()
        self._answer = answer

    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._queue.empty()

    def idle(self) -> bool:
        """Whether nothing waits and nothing is in hand."""
        return not self._came

    def undone(self) -> int:
        """How many messages are not done with, the one in hand included."""
        return len(self._came)

    def oldest(self) -> float | None:
        """When the oldest message came that is not done with, monotonic seconds."""
        try:
            return self._came[0]
        except IndexError:
            return None

    def __len__(self) -> int:
        return 0 if self._answer is not None else self._queue.qsize()

    def _drain(self, answer: Answer) -> None:
        # Looked at first: nearly every task ends with none, and an error costs more.
        while not self._queue.empty():
            try:
                envelope = self._queue.get_nowait()
            except queue.Empty:
                break
            if envelope is not None:
                answer(envelope)
        self._came.clear()
        # Whoever drains may have taken the poke that was to wake the reader.
        self._queue.put(None)


class BoundedMailbox(Mailbox):
    """A mailbox that refuses what exceeds its bound; nobody is made to wait."""

    limit: int
    """How many messages may wait, besides those that no bound refuses."""
    on_refused: Callable[[Any], object] | None = None
    """Called with each message that is refused, in its sender's thread."""

    def bound(self, limit: int) -> Self:
        """Set the bound, before the first message."""
        self.limit = limit
        # Protects the two below; nothing else is done under it.
        self._counting = threading.Lock()
        self._waiting = 0
        self._uncounted: set[Envelope[Any]] = set()
        return self

    def put(self, envelope: Envelope[Any], /) -> None:
        """Add a message.

        Raises:
            MailboxFullError: So many wait already.
        """
        if isinstance(envelope.message, _ActorStop):
            self.put_system(envelope)
            return
        with self._counting:
            full = self._waiting >= self.limit
            self._waiting += not full
        if full and self._answer is None:
            if self.on_refused is not None:
                self.on_refused(envelope.message)
            raise MailboxFullError(self.limit)
        super().put(envelope)

    def put_system(self, envelope: Envelope[Any], /) -> None:
        """Add a message that no bound refuses, and that fills none."""
        with self._counting:
            self._uncounted.add(envelope)
        super().put_system(envelope)

    def get(self, timeout: float | None = None) -> Envelope[Any] | None:
        """Take the oldest message; `None` after `timeout` seconds or a poke."""
        return self._taken(super().get(timeout))

    def get_nowait(self) -> Envelope[Any] | None:
        """Take the oldest message if there is one."""
        return self._taken(super().get_nowait())

    def lose(self, answer: Answer) -> None:
        """Close in a forked child: what waited is the parent's to answer."""
        super().lose(answer)
        # A fresh one: a thread of the parent may have held the old one.
        self.bound(self.limit)

    def _taken(self, envelope: Envelope[Any] | None) -> Envelope[Any] | None:
        if envelope is not None:
            with self._counting:
                if envelope in self._uncounted:
                    self._uncounted.discard(envelope)
                else:
                    self._waiting -= 1
        return envelope


def remaining(deadline: float | None) -> float | None:
    """Seconds until `deadline` on the monotonic clock, never negative."""
    return None if deadline is None else max(0.0, deadline - _clock())
