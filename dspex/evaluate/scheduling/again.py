"""Attempts that are to be made again, each not before its time. Pure: no clock."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator

from dspex.evaluate.results.outcome import Stamp


class Again:
    """Attempts to make again: what may begin now in order, then what waits.

    Example:
        >>> again = Again()
        >>> again.add(Stamp(run="r", example=3), at=5.0)
        >>> again.take(now=4.0), again.next_at
        (None, 5.0)
        >>> again.take(now=5.0).example
        3
    """

    def __init__(self) -> None:
        self._due: deque[Stamp] = deque()
        self._later: list[tuple[float, int, Stamp]] = []
        self._number = itertools.count()

    def __len__(self) -> int:
        return len(self._due) + len(self._later)

    def __iter__(self) -> Iterator[tuple[Stamp, float]]:
        """Yield each with the time when it may begin, in that order."""
        yield from ((stamp, -math.inf) for stamp in self._due)
        yield from ((stamp, at) for at, _, stamp in sorted(self._later))

    def add(self, stamp: Stamp, *, at: float | None = None) -> None:
        """Add an attempt; without a time it may begin now."""
        if at is None:
            self._due.append(stamp)
        else:
            heapq.heappush(self._later, (at, next(self._number), stamp))

    def take(self, now: float) -> Stamp | None:
        """Take the next one that may begin; `None` when there is none now."""
        while self._later and self._later[0][0] <= now:
            self._due.append(heapq.heappop(self._later)[2])
        return self._due.popleft() if self._due else None

    def keep(self, is_wanted: Callable[[Stamp], bool]) -> None:
        """Forget all but those that are wanted."""
        self._due = deque(stamp for stamp in self._due if is_wanted(stamp))
        self._later = [each for each in self._later if is_wanted(each[2])]
        heapq.heapify(self._later)

    @property
    def next_at(self) -> float:
        """When the next one may begin; infinite when there is none."""
        if self._due:
            return -math.inf
        return self._later[0][0] if self._later else math.inf
