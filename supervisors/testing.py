"""What tests of supervised actors need: a clock wound by hand, a probe, a census."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from supervisors import _census
from supervisors._life import Life
from supervisors._mailbox import remaining
from supervisors.actor import Actor


class ManualClock:
    """A clock that stands still until it is wound.

    Example:
        >>> clock = ManualClock()
        >>> clock.advance(2.5)
        >>> clock.monotonic()
        2.5
    """

    def __init__(self, start: float = 0.0) -> None:
        # Protects the two fields: threads read the time while a test winds it.
        self._lock = threading.Lock()
        self._now = start
        self._pokes: dict[object, Callable[[], None]] = {}

    def monotonic(self) -> float:
        """Seconds as wound so far."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Wind on, and wake every actor that waits for a timer."""
        with self._lock:
            self._now += seconds
            pokes = tuple(self._pokes.values())
        for poke in pokes:
            poke()

    def subscribe(self, poke: Callable[[], None]) -> Callable[[], None]:
        """Call `poke` at each `advance`; returns a function that ends that."""
        key = object()
        with self._lock:
            self._pokes[key] = poke
        return lambda: self._unsubscribe(key)

    def _unsubscribe(self, key: object) -> None:
        with self._lock:
            self._pokes.pop(key, None)


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


def living() -> frozenset[Life]:
    """The actors of this process that are alive now, to leave out later."""
    return frozenset(_census.alive())


def assert_no_actor_left(
    timeout: float = 10.0, *, besides: frozenset[Life] = frozenset()
) -> None:
    """Assert that every actor of this process has ended.

    Args:
        timeout: Seconds to wait for all of them.
        besides: Actors that may live on; take them with `living()` before.

    Raises:
        AssertionError: Some are alive, or threads are still in dead actors' code.
    """
    deadline = time.monotonic() + timeout
    for life in living() - besides:
        life.ended.wait(remaining(deadline))
    for life in _census.zombies():
        life.thread_left.wait(remaining(deadline))
    left = sorted(life.label for life in living() - besides)
    busy = sorted(life.label for life in _census.zombies() if life.in_thread())
    if left or busy:
        msg = f"actors still alive: {left}; abandoned but still running: {busy}"
        raise AssertionError(msg)
