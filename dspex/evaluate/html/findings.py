"""What a report draws of a result, found in one pass over its rows.

Nothing here grows with the set but up to fixed sizes, so a result over a stream of
millions is reported in the memory of a short one.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from dspex.evaluate.html.drawings import Point
from dspex.evaluate.results.causes import NOT_BEGUN, NOT_FINISHED
from dspex.evaluate.results.outcome import OutcomeKind
from dspex.evaluate.results.rows import ResultRow

MOST_POINTS: Final = 1_500
"""Points of a drawing with one for each example."""
MOST_TIMES: Final = 20_000
"""Times kept to draw."""

_RANK: Final = {
    OutcomeKind.CANCELLED.value: 1,
    NOT_BEGUN: 1,
    NOT_FINISHED: 1,
    OutcomeKind.SCORED.value: 2,
}
"""Where a row stands among the worst; failures are 0."""


@dataclass(slots=True)
class Sample:
    """Of many numbers an even choice of a fixed size, the same one each time."""

    most: int
    """How many are kept."""
    seen: int = 0
    """How many there were."""
    kept: list[Point] = field(default_factory=list)
    """Those that were chosen, in no order."""
    dice: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - a choice of points is no secret

    def add(self, point: Point) -> None:
        """Maybe keep one (Vitter's algorithm R)."""
        self.seen += 1
        if len(self.kept) < self.most:
            self.kept.append(point)
        elif (place := self.dice.randrange(self.seen)) < self.most:
            self.kept[place] = point


@dataclass(slots=True)
class Findings:
    """What was found."""

    n: int = 0
    """Rows."""
    kinds: Counter[str] = field(default_factory=Counter)
    """How many ended how."""
    scores: Counter[float] = field(default_factory=Counter)
    """How often which score was given, to three digits."""
    points: Sample = field(default_factory=lambda: Sample(MOST_POINTS))
    """Seconds by place in the set, of rows that were begun."""
    times: Sample = field(default_factory=lambda: Sample(MOST_TIMES))
    """Seconds of rows that were measured without the cache."""
    worst: list[ResultRow] = field(default_factory=list)
    """The rows to show, worst first."""


def find(rows: Iterable[ResultRow], best: float, most: int) -> Findings:
    """Look at every row once.

    Args:
        rows: The rows.
        best: The highest score there can be; a row below is wrong.
        most: How many rows to keep, the worst.
    """
    found = Findings()
    found.worst = heapq.nsmallest(
        most, (_noted(found, row, best) for row in rows), key=worst_first
    )
    return found


def worst_first(row: ResultRow) -> tuple[int, float, int, int]:
    """Order rows: failures, then what was not measured, then from the lowest score."""
    return _RANK.get(row.kind, 0), row.score or 0.0, row.number, row.trial


def look_of(row: ResultRow, best: float) -> str:
    """Say what a row was: `good`, `wrong`, `failed` or `unknown`."""
    if row.score is not None:
        return "good" if row.score >= best else "wrong"
    return "failed" if row.is_measured else "unknown"


def _noted(found: Findings, row: ResultRow, best: float) -> ResultRow:
    found.n += 1
    found.kinds[row.kind] += 1
    outcome = row.outcome
    if outcome is None:
        return row
    point = Point(x=row.number, y=outcome.latency, look=look_of(row, best))
    found.points.add(point)
    if row.is_measured and not outcome.cached:
        found.times.add(point)
    if row.score is not None:
        # So a range of any width has a bounded number of keys.
        found.scores[float(f"{row.score:.3g}")] += 1
    return row
