"""Evaluation with every kind of metric, on real actors."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import dspex
from dspex.evaluate import Evaluate, SemanticF1
from dspex.evaluate.results.outcome import OutcomeKind
from dspex.metrics import exact_match, f1
from dspex.teleprompt import BootstrapFewShot
from dspex.testing import DummyLM

ROWS = dspex.load(
    [
        {"question": "Capital of Peru?", "answer": "Lima", "response": "Lima"},
        {"question": "Capital of Chad?", "answer": "N'Djamena", "response": "?"},
    ],
    inputs=["question"],
)


@pytest.fixture(autouse=True)
def _runtime() -> Iterator[None]:
    with dspex.Runtime(dspex.Config(persist=False)):
        yield


def numbers(count: int) -> list[dspex.Example]:
    return [dspex.Example(n=number).with_inputs("n") for number in range(count)]


def program(question: str) -> dspex.Prediction:
    return dspex.Prediction(answer="the city of Lima", response="Lima")


@pytest.mark.parametrize("debug", [False, True])
def test_several_metrics_are_columns_of_one_evaluation(debug: bool) -> None:
    metrics = {"f1": f1("answer"), "exact": exact_match("answer")}

    result = Evaluate(devset=ROWS, metric=metrics, debug=debug)(program)

    assert result.scores == (0.5, 0.0)
    assert result.columns == {"f1": (0.5, 0.0), "exact": (0.0, 0.0)}
    assert result.column_scores == {"f1": 25.0, "exact": 0.0}


@pytest.mark.parametrize("debug", [False, True])
def test_feedback_is_kept_with_its_example(debug: bool) -> None:
    def metric(example: dspex.Example, prediction: dspex.Prediction) -> object:
        return dspex.Prediction(score=0, feedback=f"Not {example.answer}.")

    result = Evaluate(devset=ROWS, metric=metric, debug=debug)(program)

    feedbacks = [outcome.feedback for outcome in result.outcomes if outcome]
    assert feedbacks == ["Not Lima.", "Not N'Djamena."]


def test_an_async_metric_scores_in_the_workers_context() -> None:
    async def metric(example: dspex.Example, prediction: dspex.Prediction) -> bool:
        await asyncio.sleep(0)
        return dspex.settings.num_threads == 3 and example.answer in prediction.answer

    with dspex.context(num_threads=3):
        result = Evaluate(devset=ROWS, metric=metric)(program)

    assert result.scores == (1.0, 0.0)


def test_an_async_metric_that_raises_is_a_failure_of_the_metric() -> None:
    async def metric(example: dspex.Example, prediction: dspex.Prediction) -> bool:
        raise LookupError(example.question)

    result = Evaluate(devset=ROWS, metric=metric)(program)

    kinds = [outcome.kind for outcome in result.failures]
    assert kinds == [OutcomeKind.METRIC, OutcomeKind.METRIC]
    assert all(outcome.prediction for outcome in result.failures)


def test_a_program_may_be_the_metric() -> None:
    metric = SemanticF1()
    metric.set_lm(
        DummyLM(
            {
                "Peru": {"reasoning": "", "recall": 1, "precision": 1},
                "Chad": {"reasoning": "", "recall": 0, "precision": 0},
            }
        )
    )

    result = Evaluate(devset=ROWS, metric=metric)(program)

    assert result.scores == (1.0, 0.0)


def test_an_optimiser_takes_several_metrics_and_async_ones() -> None:
    async def right(
        example: dspex.Example, prediction: dspex.Prediction, trace: object = None
    ) -> bool:
        return bool(trace) and example.answer == prediction.answer

    student = dspex.Predict("question -> answer")
    lm = DummyLM({"Peru": {"answer": "Lima"}, "Chad": {"answer": "?"}})
    optimiser = BootstrapFewShot(
        metric={"right": right, "f1": f1("answer")}, max_labeled_demos=0
    )
    with dspex.context(lm=lm):
        better = optimiser.compile(student, trainset=ROWS)

    assert [demo.answer for demo in better.demos] == ["Lima"]


def test_a_score_outside_the_range_fails_its_example_and_the_others_count() -> None:
    def stars(example: dspex.Example, _prediction: object) -> int:
        return 4 if example.n == 1 else 1

    result = Evaluate(devset=numbers(3), metric=stars)(lambda n: n)

    assert result.score == 66.67
    assert [outcome.stage for outcome in result.failures] == ["metric"]
    (line,) = result.failure_lines
    assert line.startswith("1 failed by metric (MetricRangeError), first example 1: ")
    assert "metric_range=(0, 4)" in line


def test_a_metric_of_another_range_says_so_and_gets_bounds_of_its_own() -> None:
    evaluate = Evaluate(devset=numbers(2), metric=lambda *_: 4, metric_range=(0, 5))

    result = evaluate(lambda n: n)

    assert (result.score, result.metric_range) == (400.0, (0.0, 5.0))


def test_a_second_metric_that_fails_loses_its_cell_and_not_the_row() -> None:
    def inverse(example: dspex.Example, _prediction: object) -> float:
        return 1 / float(example.n)

    evaluate = Evaluate(
        devset=numbers(2), metric={"right": lambda *_: True, "inverse": inverse}
    )

    result = evaluate(lambda n: n)

    assert (result.score, result.complete) == (100.0, True)
    assert result.columns == {"right": (1.0, 1.0), "inverse": (None, 1.0)}
    (line,) = result.failure_lines
    assert line.startswith("1 lost their 'inverse' by metric (ZeroDivisionError)")
