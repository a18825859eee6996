"""Another metric over predictions that are there already: no program is run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dspex.core.example import Example
from dspex.evaluate.metric import Metric, checked_metric, checked_range, judge
from dspex.evaluate.outcome import Outcome, OutcomeKind, kind_of, note
from dspex.evaluate.result import EvaluationResult


def rescored(
    result: EvaluationResult, metric: Metric, metric_range: Any = None
) -> EvaluationResult:
    """Score a result's predictions with another metric, on the caller's thread.

    See `EvaluationResult.rescore`, which is this.
    """
    metric = checked_metric(metric)
    expected = checked_range(metric_range or result.metric_range)
    outcomes = tuple(
        _judged(outcome, result.examples[number // result.trials], metric, expected)
        for number, outcome in enumerate(result.outcomes)
    )
    return replace(result, outcomes=outcomes, metric_range=expected, sums=None)


def _judged(
    outcome: Outcome | None,
    example: Example,
    metric: Metric,
    metric_range: tuple[float, float],
) -> Outcome | None:
    if outcome is None or outcome.prediction is None:
        return outcome
    if outcome.stage == "program":
        # What the program left behind when it failed is no answer of it.
        return outcome
    try:
        judgement = judge(
            metric, example, outcome.prediction, metric_range=metric_range
        )
    except Exception as error:  # noqa: BLE001 - a metric's failure is kept with its example
        return replace(
            outcome,
            kind=kind_of(error, "metric"),
            score=None,
            columns={},
            lost={},
            feedback=None,
            error=note(error, "metric"),
            stage="metric",
            first_score=None,
        )
    return replace(
        outcome,
        kind=OutcomeKind.SCORED,
        score=judgement.score,
        columns=judgement.columns,
        lost={name: note(error, "metric") for name, error in judgement.lost.items()},
        feedback=judgement.feedback,
        error=None,
        stage=None,
        first_score=None,
    )
