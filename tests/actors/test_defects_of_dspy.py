"""Faults that were seen in DSPy 3.4.1: one test each, so that none comes in here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.core.errors import ConfigurationError
from dspex.teleprompt import BootstrapFewShot
from dspex.testing import DummyLM, FakeProvider
from tests.actors.lab import call
from tests.actors.rows import answer, rows

DEMOS = [{"question": f"old {n}", "answer": "a"} for n in range(12)]


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime() as running, dspex.context(lm=answering(400)):
        yield running


def answering(count: int) -> DummyLM:
    return DummyLM([{"answer": "a"}] * count)


def accepts(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
    return True


def bootstrap(metric: Any = accepts, **options: Any) -> BootstrapFewShot:
    return BootstrapFewShot(metric=metric, display_progress=False, **options)


def test_a_teacher_that_raises_has_all_its_demos_afterwards() -> None:
    class Failing(dspex.Predict):
        def forward(self, **inputs: Any) -> Any:
            raise ZeroDivisionError

    teacher = Failing("question -> answer")
    teacher.demos = list(DEMOS)
    teacher._compiled = True
    student = dspex.Predict("question -> answer")

    with pytest.raises(dspex.EvaluationError):
        bootstrap(max_errors=2).compile(student, teacher=teacher, trainset=rows(4))

    assert teacher.demos == DEMOS


def test_a_threshold_of_zero_refuses_what_is_below_it() -> None:
    compiled = bootstrap(
        lambda *_: -1.0, metric_threshold=0.0, max_labeled_demos=0
    ).compile(dspex.Predict("question -> answer"), trainset=rows(4))

    assert compiled.demos == []


def test_an_empty_training_set_is_an_error_that_says_so() -> None:
    with pytest.raises(ConfigurationError, match="trainset"):
        bootstrap().compile(dspex.Predict("question -> answer"), trainset=[])


def test_a_metric_that_returns_none_loses_no_prediction() -> None:
    evaluate = dspex.Evaluate(
        devset=rows(3), metric=lambda *_: None, display_progress=False
    )

    result = evaluate(dspex.Predict("question -> answer"))

    assert [row.prediction.answer for row in result.outcomes if row] == ["a"] * 3
    notes = [row.error for row in result.outcomes if row]
    assert all(note and "return" in note.message for note in notes)


def test_a_missing_metric_is_refused_before_any_call() -> None:
    lm = answering(3)

    with dspex.context(lm=lm), pytest.raises(ConfigurationError, match="metric"):
        dspex.Evaluate(devset=rows(3))(dspex.Predict("question -> answer"))

    assert len(lm.history) == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_usage_is_counted_however_many_work(workers: int) -> None:
    evaluate = dspex.Evaluate(
        devset=rows(8),
        metric=accepts,
        num_threads=workers,
        display_progress=False,
    )

    with FakeProvider(answer=answer) as provider:
        lm = dspex.LM("openai/fake", api_base=provider.base_url, cache=False)
        with dspex.context(lm=lm), dspex.track_usage() as tracker:
            evaluate(dspex.Predict("question -> answer"))

    spent = tracker.total()["openai/fake"].total_tokens
    assert spent == sum(entry["usage"]["total_tokens"] for entry in lm.history) > 0


def test_a_context_goes_along_into_a_plain_thread() -> None:
    inner = answering(1)

    with dspex.context(lm=inner):
        work = dspex.in_context(lambda: dspex.settings.lm)

    assert call(work).outcomes() == [inner]


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    program = dspex.Predict("question -> answer")
    evaluate = dspex.Evaluate(devset=rows(4), metric=accepts)

    evaluate(BootstrapFewShot(metric=accepts).compile(program, trainset=rows(4)))

    assert capsys.readouterr().out == ""
