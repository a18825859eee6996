"""A mailbox that closes without losing a caller.

`put` enqueues first and looks for the lid afterwards; `close` shuts the lid first and
empties the queue afterwards. Whichever comes second sees the other, so every envelope
is either handled by its actor or answered here, and no lock is needed.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any

from pykka._envelope import Envelope

Answer = Callable[[Envelope[Any]], None]
"""What is done with an envelope that nobody will handle any more."""


class Mailbox:
    """Messages waiting for one actor, oldest first. Any thread may put."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Envelope[Any] | None] = queue.SimpleQueue()
        self._answer: Answer | None = None

    def put(self, envelope: Envelope[Any], /) -> None:
        """Add a message, or answer it when the mailbox is closed."""
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

    def close(self, answer: Answer) -> None:
        """Let no message in any more, answer those that wait, and wake the reader."""
        self._answer = answer
        self._drain(answer)

    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._queue.empty()

    def __len__(self) -> int:
        return 0 if self._answer is not None else self._queue.qsize()

    def _drain(self, answer: Answer) -> None:
        while True:
            try:
                envelope = self._queue.get_nowait()
            except queue.Empty:
                break
            if envelope is not None:
                answer(envelope)
        # Whoever drains may have taken the poke that was to wake the reader.
        self._queue.put(None)


def remaining(deadline: float | None) -> float | None:
    """Seconds until `deadline` on the monotonic clock, never negative."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())
