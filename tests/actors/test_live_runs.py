"""What a process is at work on: seen and steered by whoever did not begin it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.evaluate.running.live import LiveRun, live_runs
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.running.why import Cause
from tests.actors.lab import call, eventually
from tests.actors.rows import right, rows


def known(question: str) -> dspex.Prediction:
    return dspex.Prediction(answer=question.replace("q", "a"))


class Held:
    """A program that waits until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go = threading.Event()

    def __call__(self, question: str) -> dspex.Prediction:
        self.began.set()
        assert self.go.wait(30)
        return known(question)


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as runtime:
        yield runtime


@pytest.fixture
def held() -> Iterator[Held]:
    program = Held()
    yield program
    program.go.set()


def evaluate(count: int = 6, **options: Any) -> dspex.Evaluate:
    return dspex.Evaluate(devset=rows(count), metric=right, concurrency=2, **options)


def the_run() -> LiveRun:
    (run,) = live_runs()
    return run


def test_a_run_is_there_from_its_beginning_to_its_end(
    runtime: dspex.Runtime, held: Held
) -> None:
    assert live_runs() == ()
    with evaluate().start(held) as begun:
        held.began.wait(30)

        run = the_run()

        assert (run.name, run.kind, run.part_of) == (begun.name, "evaluation", None)
        assert (run.state, run.progress, run.total) == ("running", "0 of 6", 6)
        held.go.set()
        begun.result(30)
        assert live_runs() == ()


def test_a_program_finds_the_run_that_called_it(runtime: dspex.Runtime) -> None:
    seen: list[int] = []

    def program(question: str) -> dspex.Prediction:
        seen.append(len(live_runs()))
        return known(question)

    for _ in range(10):
        evaluate(2)(program)

    assert seen == [1] * 20


def test_an_evaluation_that_its_caller_waits_for_is_stopped_from_outside(
    runtime: dspex.Runtime, held: Held
) -> None:
    caller = call(lambda: evaluate()(held))
    assert held.began.wait(30)

    run = the_run()
    assert run.stop(30)

    (result,) = caller.outcomes()
    assert (result.complete, result.n) == (False, 6)
    assert live_runs() == ()


def test_a_run_counts_as_stopped_when_its_record_is_free(
    held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_close, close = threading.Event(), Recording.close

    def close_later(recording: Recording, *facts: Any) -> None:
        may_close.wait(30)
        close(recording, *facts)

    monkeypatch.setattr(Recording, "close", close_later)
    with dspex.Runtime(dspex.Config(home=tmp_path)), evaluate().start(held):
        held.began.wait(30)
        run = the_run()

        stopped_early = run.stop(0.05)
        may_close.set()

        assert not stopped_early
        assert run.stop(30)


def test_an_evaluation_in_a_coroutine_is_paused_and_resumed_from_outside(
    runtime: dspex.Runtime,
) -> None:
    go = threading.Event()
    began: list[str] = []

    async def program(question: str) -> dspex.Prediction:
        began.append(question)
        while not go.is_set():
            await asyncio.sleep(0)
        return known(question)

    caller = call(lambda: asyncio.run(evaluate().acall(program)))
    eventually(lambda: len(began) == 2)
    run = the_run()

    run.pause()
    go.set()
    eventually(lambda: run.tally.accepted == 2)
    assert run.state == "paused"
    assert {each.cause for each in run.why().waiting} == {Cause.PAUSED}
    run.resume()

    (result,) = caller.outcomes()
    assert result.complete


def test_why_names_the_coordinator_that_does_not_answer_and_tells_the_rest(
    runtime: dspex.Runtime, held: Held
) -> None:
    with evaluate().start(held) as begun:
        held.began.wait(30)
        stuck = f"run {begun.name}/coordinator"
        coordinator = runtime.handle(stuck)._resolved()
        coordinator.suspend()

        try:
            told = the_run().why(timeout=0.01)
        finally:
            # Else the end of the run would wait for it.
            coordinator.resume()

        assert told.silent == (stuck,)
        assert Cause.PROGRAM in {each.cause for each in told.waiting}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a forked child is needed")
def test_what_the_parent_works_on_is_not_the_childs(
    runtime: dspex.Runtime, held: Held
) -> None:
    with evaluate().start(held):
        child = os.fork()
        if not child:
            os._exit(len(live_runs()))

        assert os.waitpid(child, 0)[1] == 0
        assert len(live_runs()) == 1
