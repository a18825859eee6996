"""A result's rows one by one: what was asked, what came of it, what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dspex.core.example import Example
from dspex.evaluate.outcome import Outcome, OutcomeKind

if TYPE_CHECKING:
    from dspex.evaluate.result import EvaluationResult

NOT_BEGUN = "not begun"
"""What the kind of a row without an outcome is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One trial of one example."""

    number: int
    """The example's place in the set, from 0."""
    trial: int
    """Which repetition of it, from 0."""
    example: Example
    """What was asked."""
    outcome: Outcome | None
    """What came of it; `None` when it was never begun."""
    counted: float
    """What it adds to the mean: its score, or the failure score."""

    @property
    def kind(self) -> str:
        """How it ended, in a word."""
        return NOT_BEGUN if self.outcome is None else self.outcome.kind.value

    @property
    def score(self) -> float | None:
        """The metric's number; `None` without one."""
        return None if self.outcome is None else self.outcome.score

    @property
    def is_scored(self) -> bool:
        """Whether the metric gave a number."""
        return self.outcome is not None and self.outcome.kind is OutcomeKind.SCORED

    @property
    def is_measured(self) -> bool:
        """Whether its score, or its failure, is the program's own."""
        return self.outcome is not None and self.outcome.kind.is_final


def rows_in_order(result: EvaluationResult) -> Iterator[ResultRow]:
    """Yield a row for each trial of each example, in input order, one at a time."""
    outcomes = iter(result.outcomes)
    for number, example in enumerate(result.examples):
        for trial in range(result.trials):
            outcome = next(outcomes, None)
            score = None if outcome is None else outcome.score
            yield ResultRow(
                number=number,
                trial=trial,
                example=example,
                outcome=outcome,
                counted=result.failure_score if score is None else score,
            )
