"""Whether what is measured again and again stays where it is: pure, over numbers.

The slope is that of Theil and Sen, the median of the slopes between all pairs of
points: a third of the points may be anywhere without moving it much.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

WARM_UP = 1 / 3
"""The share of the time that is not judged: caches and histories fill."""
MOST_POINTS = 300
"""Points that are compared; of more, every second, third, ... is."""

Point = tuple[float, float]
"""Seconds since the start, and what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How something went after the warm-up."""

    median: float
    """Its median."""
    most: float
    """The highest value."""
    per_hour: float
    """By how much it grows in an hour, by the slope."""
    grew: float
    """By how much it grew in the judged time, by the slope."""
    allowed: float
    """How much of that is taken for none."""

    @property
    def is_flat(self) -> bool:
        """Whether it does not grow; that it shrinks is no fault."""
        return self.grew <= self.allowed


def slope(points: Sequence[Point]) -> float:
    """Return the growth a second; 0 for fewer than two moments.

    Example:
        >>> slope([(0, 10.0), (1, 12.0), (2, 1000.0), (3, 16.0), (4, 18.0)])
        2.0
    """
    slopes = [
        (later - earlier) / (end - begin)
        for (begin, earlier), (end, later) in itertools.combinations(points, 2)
        if end > begin
    ]
    return statistics.median(slopes) if slopes else 0.0


def trend(points: Sequence[Point], *, share: float, amount: float) -> Trend:
    """Judge what was measured.

    Args:
        points: In order of time.
        share: Growth that is taken for none, as a share of the median ...
        amount: ... and as an amount; the larger of the two counts.
    """
    end = points[-1][0]
    judged = [point for point in points if point[0] >= end * WARM_UP]
    values = [value for _, value in judged]
    step = -(-len(judged) // MOST_POINTS)
    a_second = slope(judged[::step])
    median = statistics.median(values)
    return Trend(
        median=median,
        most=max(values),
        per_hour=a_second * 3_600,
        grew=a_second * (end - judged[0][0]),
        allowed=max(share * median, amount),
    )


def by_tenth(points: Sequence[Point]) -> list[float]:
    """The median in each tenth of the time, to see whether a rise levels off.

    Example:
        >>> by_tenth([(n, 2.0 * n) for n in range(1, 11)])
        [2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0]
    """
    size = len(points) / 10
    parts = [points[int(n * size) : int((n + 1) * size)] for n in range(10)]
    return [statistics.median(value for _, value in part) for part in parts if part]
