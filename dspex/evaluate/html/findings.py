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

from dspex.core.lm import Usage
from dspex.evaluate.html.drawings import Point
from dspex.evaluate.outcome import OutcomeKind
from dspex.evaluate.rows import NOT_BEGUN, ResultRow

MOST_POINTS: Final = 1_500
"""Points of a drawing with one for each example."""
MOST_TIMES: Final = 20_000
"""Times kept to find the median and others of."""
MOST_CAUSES: Final = 200
"""Causes of failure told apart; further ones are counted as one."""

_RANK: Final = {
    OutcomeKind.CANCELLED.value: 1,
    NOT_BEGUN: 1,
    OutcomeKind.SCORED.value: 2,
}
"""Where a row stands among the worst; failures are 0."""


@dataclass(slots=True)
class Cause:
    """Failures of one kind and one error."""

    kind: str
    """How they ended."""
    error: str
    """The class of the error."""
    first: ResultRow
    """The first of them."""
    count: int = 0
    """How many."""


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
    measured: int = 0
    """Rows whose score or failure is the program's own."""
    kinds: Counter[str] = field(default_factory=Counter)
    """How many ended how."""
    scores: Counter[float] = field(default_factory=Counter)
    """How often which score was given, to three digits."""
    columns: dict[str, tuple[float, int]] = field(default_factory=dict)
    """The sum and the number of values of each further number of the metric."""
    causes: dict[tuple[str, str], Cause] = field(default_factory=dict)
    """Failures by kind and error."""
    points: Sample = field(default_factory=lambda: Sample(MOST_POINTS))
    """Seconds by place in the set, of rows that were begun."""
    times: Sample = field(default_factory=lambda: Sample(MOST_TIMES))
    """Seconds of rows with an answer that the cache did not give."""
    usage: Usage = field(default_factory=Usage)
    """Tokens of the answers used."""
    cost: float | None = None
    """Dollars, as far as prices are known."""
    unpriced: int = 0
    """Rows with answers and without a known price."""
    calls: int = 0
    """Answers of language models used."""
    cached: int = 0
    """How many of those came from the cache."""
    again: int = 0
    """Attempts beyond the first."""
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
    found.measured += row.is_measured
    found.kinds[row.kind] += 1
    outcome = row.outcome
    if outcome is None:
        return row
    found.again += outcome.stamp.attempt - 1
    found.usage = found.usage + outcome.usage
    found.calls += outcome.calls
    found.cached += outcome.cached
    if outcome.cost is not None:
        found.cost = (found.cost or 0.0) + outcome.cost
    elif outcome.calls:
        found.unpriced += 1
    point = Point(x=row.number, y=outcome.latency, look=look_of(row, best))
    found.points.add(point)
    if row.score is None:
        _note_cause(found, row)
    else:
        # So a range of any width has a bounded number of keys.
        found.scores[float(f"{row.score:.3g}")] += 1
        if outcome.cached == 0 or outcome.cached < outcome.calls:
            found.times.add(point)
    for name, value in outcome.columns.items():
        if value is not None:
            total, count = found.columns.get(name, (0.0, 0))
            found.columns[name] = (total + value, count + 1)
    return row


def _note_cause(found: Findings, row: ResultRow) -> None:
    error = row.outcome.error if row.outcome is not None else None
    key = (row.kind, row.kind if error is None else error.type)
    if key not in found.causes and len(found.causes) >= MOST_CAUSES:
        key = (row.kind, "others")
    cause = found.causes.setdefault(key, Cause(key[0], key[1], row))
    cause.count += 1
