"""Places that events and messages are sent to, and waited for by a test."""

from __future__ import annotations

import queue
from typing import Any

from supervisors.actor import Actor


class Probe:
    """A place events are sent to and waited for, in order."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def __call__(self, event: Any) -> None:
        """Note an event; give the probe itself as a callback or a handler."""
        self._queue.put(event)

    def expect(self, timeout: float = 10.0) -> Any:
        """The next event.

        Raises:
            AssertionError: None came in time.
        """
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            msg = f"no event within {timeout:g} s"
            raise AssertionError(msg) from None

    def expect_nothing(self) -> None:
        """Assert that no event has come that was not taken."""
        if not self._queue.empty():
            msg = f"an event came that nobody expected: {self._queue.get()!r}"
            raise AssertionError(msg)


class ProbeActor(Actor):
    """Hands every message it gets to a `Probe`."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self._probe = probe

    def on_receive(self, message: Any) -> None:
        """Pass it on."""
        self._probe(message)
