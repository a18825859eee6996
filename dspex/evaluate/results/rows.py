"""A result's rows one by one: what was asked, what came of it, what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dspex.core.example import Example
from dspex.evaluate.results.causes import NOT_BEGUN, NOT_FINISHED
from dspex.evaluate.results.outcome import Outcome, OutcomeKind

if TYPE_CHECKING:
    from dspex.evaluate.results.result import EvaluationResult


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
    """What came of it; `None` when that is not known."""
    is_begun: bool = True
    """Whether anybody began it."""
    counted: float
    """What it adds to the mean: its score, or the failure score."""

    @property
    def kind(self) -> str:
        """How it ended, in a word."""
        if self.outcome is None:
            return NOT_FINISHED if self.is_begun else NOT_BEGUN
        return self.outcome.kind.value

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
            yield _row(result, number, trial, example, next(outcomes, None))


def rows_of(result: EvaluationResult, number: int) -> Iterator[ResultRow]:
    """Yield a row for each trial of one example."""
    example = result.examples[number]
    for trial, outcome in enumerate(result.trials_of(number)):
        yield _row(result, number, trial, example, outcome)


def _row(
    result: EvaluationResult,
    number: int,
    trial: int,
    example: Example,
    outcome: Outcome | None,
) -> ResultRow:
    score = None if outcome is None else outcome.score
    return ResultRow(
        number=number,
        trial=trial,
        example=example,
        outcome=outcome,
        counted=result.failure_score if score is None else score,
        is_begun=outcome is not None or (number, trial) in result.unfinished,
    )
