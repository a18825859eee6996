"""Another metric over predictions that are there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import dspex
from dspex.core.errors import MetricRangeError
from dspex.evaluate.results.outcome import OutcomeKind
from tests.unit.evaluate.outcomes import failed, of_scores, result_of, scored


def length(_example: Any, prediction: Any) -> float:
    return len(prediction.answer)


def test_predictions_are_scored_anew_and_the_old_result_is_as_it_was() -> None:
    found = replace(of_scores(0.0, 0.0), metrics=("exact",), run="july")

    again = found.rescore(lambda *_: {"right": 1, "f1": 0.5})

    assert (found.score, again.score) == (0.0, 100.0)
    assert again.metrics == ("<lambda>",)
    assert again.run is None
    assert again.columns == {"right": (1.0, 1.0), "f1": (0.5, 0.5)}
    assert again.results[1][1] is found.results[1][1]


def test_the_metric_sees_each_trials_answer_and_its_example() -> None:
    seen = []

    def metric(example: Any, prediction: Any) -> bool:
        seen.append((example.question, prediction.answer))
        return True

    of_scores(0, 0, 0, 0, trials=2).rescore(metric)

    assert seen == [
        ("question 0", "answer 0"),
        ("question 0", "answer 1"),
        ("question 1", "answer 2"),
        ("question 1", "answer 3"),
    ]


def test_a_row_whose_metric_failed_gets_its_score() -> None:
    answer = dspex.Prediction(answer="Lima")
    found = result_of(
        [failed(0, OutcomeKind.METRIC, prediction=answer, stage="metric")]
    )

    again = found.rescore(lambda *_: 1)

    assert again.score == 100.0
    assert again.outcomes[0] is not None
    assert again.outcomes[0].error is None
    assert again.failure_lines == ()


def test_what_has_no_answer_stays_as_it_is() -> None:
    found = result_of(
        [failed(0, OutcomeKind.PROGRAM), failed(1, OutcomeKind.TIMEOUT), None]
    )

    again = found.rescore(lambda *_: 1)

    assert again.outcomes == found.outcomes


def test_a_metric_that_fails_fails_its_row_by_name() -> None:
    def metric(example: Any, _prediction: Any) -> float:
        return 1 / int(example.question[-1])

    again = of_scores(1, 1).rescore(metric)

    assert again.score == 50.0
    assert again.failure_lines == (
        "1 failed by metric (ZeroDivisionError), first example 0: division by zero",
    )


def test_the_new_metric_may_have_another_range() -> None:
    found = of_scores(1.0)

    outside = found.rescore(length)
    inside = found.rescore(length, metric_range=(0, 10))

    assert outside.failures[0].error is not None
    assert isinstance(outside.failures[0].error.error, MetricRangeError)
    assert (inside.score, inside.metric_range) == (800.0, (0.0, 10.0))


def test_what_is_no_metric_is_refused() -> None:
    with pytest.raises(dspex.ConfigurationError, match="metric is 3"):
        of_scores(1.0).rescore(3)  # type: ignore[arg-type] # what is tested


def test_an_answer_of_the_older_metric_about_attempts_is_gone() -> None:
    found = result_of([scored(0, 1.0, first_score=0.0)])

    again = found.rescore(lambda *_: 1)

    assert (found.score_first_attempt, again.score_first_attempt) == (0.0, 100.0)
