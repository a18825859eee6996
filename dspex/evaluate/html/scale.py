"""Where a number lies on a drawing, and how it is written there. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A straight line from numbers to places on a drawing."""

    low: float
    """The number at `start`."""
    high: float
    """The number at `end`; above `low`."""
    start: float
    """Where `low` lies."""
    end: float
    """Where `high` lies."""

    def __call__(self, number: float) -> float:
        """Return where a number lies; one outside lies at the nearer end."""
        share = (min(max(number, self.low), self.high) - self.low) / self._span
        return self.start + share * (self.end - self.start)

    @property
    def _span(self) -> float:
        # A narrower one has no ticks that floats can tell apart.
        return span if (span := self.high - self.low) > 1e-100 else 1.0

    def ticks(self, about: int = 5) -> list[float]:
        """Return round numbers on it, in order.

        Example:
            >>> Scale(low=0, high=1, start=0, end=100).ticks()
            [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        """
        step = _round_step(self._span / about)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(number * step, 12) for number in range(first, last + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """How many numbers lie in a part of a range."""

    low: float
    """Where it begins."""
    high: float
    """Where it ends."""
    count: int
    """How many lie in it."""


def bins(
    counted: Iterable[tuple[float, int]], low: float, high: float, many: int
) -> list[Bin]:
    """Count numbers by the equal parts of a range they lie in.

    Args:
        counted: Each number and how often it is there. One outside counts to the
            nearer end.
        low: Where the range begins.
        high: Where it ends; what lies there counts to the last part.
        many: How many parts.

    Example:
        >>> [part.count for part in bins([(0, 3), (0.5, 1), (1, 2)], 0, 1, 2)]
        [3, 3]
    """
    counts = [0] * many
    width = (high - low) / many or 1.0
    for number, count in counted:
        counts[min(max(int((number - low) / width), 0), many - 1)] += count
    return [
        Bin(low=low + part * width, high=low + (part + 1) * width, count=count)
        for part, count in enumerate(counts)
    ]


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the number below which a share of ordered ones lies; `None` of none.

    Example:
        >>> quantile([1.0, 2.0, 3.0], 0.5)
        2.0
    """
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def brief(number: float) -> str:
    """Return a number as a person would write it.

    Example:
        >>> [brief(number) for number in (0.25, 1234.5, 0, 100.0, 2e-5)]
        ['0.25', '1,234', '0', '100', '2e-05']
    """
    if abs(number) >= 1_000:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def _round_step(least: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(least))
    steps = (1, 2, 2.5, 5, 10)
    return magnitude * next(step for step in steps if step * magnitude >= least * 0.999)
