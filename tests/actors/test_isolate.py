"""Program and metric in real child processes, well-behaved and not."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core.errors import LMAuthError, WorkTimeoutError
from dspex.core.once import watch_unrepeatable
from dspex.evaluate.isolate.child_process import ChildDied
from dspex.evaluate.isolate.errand import Limits
from dspex.evaluate.isolate.process_workers import in_processes
from dspex.evaluate.working.worker import Measured, Work, WorkerDied, WorkFailed
from dspex.testing import WRONG_KEY, FakeProvider
from supervisors import Failed, Scope, Shutdown, within
from tests.actors import isolated_programs as programs
from tests.actors.lab import PATIENT, call, eventually
from tests.actors.rows import answer, rows
from tests.supervisors.actors.processes import is_gone, wait_until_gone

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime() as running:
        yield running


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer) as running:
        yield running


@pytest.fixture
def lm(provider: FakeProvider) -> Iterator[dspex.LM]:
    """A model in a runtime of its own, as its parts are not to outlive the test."""
    with dspex.Runtime():
        yield dspex.LM("openai/fake", api_base=provider.base_url)


@pytest.fixture(scope="module")
def work(runtime: dspex.Runtime) -> Iterator[Work]:
    """What serves most tests, as a child is used again until it dies."""
    with in_processes(programs.behave, programs.score) as working:
        yield working


@pytest.fixture
def mortal(runtime: dspex.Runtime) -> Iterator[Work]:
    """For tests in which a child dies."""
    with in_processes(programs.behave, programs.score) as working:
        yield working


def asked(question: str) -> dspex.Example:
    return dspex.Example(question=question, answer=question).with_inputs("question")


def failed(work: Work, question: str) -> WorkFailed:
    with pytest.raises(WorkFailed) as caught:
        work(asked(question))
    return caught.value


def died(work: Work, question: str) -> Any:
    with pytest.raises(WorkerDied) as caught:
        work(asked(question))
    return caught.value.reason


# What comes back.


def test_a_score_comes_back_with_the_prediction(work: Work) -> None:
    measured = work(asked("hello"))

    assert measured == Measured(score=1.0, prediction=dspex.Prediction(answer="hello"))


def test_an_error_of_the_program_comes_back_with_its_place(work: Work) -> None:
    error = failed(work, "zero")

    assert isinstance(error.error, ZeroDivisionError)
    assert (error.stage, error.told.type) == ("program", "ZeroDivisionError")
    assert "1 // 0" in error.told.where


def test_an_error_of_somebodys_own_keeps_its_name_and_text(work: Work) -> None:
    error = failed(work, "own error")

    assert (error.told.type, error.told.message) == ("OwnError", "of my own")


def test_an_error_of_the_metric_comes_with_the_prediction(work: Work) -> None:
    error = failed(work, "no such answer")

    assert (error.stage, error.told.type) == ("metric", "LookupError")
    assert error.prediction.answer == "no such answer"


def test_sys_exit_fails_its_example_only(work: Work) -> None:
    error = failed(work, "exit")

    assert (error.stage, error.told.type) == ("program", "SystemExit")
    assert work(asked("next")).score == 1.0


def test_what_is_printed_is_shown_and_breaks_nothing(
    work: Work, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = work(asked("prints"))

    shown = capsys.readouterr()
    assert measured.prediction.answer == "no input"
    assert shown.out.splitlines() == ['{"done": 1}', "no end of line"]
    assert shown.err == "beside\n"


# Deadlines and deaths.


@pytest.mark.parametrize(
    ("question", "function"), [("loop", "_loop"), ("regular expression", "_backtrack")]
)
def test_what_holds_the_interpreter_is_ended_at_its_deadline(
    runtime: dspex.Runtime, question: str, function: str
) -> None:
    limits = Limits(timeout=0.2)
    with in_processes(programs.behave, programs.right, limits) as work:
        error = failed(work, question)

        assert isinstance(error.error, WorkTimeoutError)
        assert "0.2 s" in error.told.message
        assert error.told.stage == "program"
        assert f"in {function}" in error.told.where


def test_a_program_that_is_given_up_leaves_no_process_behind(
    mortal: Work, capsys: pytest.CaptureFixture[str]
) -> None:
    printed: list[str] = []

    def family_has_begun() -> bool:
        printed.append(capsys.readouterr().out)
        return "\n" in "".join(printed)

    scope = Scope("an example")

    def give() -> Measured:
        with within(scope):
            return mortal(asked("family"))

    worker = call(give)
    eventually(family_has_begun)
    grandchild = int("".join(printed))
    assert not is_gone(grandchild)

    scope.cancel("its time is over")

    assert isinstance(worker.outcomes()[0], WorkerDied)
    assert wait_until_gone(grandchild)


def test_a_metric_has_a_deadline_of_its_own(runtime: dspex.Runtime) -> None:
    limits = Limits(timeout=PATIENT, metric_timeout=0.2)
    with in_processes(programs.behave, programs.score, limits) as work:
        error = failed(work, "metric waits")

    assert "metric was at work" in error.told.message
    assert "metric_timeout=" in error.told.message


def test_a_fault_in_c_costs_its_example_and_tells_where(mortal: Work) -> None:
    reason = died(mortal, "fault")

    assert isinstance(reason, Failed)
    assert isinstance(reason.term, ChildDied)
    assert reason.term.stage == "metric"
    assert "by SIGSEGV in the metric" in str(reason)
    assert "in score" in str(reason)
    assert mortal(asked("next")).score == 1.0


def test_a_process_that_ends_itself_tells_its_exit_code(mortal: Work) -> None:
    reason = died(mortal, "vanish")

    assert isinstance(reason, Failed)
    assert "with exit code 7 in the program" in str(reason)
    assert "no more of this" in str(reason)


def test_a_death_from_outside_is_not_the_examples_own(mortal: Work) -> None:
    reason = died(mortal, "outside")

    assert isinstance(reason, Shutdown)
    assert "by SIGKILL" in str(reason)


def test_what_must_not_run_again_is_known_when_the_process_dies(mortal: Work) -> None:
    with watch_unrepeatable() as begun:
        died(mortal, "unrepeatable")

    assert begun.names == ("send_mail",)


# Models.


def test_keys_stay_in_the_parent(
    runtime: dspex.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("OTHER_SETTING", "1")

    with in_processes(programs.behave, programs.right) as work:
        names = work(asked("environment")).prediction.answer.split()

    assert "OTHER_SETTING" in names
    assert "OPENAI_API_KEY" not in names


def test_calls_made_from_threads_wait_side_by_side(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    with (
        dspex.context(lm=lm),
        in_processes(programs.behave, programs.right) as work,
        dspex.track_usage() as usage,
    ):
        provider.pause()
        worker = call(lambda: work(asked("threads")))
        provider.wait_for_in_flight(3, PATIENT)
        provider.resume()
        measured = worker.outcomes()[0]

    assert measured.prediction.answer == "a0 a1 a2"
    assert usage.total()["openai/fake"].total_tokens > 0


def test_a_program_of_coroutines_is_awaited(lm: dspex.LM) -> None:
    with dspex.context(lm=lm), in_processes(programs.awaits, programs.right) as work:
        measured = work(asked("[[ ## question ## ]] q7"))

    assert "a7" in measured.prediction.answer


# A whole evaluation.


def evaluator(count: int, **options: Any) -> dspex.Evaluate:
    return dspex.Evaluate(
        devset=rows(count),
        metric=programs.right,
        isolate="process",
        display_progress=False,
        **options,
    )


def digest(result: dspex.EvaluationResult) -> list[tuple[Any, ...]]:
    return [
        (each.stamp.key, each.kind, each.score, each.prediction)
        for each in result.outcomes
        if each is not None
    ]


def test_four_processes_measure_what_threads_measure(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    program = programs.Asks("")
    with dspex.context(lm=lm):
        in_threads = dspex.Evaluate(
            devset=rows(200), metric=programs.right, display_progress=False
        )(program)
        asked_before = len(provider.bill)

        result = evaluator(200, concurrency=4)(program)

    assert result.score == 100.0
    assert digest(result) == digest(in_threads)
    # The answers of the first run are in the one cache.
    assert len(provider.bill) == asked_before == 200


def test_requests_of_children_carry_the_stamp_of_their_example(lm: dspex.LM) -> None:
    metric = functools.partial(programs.right)

    with dspex.context(lm=lm):
        result = evaluator(3, concurrency=2)(
            dspex.Predict("question -> answer"), metric
        )

    stamps = sorted(request.tags["example"] for request in result.requests.values())
    assert stamps == [0, 1, 2]
    assert result.calls == 3


async def evaluated_on_a_loop(lm: dspex.LM) -> dspex.EvaluationResult:
    with dspex.context(lm=lm):
        return await evaluator(3, concurrency=1).acall(programs.Asks("no "))


def test_on_a_loop_children_do_the_work_too(lm: dspex.LM) -> None:
    result = asyncio.run(evaluated_on_a_loop(lm))

    assert (result.score, result.n) == (0.0, 3)
    assert result.results[2][1].answer == "no a2"


def test_what_json_cannot_hold_comes_back_as_its_fields(work: Work) -> None:
    measured = work(asked("odd"))

    odd = measured.prediction.odd
    assert measured.score == 1.0
    assert odd.type_name.endswith("Odd")
    assert odd.inside == "kept"


def test_nothing_is_left_of_an_evaluation(runtime: dspex.Runtime) -> None:
    fds = open_files()
    evaluate = evaluator(2, concurrency=2)

    evaluate(programs.behave)

    # Those of an earlier test may have been open still.
    eventually(lambda: open_files() <= fds, "the closing of all descriptors")
    assert not children_of(os.getpid())
    # Threads are used again. How many are busy at one moment differs by a few, and one
    # that each evaluation left behind would show.
    after_first, more = threading.active_count(), 3
    for _ in range(more):
        evaluate(programs.behave)
    assert threading.active_count() < after_first + more


def open_files() -> int:
    folder = Path("/proc/self/fd") if Path("/proc/self").exists() else Path("/dev/fd")
    return sum(1 for _ in folder.iterdir())


def children_of(parent: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,command="],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return [
        int(pid)
        for pid, above, command in rows
        if int(above) == parent and "isolate.child" in command
    ]


KILLED = """
import os, signal, sys
import dspex
from tests.actors import isolated_programs as programs

