"""Another metric over predictions that are there already: no program is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.evaluate.metric import (
    Metric,
    checked_metric,
    checked_range,
    judge,
    metric_names,
)
from dspex.evaluate.record.unkept import Unkept
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, kind_of, note
from dspex.evaluate.results.result import EvaluationResult


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
    kept = {each.name: getattr(result, each.name) for each in fields(EvaluationResult)}
    changed: dict[str, Any] = {
        "outcomes": outcomes,
        "metric_range": expected,
        "metrics": metric_names(metric),
        # Its record has the scores of then.
        "run": None,
    }
    return EvaluationResult(**{**kept, **changed})


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
    _check_whole(example, outcome.stamp.example)
    _check_whole(outcome.prediction, outcome.stamp.example)
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


def _check_whole(value: Any, number: int) -> None:
    """Refuse a value of which a record kept but a part.

    Raises:
        DataError: Then.
    """
    match value:
        case Unkept():
            raise DataError(
                f"example {number} was not kept whole: its record has no "
                f"{value.type_name}, only what it held; all of it was expected, for "
                "the metric to judge. Evaluate again, or let the program give plain "
                "values."
            )
        case Example() | Mapping():
            for one in value.values():
                _check_whole(one, number)
        case list() | tuple() | set() | frozenset():
            for one in value:
                _check_whole(one, number)
