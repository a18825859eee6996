"""What is marked `retry=False` is begun once for each example, whatever dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core.once import watch_unrepeatable
from dspex.evaluate.results.outcome import OutcomeKind
from dspex.evaluate.results.result import EvaluationResult
from tests.actors import mailing
from tests.actors.lab import eventually

WITHIN = 10.0
"""Seconds after which a wait in these tests counts as a hang."""


class Mailer:
    """Sends mails that cannot be called back; it can be held up in the middle."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.sending = threading.Event()
        self.may_end = threading.Event()

    def tool(self, *, retry: bool = False) -> dspex.Tool:
        return dspex.Tool(self.send, retry=retry)

    def send(self, to: str) -> str:
        self.sent.append(to)
        self.sending.set()
        assert self.may_end.wait(WITHIN)
        return "sent"


class Sends(dspex.Program):
    def __init__(self, tool: dspex.Tool) -> None:
        super().__init__()
        self.tool = tool

    def forward(self, to: str) -> dspex.Prediction:
        return dspex.Prediction(answer=self.tool(to=to))


def right(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
    return bool(prediction.answer == "sent")


def evaluation(**options: Any) -> dspex.Evaluate:
    rows = [dspex.Example(to="ann").with_inputs("to")]
    return dspex.Evaluate(devset=rows, metric=right, display_progress=False, **options)


def evaluated_while_the_worker_is_killed(
    mailer: Mailer, program: dspex.Program
) -> EvaluationResult:
    with dspex.Runtime(dspex.Config(persist=False)) as runtime:

        def kill_worker() -> None:
            assert mailer.sending.wait(WITHIN)
            registry = runtime.start().registry
            [name] = [n for n in registry.names() if n.endswith("/workers")]
            supervisor = registry.resolve(name).life
            # A worker may be at work before its supervisor has written it down.
            eventually(lambda: bool(supervisor.children().statuses), "a worker")
            [status] = supervisor.children().statuses
            status.ref.kill()
            mailer.may_end.set()

        killer = threading.Thread(target=kill_worker)
        killer.start()
        result: EvaluationResult = evaluation()(program)
        killer.join(WITHIN)
        return result


def test_an_example_whose_worker_was_killed_is_not_begun_again() -> None:
    mailer = Mailer()

    result = evaluated_while_the_worker_is_killed(mailer, Sends(mailer.tool()))

    assert mailer.sent == ["ann"]
    [outcome] = result.outcomes
    assert outcome is not None
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert outcome.error is not None
    assert "'send'" in outcome.error.message
    assert "retry=False" in outcome.error.message


def test_what_may_be_run_again_is() -> None:
    mailer = Mailer()

    result = evaluated_while_the_worker_is_killed(
        mailer, Sends(mailer.tool(retry=True))
    )

    assert mailer.sent == ["ann", "ann"]
    assert result.score == 100.0


def test_a_resumed_evaluation_leaves_it_alone_and_says_it_is_not_complete() -> None:
    mailer = Mailer()
    program = Sends(mailer.tool())
    first = evaluated_while_the_worker_is_killed(mailer, program)

    with dspex.Runtime(dspex.Config(persist=False)):
        second = evaluation()(program, resume=first)

    assert mailer.sent == ["ann"]
    assert not second.complete
    assert second.outcomes == first.outcomes


def test_one_that_ran_out_of_time_is_left_alone_too() -> None:
    mailer = Mailer()
    program = Sends(mailer.tool())

    with dspex.Runtime(dspex.Config(persist=False)):
        first = evaluation(timeout=0.5)(program)
        mailer.may_end.set()
        evaluation()(program, resume=first)

    assert first.outcomes[0] is not None
    assert first.outcomes[0].kind is OutcomeKind.TIMEOUT
    assert mailer.sent == ["ann"]


class Slow(dspex.Program):
    """Takes its time before it sends."""

    def __init__(self, tool: dspex.Tool) -> None:
        super().__init__()
        self.tool = tool
        self.beginning = threading.Event()
        self.is_first = True
        self.first_may_send = threading.Event()
        self.first_is_done = threading.Event()

    def forward(self, to: str) -> dspex.Prediction:
        if not self.is_first:
            return dspex.Prediction(answer=self.tool(to=to))
        self.is_first = False
        self.beginning.set()
        assert self.first_may_send.wait(WITHIN)
        try:
            return dspex.Prediction(answer=self.tool(to=to))
        finally:
            self.first_is_done.set()


def test_a_worker_that_was_given_up_begins_nothing_of_that_kind() -> None:
    mailer = Mailer()
    mailer.may_end.set()
    program = Slow(mailer.tool())
    mailer.sending = program.beginning

    result = evaluated_while_the_worker_is_killed(mailer, program)
    program.first_may_send.set()
    assert program.first_is_done.wait(WITHIN)

    assert result.score == 100.0
    assert mailer.sent == ["ann"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_an_example_whose_process_was_killed_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "deadly").touch()

    killed = subprocess.run(
        [sys.executable, "-m", "tests.actors.mailing", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=60,
    )
    result = mailing.evaluated(tmp_path)

    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "mails").read_text().splitlines() == ["q0", "q1"]
    first, second = result.outcomes
    assert first is not None
    assert first.kind is OutcomeKind.INFRASTRUCTURE
    assert first.error is not None
    assert "'send'" in first.error.message
    assert second is not None
    assert second.kind is OutcomeKind.SCORED
    assert not result.complete


class Marked(Sends):
    """A whole program that is never run again."""

    retry = False


def test_a_marked_program_is_begun_once() -> None:
    mailer = Mailer()

    evaluated_while_the_worker_is_killed(mailer, Marked(mailer.tool(retry=True)))

    assert mailer.sent == ["ann"]


@pytest.mark.parametrize("retry", [True, False])
def test_a_program_says_when_it_begins_if_it_is_marked(retry: bool) -> None:
    mailer = Mailer()
    mailer.may_end.set()
    program = Sends(mailer.tool(retry=True))
    program.retry = retry

    with watch_unrepeatable() as begun:
        program(to="ann")

    assert begun.names == (() if retry else ("Sends",))
