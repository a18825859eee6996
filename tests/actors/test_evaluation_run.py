"""An evaluation that runs while its caller watches and steers it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core.errors import (
    ConfigurationError,
    EvaluationError,
    EvaluationInterrupted,
)
from dspex.evaluate.results.outcome import OutcomeKind
from dspex.evaluate.running.control import EvaluationRun
from dspex.evaluate.running.journal import Tally
from dspex.evaluate.running.plan import Ended
from dspex.evaluate.running.run import Run
from dspex.evaluate.running.why import Cause
from dspex.testing import OVERLOADED, FakeProvider, Hang, Status
from tests.actors.lab import eventually, kill
from tests.actors.rows import answer, right, rows

PATIENT = 20.0


class Gate:
    """A program that lets examples through one at a time, or all."""

    def __init__(self) -> None:
        self.places = threading.Semaphore(0)
        self._questions: list[str] = []

    @property
    def began(self) -> int:
        return len(self._questions)

    def __call__(self, question: str) -> dspex.Prediction:
        self._questions.append(question)
        assert self.places.acquire(timeout=PATIENT)
        return dspex.Prediction(answer=question.replace("q", "a"))

    def open(self, count: int = 1_000) -> None:
        self.places.release(count)


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False, breaker_reset=60.0)) as runtime:
        yield runtime


def start(program: Any, count: int = 20, **options: Any) -> EvaluationRun:
    values = {"concurrency": 4, **options}
    return dspex.Evaluate(devset=rows(count), metric=right, **values).start(program)


def causes(run: EvaluationRun) -> set[Cause]:
    return {waiting.cause for waiting in run.why()}


def test_a_started_run_goes_on_by_itself_and_has_a_result(
    runtime: dspex.Runtime,
) -> None:
    gate = Gate()
    run = start(gate)
    eventually(lambda: gate.began == 4)
    assert (run.done, run.state) == (False, "running")

    gate.open()
    result = run.result(PATIENT)

    assert (result.score, result.complete) == (100.0, True)
    assert run.result() is result
    assert (run.done, run.state, run.why()) == (True, "complete", ())
    assert repr(run) == f"<EvaluationRun {run.name}: complete, 20 of 20, 100.0 %>"


def test_nothing_is_left_of_a_run_that_nobody_asks_for_its_result(
    runtime: dspex.Runtime,
) -> None:
    run = start(lambda question: dspex.Prediction(answer=question))

    assert run.wait(PATIENT)

    eventually(lambda: f"run {run.name}" not in str(runtime))
    names = {thread.name for thread in threading.enumerate()}
    assert not [name for name in names if run.name in name]


def test_a_paused_run_begins_nothing_until_it_is_resumed(
    runtime: dspex.Runtime,
) -> None:
    gate = Gate()
    with start(gate) as run:
        eventually(lambda: gate.began == 4)
        run.pause()
        gate.open(4)
        eventually(lambda: run.tally.accepted == 4)

        assert run.state == "paused"
        assert causes(run) == {Cause.PAUSED}
        (rest,) = run.why()
        assert str(rest).startswith("example 4: not begun and 15 more: paused by you")
        assert gate.began == 4

        run.resume()
        gate.open()

        assert run.result(PATIENT).complete


def test_a_pause_that_is_taken_back_at_once_leaves_nothing_held(
    runtime: dspex.Runtime,
) -> None:
    gate = Gate()
    with start(gate) as run:
        eventually(lambda: gate.began == 4)
        for _ in range(50):
            run.pause()
            run.resume()
        gate.open()

        assert run.result(PATIENT).complete


def test_the_concurrency_of_a_run_may_be_changed(runtime: dspex.Runtime) -> None:
    gate = Gate()
    with start(gate, 80, concurrency=2) as run:
        eventually(lambda: gate.began == 2)

        run.concurrency = 6
        eventually(lambda: gate.began == 6)

        assert run.concurrency == 6
        with pytest.raises(ConfigurationError, match="concurrency is 0"):
            run.concurrency = 0
        gate.open()
        result = run.result(PATIENT)

    assert {o.stamp.configuration for o in result.outcomes if o is not None} == {1, 2}


def test_a_stopped_run_keeps_what_was_measured_and_can_go_on(
    runtime: dspex.Runtime,
) -> None:
    gate = Gate()
    run = start(gate)
    gate.open(3)
    eventually(lambda: run.tally.accepted == 3)

    run.stop()
    partial = run.result()

    assert (run.state, partial.complete) == ("stopped", False)
    assert sum(o is not None and o.score == 1.0 for o in partial.outcomes) == 3
    gate.open()
    evaluate = dspex.Evaluate(devset=rows(20), metric=right)
    assert evaluate.start(gate, resume=partial).result(PATIENT).complete


def test_who_does_not_want_to_wait_for_ever_is_told_that_it_goes_on(
    runtime: dspex.Runtime,
) -> None:
    gate = Gate()
    with (
        start(gate) as run,
        pytest.raises(TimeoutError, match="had not ended"),
    ):
        run.result(timeout=0.01)
    gate.open()


def test_a_run_that_could_not_go_on_raises_when_it_is_asked(
    runtime: dspex.Runtime,
) -> None:
    def broken(question: str) -> None:
        raise ZeroDivisionError(question)

    run = start(broken, max_errors=2)
    assert run.wait(PATIENT)

    assert run.state == "failed"
    with pytest.raises(EvaluationError, match="max_errors"):
        run.result()


def test_a_run_is_not_told_what_was_restarted_for_another_before_it(
    runtime: dspex.Runtime,
) -> None:
    gates = [Gate(), Gate()]
    first = start(gates[0])
    eventually(lambda: gates[0].began == 4)
    (coordinator,) = [
        name for name in runtime.start().registry.names() if "coordinator" in name
    ]
    kill(runtime, coordinator)
    eventually(lambda: runtime.restarts == 1)
    second = start(gates[1])

    gates[0].open()
    assert first.result(PATIENT).restarts == 1
    eventually(lambda: runtime.tree().total_restarts == 0)
    gates[1].open()

    assert second.result(PATIENT).restarts == 0


def test_who_awaits_a_run_is_told_of_an_end_that_came_while_it_was_being_told(
    runtime: dspex.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, told = Gate(), list[int]()
    await_end = Run.await_end

    async def watched(self: Run, _tick: float, _on_tick: object) -> Ended:
        def on_tick(tally: Tally) -> None:
            told.append(tally.accepted)
            gate.open()
            eventually(lambda: self.finished)

        return await await_end(self, 0.01, on_tick)

    monkeypatch.setattr(Run, "await_end", watched)
    evaluate = dspex.Evaluate(devset=rows(20), metric=right, concurrency=4)
    asyncio.run(evaluate.acall(gate))

    assert told == [0, 20]


def test_debugging_is_for_the_callers_thread(runtime: dspex.Runtime) -> None:
    with pytest.raises(ConfigurationError, match="debug=True"):
        start(Gate(), debug=True)


def test_a_running_program_and_what_was_not_begun_are_named(
    runtime: dspex.Runtime,
) -> None:
    gate = Gate()
    with start(gate, 5, concurrency=3) as run:
        eventually(lambda: gate.began == 3)

        *working, rest = run.why()

        assert [each.cause for each in working] == [Cause.PROGRAM] * 3
        assert all("at test_evaluation_run.py:" in str(each) for each in working)
        assert str(rest) == "example 3: not begun and 1 more: 3 workers busy"
        gate.open()


def test_a_running_metric_is_named_with_its_line(runtime: dspex.Runtime) -> None:
    release = threading.Event()

    def slow(example: dspex.Example, prediction: Any) -> float:
        release.wait(PATIENT)
        return 1.0

    evaluate = dspex.Evaluate(devset=rows(1), metric=slow)
    with evaluate.start(lambda question: question) as run:
        eventually(lambda: causes(run) == {Cause.METRIC})

        (waiting,) = run.why()

        assert "metric running for" in str(waiting)
        assert "at test_evaluation_run.py:" in str(waiting)
        release.set()


def test_a_request_that_is_out_is_named(runtime: dspex.Runtime) -> None:
    with FakeProvider(answer=answer) as provider:
        provider.misbehave(Hang())
        lm = dspex.LM("openai/fake", api_base=provider.base_url)
        with dspex.context(lm=lm), start(dspex.Predict("question -> answer"), 1) as run:
            provider.wait_for_in_flight(1, PATIENT)
            eventually(lambda: causes(run) == {Cause.REQUEST})


def test_a_retry_of_a_call_is_named(runtime: dspex.Runtime) -> None:
    with FakeProvider(answer=answer) as provider:
        provider.misbehave(Status(503, {"Retry-After": "30"}))
        lm = dspex.LM("openai/fake", api_base=provider.base_url)
        with dspex.context(lm=lm), start(dspex.Predict("question -> answer"), 1) as run:
            eventually(lambda: causes(run) == {Cause.RETRY})

            assert "retry 1 of a call in" in str(run.why()[0])


def test_a_rate_limit_is_named(runtime: dspex.Runtime) -> None:
    with FakeProvider(answer=answer) as provider:
        lm = dspex.LM("openai/fake", api_base=provider.base_url, requests_per_minute=1)
        with dspex.context(lm=lm), start(dspex.Predict("question -> answer"), 2) as run:
            eventually(lambda: causes(run) == {Cause.LIMIT})


def test_an_open_breaker_is_named(runtime: dspex.Runtime) -> None:
    with FakeProvider(answer=answer) as provider:
        provider.misbehave(OVERLOADED)
        lm = dspex.LM("openai/fake", api_base=provider.base_url, num_retries=99)
        program = dspex.Predict("question -> answer")
        with dspex.context(lm=lm), start(program, 8, concurrency=8) as run:
            eventually(lambda: Cause.BREAKER in causes(run))

            lines = [str(each) for each in run.why() if each.cause is Cause.BREAKER]
            assert "breaker of openai" in lines[0]


def test_an_outage_holds_a_run_and_is_named() -> None:
    config = dspex.Config(
        persist=False, breaker_reset=60.0, max_outage=0.05, breaker_failures=1
    )
    with FakeProvider(answer=answer) as provider, dspex.Runtime(config):
        provider.misbehave(OVERLOADED)
        lm = dspex.LM("openai/fake", api_base=provider.base_url, num_retries=0)
        evaluate = dspex.Evaluate(
            devset=rows(40), metric=right, concurrency=4, max_outage=60.0
        )
        with (
            dspex.context(lm=lm),
            evaluate.start(dspex.Predict("question -> answer")) as run,
        ):
            eventually(lambda: Cause.OUTAGE in causes(run))

            assert run.state == "held"
            assert any("is down for" in str(each) for each in run.why())


def test_who_waits_for_the_answer_of_another_example_says_so(
    runtime: dspex.Runtime,
) -> None:
    same = dspex.load([{"question": "q1", "answer": "a1"}] * 2, inputs=["question"])
    with FakeProvider(answer=answer) as provider:
        provider.pause()
        lm = dspex.LM("openai/fake", api_base=provider.base_url)
        evaluate = dspex.Evaluate(devset=same, metric=right, concurrency=2)
        with (
            dspex.context(lm=lm),
            evaluate.start(dspex.Predict("question -> answer")) as run,
        ):
            eventually(lambda: causes(run) == {Cause.REQUEST, Cause.SHARED})
            provider.resume()
            assert run.result(PATIENT).complete

        assert len(provider.bill) == 1


def test_what_was_broken_off_says_what_it_had_from_models(
    runtime: dspex.Runtime,
) -> None:
    gate, answered = Gate(), threading.Event()
    with FakeProvider(answer=answer) as provider:
        lm = dspex.LM("openai/fake", api_base=provider.base_url)
        ask = dspex.Predict("question -> answer")

        def program(question: str) -> Any:
            ask(question=question)
            answered.set()
            return gate(question)

        with dspex.context(lm=lm):
            run = start(program, 1, concurrency=1)
        assert answered.wait(PATIENT)
        run.stop()
        gate.open()
        result = run.result(PATIENT)

    (open_one,) = result.outcomes
    assert open_one is not None
    assert open_one.kind is OutcomeKind.CANCELLED
    assert (open_one.calls, result.money.usage) == (1, result.usage)
    assert result.usage.total_tokens > 0


@pytest.mark.parametrize(
    ("run", "line"),
    [(None, "evaluate(program, resume=error.result)"), ("july", "run='july'")],
)
def test_ctrl_c_tells_what_was_measured_and_the_line_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str | None, line: str
) -> None:
    gate = Gate()
    gate.open(3)

    def interrupted(self: Run, *_args: object) -> None:
        eventually(lambda: self.journal.tally.accepted == 3)
        eventually(lambda: gate.began == 5)
        raise KeyboardInterrupt

    with dspex.Runtime(dspex.Config(persist=False, home=tmp_path)):
        evaluate = dspex.Evaluate(devset=rows(20), metric=right, concurrency=2)
        with monkeypatch.context() as patch:
            patch.setattr(Run, "wait", interrupted)
            with pytest.raises(EvaluationInterrupted) as caught:
                evaluate(gate, run=run)

        first = caught.value.result
        gate.open()
        whole = evaluate(gate, run=run, resume=None if run else first)

    assert "interrupted after 3 of 20 examples" in str(caught.value)
    assert line in str(caught.value)
    assert first.not_measured == {"cancelled": 2, "not begun": 15}
    assert whole.complete
    attempts = [outcome.stamp.attempt for outcome in whole.outcomes if outcome]
    # Which two of the first five were in hand is up to the threads.
    assert sorted(attempts[:5]) == [1, 1, 1, 2, 2]
    assert attempts[5:] == [1] * 15


def test_a_second_ctrl_c_abandons_the_run_and_still_tells_what_was_measured(
    runtime: dspex.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    gate.open(3)

    def first(self: Run, *_args: object) -> None:
        eventually(lambda: self.journal.tally.accepted == 3 and gate.began == 5)
        raise KeyboardInterrupt

    def second(self: Run) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "wait", first)
    monkeypatch.setattr(Run, "cancel", second)
    evaluate = dspex.Evaluate(devset=rows(20), metric=right, concurrency=2)

    with pytest.raises(EvaluationInterrupted, match="resume") as caught:
        evaluate(gate)

    result = caught.value.result
    assert len([o for o in result.outcomes if o is not None and o.is_settled]) == 3
    assert result.not_measured == {"cancelled": 2, "not begun": 15}
    eventually(lambda: "aggregator" not in str(runtime))
    gate.open()


def test_a_second_ctrl_c_loses_no_outcome_that_waits_to_be_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    gate.open(3)

    def first(self: Run, *_args: object) -> None:
        eventually(lambda: gate.began == 5)
        assert self.journal.tally.accepted == 0
        raise KeyboardInterrupt

    def second(self: Run) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dspex.evaluate.running.branch.GATHER_FOR", 3_600.0)
    monkeypatch.setattr(Run, "wait", first)
    monkeypatch.setattr(Run, "cancel", second)
    evaluate = dspex.Evaluate(devset=rows(20), metric=right, concurrency=2)

    with dspex.Runtime(dspex.Config(home=tmp_path)) as runtime:
        with pytest.raises(EvaluationInterrupted) as caught:
            evaluate(gate)
        eventually(lambda: "aggregator" not in str(runtime))
        gate.open()

    result = caught.value.result
    assert len([o for o in result.outcomes if o is not None and o.is_settled]) == 3
    assert result.not_measured == {"cancelled": 2, "not begun": 15}
