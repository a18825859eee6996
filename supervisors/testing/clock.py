"""A clock that a test winds by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable


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
