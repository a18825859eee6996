"""The messages an actor will send itself, and when. Holds no clock and no thread."""

from __future__ import annotations

import heapq
import itertools
from typing import Any


class Timers:
    """Messages by the time they are due; only the actor's thread touches them."""

    __slots__ = ("_heap", "_numbers")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Any]] = []
        self._numbers = itertools.count()

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, due: float, message: Any) -> None:
        """Note a message; those due at the same time keep their order."""
        heapq.heappush(self._heap, (due, next(self._numbers), message))

    def next_due(self) -> float | None:
        """When the earliest is due, or `None` without any."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> tuple[Any] | None:
        """Take the earliest message out when it is due by `now`."""
        if not self._heap or self._heap[0][0] > now:
            return None
        return (heapq.heappop(self._heap)[2],)
