"""What the scores of a run come to, and what is not known of it. Pure.

Numbers here are means of scores; a result shows 100 times as much. Each of them comes
either from the outcomes, to the last digit whatever their order, or from sums that a
record added up, for runs whose rows nobody holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from dspex.core import statistics
from dspex.core.statistics import Moments
from dspex.evaluate.record.entries import Totals
from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.results.trials import means, means_of_known


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How scores are counted."""

    failure_score: float
    """What an example without a score adds."""
    metric_range: tuple[float, float]
    """The lowest and the highest score the metric gives."""
    trials: int = 1
    """Repetitions of each example."""

    @property
    def worst(self) -> float:
        """The least that something not measured may turn out to be."""
        return min(self.metric_range[0], self.failure_score)

    @property
    def best(self) -> float:
        """The most that it may."""
        return max(self.metric_range[1], self.failure_score)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a run stands."""

    moments: Moments
    """Of the examples' scores, failures and what is missing as `failure_score`."""
    measured: float | None
    """Mean over what was measured; `None` when nothing was."""
    low: float
    """Mean if everything not measured turns out as bad as can be."""
    high: float
    """Mean if it turns out as good as can be."""

    @classmethod
    def of(cls, outcomes: Sequence[Outcome | None], rules: Rules) -> Self:
        """Take it from the outcomes, those of an example side by side."""
        trials = rules.trials
        scores = [score_of(one, rules.failure_score) for one in outcomes]
        known = [
            score if is_measured(one) else None
            for score, one in zip(scores, outcomes, strict=True)
        ]
        measured = [one for one in means_of_known(known, trials) if one is not None]

        def mean_with(missing: float) -> float:
            if math.isinf(missing):
                return missing
            filled = [missing if one is None else one for one in known]
            return statistics.mean(means(filled, trials)) or 0.0

        complete = None not in known
        moments = Moments.of(means(scores, trials))
        whole = moments.mean or 0.0
        return cls(
            moments=moments,
            measured=statistics.mean(measured),
            low=whole if complete else mean_with(rules.worst),
            high=whole if complete else mean_with(rules.best),
        )

    @classmethod
    def of_totals(cls, totals: Totals, *, n: int, rules: Rules) -> Self:
        """Take it from the totals over one trial of each of n examples."""
        final = sum(many for kind, many in totals.by_kind.items() if kind.is_final)
        missing = n - final
        failed = n - totals.scored
        total = totals.total + rules.failure_score * failed
        moments = Moments.of_sums(
            n,
            total=total,
            squares=totals.squares + rules.failure_score**2 * failed,
            binary=_are_binary(totals)
            and (not failed or rules.failure_score in (0.0, 1.0)),
        )
        whole = moments.mean or 0.0
        of_measured = total - rules.failure_score * missing
        measured = n - missing
        return cls(
            moments=moments,
            measured=of_measured / measured if measured else None,
            low=(of_measured + rules.worst * missing) / n if missing else whole,
            high=(of_measured + rules.best * missing) / n if missing else whole,
        )


def is_measured(outcome: Outcome | None) -> bool:
    """Whether something is known of an example."""
    return outcome is not None and outcome.kind.is_final


def score_of(outcome: Outcome | None, failure_score: float) -> float:
    """Return what an outcome adds to the mean."""
    if outcome is None or outcome.score is None:
        return failure_score
    return outcome.score


def _are_binary(totals: Totals) -> bool:
    if totals.lowest is None or totals.highest is None:
        return True
    # Between 0 and 1, only these two are their own squares.
    return totals.lowest >= 0 and totals.highest <= 1 and totals.total == totals.squares
