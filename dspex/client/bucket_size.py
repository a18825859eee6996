"""What a bucket holds, where its headers call another figure the limit.

Some providers announce what comes back in a span as the limit, and let far fewer come
at one time. In a bucket, what is left and the time until it is full lie on one line:
`remaining = size - rate * reset_in`. Two headers give the line. Pure; no clock.
"""

from __future__ import annotations

from typing import NamedTuple

_APART = 3
"""Requests or tokens by which two headers must differ to tell: they are whole."""

_CLEARLY_SMALLER = 0.85
"""Share of the announced limit below which a bucket is taken for a smaller one; what is
left is told in whole ones, so one more is added to what the line says."""

_OFF_LINE = 0.15
"""How far a header may be from the line, as a share of the size."""


class _Point(NamedTuple):
    remaining: int
    reset_in: float


class BucketSize:
    """The size and the rate of one bucket, from its fullest and its emptiest header.

    A header that is off their line tells of something else: the limit was changed, or
    is a window. Then nothing is known until two others agree.

    Example:
        >>> bucket = BucketSize()
        >>> bucket.hear(50, 9, 0.02)
        >>> bucket.hear(50, 4, 0.12)
        >>> round(bucket.size or 0), round(bucket.rate)
        (10, 50)
    """

    def __init__(self) -> None:
        self.size: float | None = None
        """What it holds; `None` while nothing says that it is not the limit."""
        self.rate = 0.0
        """How much comes back in a second; 0 without a size."""
        self._fullest: _Point | None = None
        self._emptiest: _Point | None = None

    def hear(self, limit: int, remaining: int, reset_in: float) -> None:
        """Take the figures of one header in."""
        told = _Point(remaining, reset_in)
        if self._fullest is None or self._emptiest is None or self._is_off_line(told):
            self._fullest = self._emptiest = told
            self.size, self.rate = None, 0.0
            return
        if reset_in <= self._fullest.reset_in:
            self._fullest = told
        if reset_in >= self._emptiest.reset_in:
            self._emptiest = told
        self._draw(limit, self._fullest, self._emptiest)

    def _draw(self, limit: int, fullest: _Point, emptiest: _Point) -> None:
        more = fullest.remaining - emptiest.remaining
        sooner = emptiest.reset_in - fullest.reset_in
        if more < _APART or sooner <= 0:
            self.size, self.rate = None, 0.0
            return
        rate = more / sooner
        size = fullest.remaining + rate * fullest.reset_in
        is_smaller = size + 1 < _CLEARLY_SMALLER * limit
        self.size, self.rate = (size, rate) if is_smaller else (None, 0.0)

    def _is_off_line(self, told: _Point) -> bool:
        if self.size is None:
            return False
        on_line = self.size - self.rate * told.reset_in
        return abs(on_line - told.remaining) > 1 + _OFF_LINE * self.size