def show(pid):
    print(pid, flush=True)

rows = [dspex.Example(question="holds", answer="").with_inputs("question")]
dspex.Evaluate(devset=rows, metric=programs.right, isolate="process")(programs.behave)
"""


def test_children_of_a_killed_evaluation_end_by_themselves(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", KILLED],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not is_gone(child)

        parent.kill()

        assert wait_until_gone(child)


SCRIPT = """
import dspex

def program(question):
    return dspex.Prediction(answer=question.upper())

class Right:
    def __init__(self, wanted):
        self.wanted = wanted

    def __call__(self, example, prediction, trace=None):
        return prediction.answer == self.wanted

rows = [dspex.Example(question="lima").with_inputs("question")]
evaluate = dspex.Evaluate(devset=rows, metric=Right("LIMA"), isolate="process")
"""


def run_script(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(source, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=PATIENT * 3,
        check=False,
    )


def test_what_stands_in_a_script_is_found_by_running_it_once_more(
    tmp_path: Path,
) -> None:
    done = run_script(
        tmp_path,
        f'{SCRIPT}\nif __name__ == "__main__":\n    print(evaluate(program).score)\n',
    )

    assert done.stdout == "100.0\n", done.stderr


def test_a_script_that_evaluates_wherever_it_is_run_is_told_so(tmp_path: Path) -> None:
    done = run_script(tmp_path, f"{SCRIPT}\nprint(evaluate(program).score)\n")

    assert done.stdout == ""
    assert 'if __name__ == "__main__"' in done.stderr


def test_a_wrong_key_ends_the_run_as_it_does_in_threads(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    provider.misbehave(WRONG_KEY)

    with dspex.context(lm=lm), pytest.raises(dspex.EvaluationError) as caught:
        evaluator(3, concurrency=1)(dspex.Predict("question -> answer"))

    outcome = caught.value.result.outcomes[0]
    assert isinstance(outcome.error.error, LMAuthError)
