"""A run's record: it goes on where it stopped, and nothing is counted twice."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core.errors import EvaluationError, RunBusyError, RunChangedError
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.testing import FakeProvider, Status
from tests.actors.rows import answer, right, rows


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def runtime(home: Path) -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(home=home)) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer) as running:
        yield running


def evaluator(count: int, **options: Any) -> dspex.Evaluate:
    defaults: dict[str, Any] = {"metric": right, "display_progress": False}
    return dspex.Evaluate(devset=rows(count), **defaults | {"run": "mine"} | options)


def program(question: str) -> dspex.Prediction:
    return dspex.Prediction(answer=question.replace("q", "a"))


def record_of(home: Path, run: str = "mine") -> RunRecord:
    return RunRecord.open(RunPlace(run=run, home=home), owner=False)


@pytest.fixture
def lm(provider: FakeProvider) -> Iterator[dspex.LM]:
    model = dspex.LM("openai/fake", api_base=provider.base_url, cache=False)
    with dspex.context(lm=model):
        yield model


def test_a_named_run_goes_on_where_it_stopped(
    home: Path, lm: dspex.LM, provider: FakeProvider
) -> None:
    provider.misbehave(Status(401), on=21, times=1)
    predict = dspex.Predict("question -> answer")
    with pytest.raises(EvaluationError):
        evaluator(50, concurrency=1)(predict)

    # Another tree, whose client knows nothing of the refusal.
    with dspex.Runtime(dspex.Config(home=home)):
        result = evaluator(50, concurrency=1)(predict)

    assert result.score == 100.0
    # What was measured is not asked again; the one that failed is its next attempt.
    attempts = [outcome.stamp.attempt for outcome in result.outcomes if outcome]
    assert attempts[:21] == [1] * 20 + [2]
    asked = [str(billed.body) for billed in provider.bill]
    assert all(sum(f"q{n}\\n" in body for body in asked) <= 1 for n in range(20))


def test_a_finished_run_is_not_run_again(lm: dspex.LM, provider: FakeProvider) -> None:
    predict = dspex.Predict("question -> answer")
    first = evaluator(10)(predict)
    second = evaluator(10)(predict)

    assert len(provider.bill) == 10
    assert (first.score, second.score) == (100.0, 100.0)
    assert [row[1].answer for row in second.results] == [f"a{n}" for n in range(10)]
    assert set(second.requests) == set(first.requests)


def test_other_data_under_an_old_name_is_an_error_that_names_it() -> None:
    evaluator(10)(program)

    with pytest.raises(RunChangedError, match="11 rows"):
        evaluator(11)(program)


def test_an_owned_run_is_refused_to_a_second() -> None:
    begun, released = threading.Event(), threading.Event()

    def waits(question: str) -> dspex.Prediction:
        begun.set()
        released.wait(30)
        return dspex.Prediction(answer=question.replace("q", "a"))

    context = contextvars.copy_context()
    first = threading.Thread(target=lambda: context.run(evaluator(3), waits))
    first.start()
    assert begun.wait(30)

    with pytest.raises(RunBusyError):
        evaluator(3)(waits)
    released.set()
    first.join(30)


def test_every_request_is_in_the_record_with_its_fate(
    home: Path, lm: dspex.LM, provider: FakeProvider
) -> None:
    result = evaluator(30)(dspex.Predict("question -> answer"))

    kept = {request.request_id: request for request in record_of(home).requests()}
    assert {billed.request_id for billed in provider.bill} == set(kept)
    assert dict(result.requests) == kept
    assert {request.fate.value for request in kept.values()} == {"answered"}


def test_an_unnamed_run_is_recorded_unless_that_is_switched_off(home: Path) -> None:
    evaluator(3, run=None)(program)
    evaluator(3, run=None, persist=False)(program)

    (path,) = (home / "runs").glob("*.sqlite")
    assert record_of(home, path.stem).totals().n == 3
