"""How much better a winner is, on rows it was not chosen on. Pure.

Whoever takes the best of many on some rows has taken luck along: on these rows its
score says too much. So the winner is judged on others; or, where it was chosen on all
there are, each half is judged by what the other half chooses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from dspex.core.statistics import Interval, PairedDifference, paired_difference
from dspex.evaluate.results.verdict import is_shown, sentence
from dspex.teleprompt.studies.candidate import Candidate

PARTS = 2
"""Parts of the rows, each of which is judged by what the others choose. With two, a
lift of nothing is said to be one about as often as the interval promises; with ten it
was 10 to 23 % of the time, as nearly the same rows choose each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """By how much the winner is better than the program that was given.

    Printed, it is one sentence; a lift inside its interval is said to be none.
    """

    paired: PairedDifference
    """The paired test: the program that was given, and the winner."""
    judged_on: str
    """On which rows, in words."""

    @property
    def points(self) -> float | None:
        """The lift in points; `None` when nothing was compared."""
        mean = self.paired.difference
        return None if mean is None else 100 * mean

    @property
    def interval(self) -> Interval | None:
        """Its confidence interval, as a share (not points)."""
        return self.paired.interval

    @property
    def is_shown(self) -> bool:
        """Whether the winner is shown to be better at all."""
        return is_shown(self.paired)

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values, from which `of_plain` makes it again."""
        return {"paired": asdict(self.paired), "judged_on": self.judged_on}

    @classmethod
    def of_plain(cls, told: Mapping[str, Any]) -> Self:
        """Return the lift of such values."""
        paired = dict(told["paired"])
        found = paired["interval"]
        paired["interval"] = None if found is None else Interval(**found)
        return cls(paired=PairedDifference(**paired), judged_on=told["judged_on"])

    def __str__(self) -> str:
        told = sentence(("the program given", "the winner"), self.paired)
        return f"{told[0].upper()}{told[1:]} Judged on {self.judged_on}."


def judged(given: Sequence[float], winner: Sequence[float], judged_on: str) -> Lift:
    """Compare scores on rows that nothing was chosen on.

    Args:
        given: By row, what the program that was given scored.
        winner: What the winner scored, row by row the same.
        judged_on: Which rows they are.
    """
    return Lift(paired=paired_difference(given, winner), judged_on=judged_on)


def cross_fitted(
    given: Sequence[float], candidates: Iterable[Candidate], judged_on: str
) -> Lift:
    """Compare on the rows that the winner was chosen on, without their luck.

    The rows are cut in two, every other one. Each half is judged by the candidate that
    the other half chooses, so no row has a say in what it judges. What is judged is the
    choosing, from half of the rows; the winner was chosen from all of them.

    Args:
        given: By row, what the program that was given scored.
        candidates: What it was chosen from; those not measured on all rows are left
            out, as they could not be chosen.
        judged_on: Which rows they are.
    """
    full = [each for each in candidates if len(each.scores) == len(given)]
    parts = min(PARTS, len(given))
    fitted = [0.0] * len(given)
    for part in range(parts):
        rows = range(part, len(given), parts)
        chosen = _chosen_without(full, rows)
        for row in rows:
            fitted[row] = chosen.scores[row]
    how = f"{judged_on}, each half by what the other half chooses"
    return Lift(paired=paired_difference(given, fitted), judged_on=how)


def _chosen_without(candidates: Sequence[Candidate], rows: range) -> Candidate:
    """Return the best candidate on all rows but these; of equal ones the first."""
    left_out = frozenset(rows)

    def rest(candidate: Candidate) -> float:
        kept = enumerate(candidate.scores)
        return math.fsum(score for row, score in kept if row not in left_out)

    return max(candidates, key=lambda each: (rest(each), -each.number))
