"""What the contests of many seeds show."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dspex.core.statistics import (
    Interval,
    PairedDifference,
    interval,
    paired_difference,
)
from dspex.evaluate.results.verdict import is_shown
from tests.truth.contest import Contest, Held, held

NEIGHBOURHOOD = 0.6
"""How much of the way from the student to the optimum has to be gone; the lower end of
the interval must reach it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is shown of one optimiser."""

    contest: Contest
    """What was held."""
    held: Sequence[Held]
    """The contests, by seed."""

    @property
    def lead(self) -> PairedDifference:
        """By how much it is better than random search, seed by seed."""
        drawn = [each.drawn for each in self.held]
        return paired_difference(drawn, [each.found for each in self.held])

    @property
    def share(self) -> Interval | None:
        """How much of the way it goes: the interval of the mean over the seeds."""
        return interval([each.share for each in self.held], method="t")

    @property
    def is_ahead(self) -> bool:
        """Whether it is shown to beat random search."""
        return is_shown(self.lead)

    @property
    def is_near(self) -> bool:
        """Whether it is shown to reach the neighbourhood of the optimum."""
        return self.share is not None and self.share.low >= NEIGHBOURHOOD

    @property
    def is_within(self) -> bool:
        """Whether it kept within its budget for each seed."""
        return all(each.calls <= self.contest.budget for each in self.held)

    @property
    def missed(self) -> list[str]:
        """What is not shown, in words; empty where all is."""
        told = {
            "not shown to beat random search": self.is_ahead,
            f"not shown to go {NEIGHBOURHOOD:.0%} of the way": self.is_near,
            f"more than {self.contest.budget} calls": self.is_within,
        }
        return [words for words, is_shown in told.items() if not is_shown]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "why": self.contest.why,
            "missed": self.missed,
            "budget": self.contest.budget,
            "lead": asdict(self.lead),
            "share": None if self.share is None else asdict(self.share),
            "held": [asdict(each) for each in self.held],
        }


def verdict_on(contest: Contest, seeds: Iterable[int]) -> Verdict:
    """Hold a contest for each seed."""
    ended = [held(contest, seed) for seed in seeds]
    return Verdict(contest=contest, held=ended)


HEADER = (
    f"{'optimiser':34}  student  random  found  optimum  "
    f"{'lead, points (95 %)':>22}  {'share of the way':>20}  "
    f"{'calls':>6} {'random':>6}"
)


def line_of(verdict: Verdict) -> str:
    """Write a verdict as a line under `HEADER`."""

    def mean(name: str) -> float:
        return statistics.fmean(getattr(each, name) for each in verdict.held)

    lead, share = verdict.lead, verdict.share
    found = [f"{verdict.contest.optimiser:34}"]
    for name, width in (("student", 7), ("drawn", 6), ("found", 5), ("optimum", 7)):
        found.append(f"{100 * mean(name):{width}.1f}")
    found.append(f"{_spread(100, lead.difference, lead.interval):>22}")
    found.append(f"{_spread(100, mean('share'), share):>18} %")
    found.append(f"{mean('calls'):6.0f} {mean('calls_drawn'):6.0f}")
    return "  ".join([*found, "; ".join(verdict.missed)]).rstrip()


def _spread(times: float, middle: float | None, found: Interval | None) -> str:
    if middle is None or found is None:
        return "not known"
    low, high = times * found.low, times * found.high
    return f"{times * middle:.1f} ({low:.1f} to {high:.1f})"
