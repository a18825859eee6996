"""Which places of a run have their outcome, in memory that does not grow with the run.

A place is an (example, trial), numbered in the order of handing out. What is settled
is nearly one stretch from the beginning; only the few places still worked on leave
gaps. So it is kept as stretches: as many as there are gaps, whether the run has a
thousand examples or a stream of millions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Settled:
    """A set of whole numbers from 0, kept as stretches.

    Example:
        >>> settled = Settled([0, 1, 5])
        >>> settled.add(2), settled.add(2)
        (True, False)
        >>> settled.watermark, len(settled), 5 in settled
        (3, 4, True)
    """

    __slots__ = ("_count", "_ends", "_starts", "watermark")

    def __init__(self, places: Iterable[int] = ()) -> None:
        self.watermark = 0
        """The first place that is not settled."""
        # Invariant: stretches [start, end) beyond the watermark, in order, with gaps
        # between them and before the first.
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._count = 0
        for place in places:
            self.add(place)

    def add(self, place: int) -> bool:
        """Settle a place; `False` when it was settled before."""
        if place == self.watermark:
            self.watermark += 1
            self._swallow()
        elif place in self:
            return False
        else:
            self._insert(place)
        self._count += 1
        return True

    def _swallow(self) -> None:
        if self._starts and self._starts[0] == self.watermark:
            self.watermark = self._ends[0]
            del self._starts[0], self._ends[0]

    def _insert(self, place: int) -> None:
        starts, ends = self._starts, self._ends
        after = bisect_right(starts, place)
        joins_before = after > 0 and ends[after - 1] == place
        joins_after = after < len(starts) and starts[after] == place + 1
        if joins_before and joins_after:
            ends[after - 1] = ends[after]
            del starts[after], ends[after]
        elif joins_before:
            ends[after - 1] = place + 1
        elif joins_after:
            starts[after] = place
        else:
            starts.insert(after, place)
            ends.insert(after, place + 1)

    def __contains__(self, place: int) -> bool:
        if place < self.watermark:
            return True
        index = bisect_right(self._starts, place) - 1
        return index >= 0 and place < self._ends[index]

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        yield from range(self.watermark)
        for start, end in zip(self._starts, self._ends, strict=True):
            yield from range(start, end)

    @property
    def gaps(self) -> int:
        """How many stretches there are beyond the watermark: what memory it takes."""
        return len(self._starts)

    def copy(self) -> Settled:
        """The same places, apart from what is added to this one later."""
        other = Settled()
        other.watermark, other._count = self.watermark, self._count
        other._starts, other._ends = self._starts.copy(), self._ends.copy()
        return other
