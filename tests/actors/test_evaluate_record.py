"""A run's record: it goes on where it stopped, and nothing is counted twice."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import os
import shutil
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core.errors import EvaluationError, RunBusyError, RunChangedError
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.results.outcome import OutcomeKind
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


def test_another_program_under_the_name_of_a_complete_run_changes_nothing_of_it(
    home: Path,
) -> None:
    def another(question: str) -> dspex.Prediction:
        return dspex.Prediction(answer=question)

    evaluator(3)(program)
    (file,) = (home / "runs").glob("mine.sqlite")
    before, left = file.read_bytes(), record_of(home).left

    with pytest.raises(RunChangedError, match="program"):
        evaluator(3)(another)

    assert left is not None
    assert left.status == "complete"
    assert record_of(home).left == left
    assert file.read_bytes() == before


def test_another_row_under_an_old_name_is_named_and_changes_nothing(
    home: Path,
) -> None:
    evaluator(3)(program)
    devset = [*rows(2), *rows(1)]

    with pytest.raises(RunChangedError, match="row 2 of the data set"):
        evaluator(3)(program, devset=devset)

    record = record_of(home)
    assert record.owner is None
    assert record.left is not None
    assert record.left.status == "complete"


@pytest.mark.parametrize(
    "options", [{"trials": 2}, {"metric_range": (0, 2)}, {"failure_score": 0.5}]
)
def test_what_the_number_depends_on_may_not_change(options: dict[str, Any]) -> None:
    evaluator(3)(program)

    with pytest.raises(RunChangedError, match=next(iter(options))):
        evaluator(3, **options)(program)


def test_a_run_goes_on_though_its_program_counts_its_calls() -> None:
    calls = 0

    def counts(question: str) -> dspex.Prediction:
        nonlocal calls
        calls += 1
        return program(question)

    evaluator(3)(counts)
    again = evaluator(3)(counts)

    assert again.score == 100.0
    assert calls == 3


def test_a_file_whose_maker_was_killed_is_a_run_that_begins(home: Path) -> None:
    (home / "runs").mkdir(parents=True)
    (home / "runs" / "mine.sqlite").touch()

    result = evaluator(3)(program)

    assert result.complete


def test_what_was_in_hand_at_the_total_timeout_is_told_and_taken_up_again(
    home: Path,
) -> None:
    released = threading.Event()

    def hangs(question: str) -> dspex.Prediction:
        if question == "q1":
            released.wait(30)
        return program(question)

    evaluate = evaluator(4, concurrency=2, total_timeout=2.0)
    first = evaluate(hangs)
    recorded = dspex.load_run("mine", home=home)
    told = [(each.not_measured, each.failure_lines) for each in (first, recorded)]
    released.set()
    second = evaluate(hangs)

    for not_measured, lines in told:
        assert not_measured == {"timeout": 1}
        assert "total_timeout" in lines[0]
    assert second.complete
    outcome = second.outcomes[1]
    assert outcome is not None
    assert outcome.stamp.attempt == 2


def test_a_run_that_goes_on_from_a_result_is_recorded_whole(home: Path) -> None:
    released = threading.Event()

    def hangs(question: str) -> dspex.Prediction:
        if question == "q1":
            released.wait(30)
        return program(question)

    evaluate = evaluator(3, run=None, concurrency=1, total_timeout=2.0)
    first = evaluate(hangs)
    released.set()
    evaluate(hangs, resume=first, run="second")

    recorded = dspex.load_run("second", home=home)
    assert recorded.complete
    assert [outcome and outcome.stamp.attempt for outcome in recorded.outcomes] == [
        1,
        2,
        1,
    ]
    assert recorded.results[0][0].question == "q0"


def test_a_recorded_run_keeps_the_seconds_it_took(home: Path) -> None:
    first = evaluator(3)(program)
    between = dspex.load_run("mine", home=home).seconds
    second = evaluator(3)(program)

    assert first.seconds == between
    assert second.seconds > first.seconds


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


def test_a_run_that_was_taken_over_sends_next_to_nothing_more(
    home: Path,
    lm: dspex.LM,
    provider: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask = dspex.Predict("question -> answer")
    provider.pause()

    def asks_on(question: str) -> Any:
        return [ask(question=question) for _ in range(1_000)][-1]

    with evaluator(4, concurrency=4).start(asks_on) as run:
        provider.wait_for_in_flight(4, 20)
        # Nobody has seen it for a while.
        monkeypatch.setattr("dspex.evaluate.record.reader.is_alive", lambda *_: False)
        second = RunRecord.open(RunPlace(run="mine", home=home), owner=True)
        provider.resume()

        with pytest.raises(EvaluationError, match="another owner took it over"):
            run.result(30)

    provider.wait_for_idle(20)
    assert len(provider.bill) <= 3 * 4
    second.close("stopped")


@pytest.mark.skipif(sys.platform == "win32", reason="an open file stays there")
def test_a_run_whose_record_is_deleted_tells_what_it_measured(home: Path) -> None:
    asked = itertools.count()

    def deletes(question: str) -> dspex.Prediction:
        if next(asked) == 20:
            shutil.rmtree(home / "runs")
        return program(question)

    with pytest.raises(EvaluationError, match="its files were deleted") as caught:
        evaluator(5_000, concurrency=1)(deletes)

    assert caught.value.result is not None
    done = [each for each in caught.value.result.outcomes if each is not None]
    assert len(done) >= 20
    assert sum(each.kind is not OutcomeKind.SCORED for each in done) <= 1


def test_a_run_whose_record_is_damaged_tells_what_it_measured(home: Path) -> None:
    asked = itertools.count()

    def damages(question: str) -> dspex.Prediction:
        if next(asked) == 20:
            with contextlib.closing(sqlite3.connect(home / "runs/mine.sqlite")) as file:
                file.execute("DROP TABLE ended")
        return program(question)

    with pytest.raises(EvaluationError, match="its record is not") as caught:
        evaluator(40)(damages)

    assert caught.value.result is not None
    assert caught.value.result.score == 100.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_that_a_program_forks_takes_no_example(tmp_path: Path) -> None:
    worked, children = tmp_path / "worked", []

    def forks(question: str) -> dspex.Prediction:
        with worked.open("a", encoding="ascii") as file:
            file.write(f"{question}\n")
        if question == "q1" and (child := os.fork()):
            children.append(child)
        return program(question)

    result = evaluator(500, concurrency=1)(forks)
    os.kill(children[0], signal.SIGKILL)
    os.waitpid(children[0], 0)

    assert result.score == 100.0
    assert sorted(worked.read_text().split()) == sorted(f"q{n}" for n in range(500))


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


@pytest.mark.parametrize("second", [None, "second"])
def test_a_result_that_was_resumed_is_that_of_the_whole_run(
    home: Path, second: str | None
) -> None:
    def breaks(question: str) -> Any:
        predicted = predict(question=question)
        if question == "q2" and len(provider.bill) < 5:
            raise ZeroDivisionError
        return predicted

    predict = dspex.Predict("question -> answer")
    options = {"run": None, "concurrency": 1}
    with (
        FakeProvider(answer=answer) as provider,
        dspex.Runtime(dspex.Config(home=home, persist=False)),
        dspex.context(lm=dspex.LM("openai/fake", api_base=provider.base_url)),
    ):
        with pytest.raises(dspex.EvaluationError) as caught:
            # So many that some are left, however late the run hears of the error.
            evaluator(40, max_errors=1, **options)(breaks)
        first = caught.value.result
        assert first is not None
        whole = evaluator(40, **options)(breaks, resume=first, run=second)
        billed = {each.request_id for each in provider.bill}

    found = [whole] if second is None else [whole, dspex.load_run(second, home=home)]
    assert 0 < first.calls < whole.calls
    for each in found:
        # One that was broken off may never have been written.
        assert billed <= set(each.requests)
        assert len(each.requests) <= len(billed) + 1
        assert each.usage.total_tokens == whole.bill.usage.total_tokens > 0
        assert each.seconds > first.seconds


def test_no_secret_of_the_notes_is_in_the_record(home: Path) -> None:
    notes = {"version": 3, "all": [{"api_key": "sk-canary", "password": "sk-canary"}]}

    evaluator(2, notes=notes)(program)

    kept = record_of(home).head.settings["notes"]
    assert kept == {"version": 3, "all": [{"api_key": "***", "password": "***"}]}
    written = b"".join(path.read_bytes() for path in (home / "runs").iterdir())
    assert b"sk-canary" not in written
