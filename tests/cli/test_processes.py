"""`dspex ps`, `tree`, `why`, `pause`, `resume`, `stop`: a process from another one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import dspex
from dspex.cli.console import Exit
from dspex.cli.processes import rows
from dspex.control import answers
from dspex.control.errors import RefusedError
from dspex.control.listener import Listener
from dspex.control.place import FOLDER, make_folder, new_name
from dspex.core.home import home
from tests.cli.conftest import Run

PROGRAM = """
import sys, threading
import dspex

began = threading.Event()

def hold(n):
    began.set()
    threading.Event().wait()

rows = dspex.load([{"n": n} for n in range(4)], inputs=["n"])
evaluate = dspex.Evaluate(devset=rows, metric=lambda *_: 1.0, concurrency=1)
run = evaluate.start(hold, run="first")
began.wait()
print("began", flush=True)
result = run.result()
print(result.complete, run.state, flush=True)
"""


@pytest.fixture
def other() -> Iterator[subprocess.Popen[str]]:
    """A process that is at work on the run `first`."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "began\n"
        yield process
        process.kill()


def said(run: Run, *words: str) -> str:
    """What a command that has nothing to complain of tells."""
    done = run(*words)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_a_process_is_looked_into_and_its_run_steered(
    run: Run, other: subprocess.Popen[str]
) -> None:
    (listed,) = json.loads(said(run, "ps", "--json"))
    tree, why = said(run, "tree"), said(run, "why", "first")
    paused, (live,) = (
        said(run, "pause", "first"),
        json.loads(said(run, "runs", "--json")),
    )
    resumed, running = said(run, "resume", "first"), said(run, "runs", "--live")
    wrong = run("stop", "second")
    stopped = said(run, "stop", "first", "--json")
    assert other.stdout is not None
    end = other.stdout.readline()

    assert (listed["pid"], listed["answers"]) == (other.pid, True)
    assert [each["run"] for each in listed["runs"]] == ["first"]
    assert "run first" in tree
    assert f"first in process {other.pid}, running: 0 of 4" in why
    assert "example 0: program running for" in why
    assert "paused: 0 of 4" in paused
    assert (live["state"], live["pid"]) == ("paused", other.pid)
    assert f"first in process {other.pid}" in resumed
    assert "paused" not in resumed
    assert running.splitlines()[1].split()[:2] == ["first", "evaluation"]
    assert wrong.exit_code == Exit.USAGE
    assert "at work are: 'first'" in wrong.stderr
    assert json.loads(stopped)["state"] in ("stopped", "ending")
    assert end == "False stopped\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["tree"], "no process with a dspex.Runtime runs"),
        (["tree", "--pid", "4711"], "there is no process 4711"),
        (["pause", "first"], "no run is at work"),
        (["stop", "first"], "no run is at work"),
        (["why", "first"], "no run is at work"),
    ],
)
def test_what_is_not_there_is_told(run: Run, words: list[str], told: str) -> None:
    done = run(*words)

    assert done.exit_code == Exit.USAGE
    assert told in done.stderr


def test_without_any_process_there_is_nothing_to_list(run: Run) -> None:
    assert run("ps").stdout == "no process with a runtime runs\n"
    assert json.loads(run("ps", "--json").stdout) == []
    assert json.loads(run("why", "--json").stdout) == []
    assert json.loads(run("runs", "--live", "--json").stdout) == []
    assert not home().exists()


def test_of_several_processes_one_has_to_be_named(run: Run) -> None:
    with dspex.Runtime():
        # As a second process would: a socket of its own in the same folder.
        make_folder(home() / FOLDER)
        second = Listener(home() / FOLDER / new_name())
        done = run("tree")
        second.close()

    assert done.exit_code == Exit.USAGE
    assert f"Say which, such as --pid {os.getpid()}" in done.stderr


def test_a_process_that_does_not_answer_is_listed_and_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dspex.control.asking.GREET_WITHIN", 0.05)
    go = threading.Event()
    monkeypatch.setattr(
        "dspex.control.listener.answer", lambda _connection: go.wait(60)
    )
    with dspex.Runtime():
        listed, asked = run("ps"), run("why", "first")
        all_of_it = [run("why"), run("runs", "--live"), run("why", "--json")]
        go.set()

    assert "does not answer" in listed.stdout
    assert f"process {os.getpid()}: the process at " in listed.stderr
    assert asked.exit_code == Exit.UNAVAILABLE
    for done in all_of_it:
        assert (done.exit_code, done.stdout) == (Exit.UNAVAILABLE, "")
        assert "did not answer within 0.05 s" in done.stderr


def test_a_process_that_does_not_say_what_it_works_on_hides_no_other(
    run: Run, other: subprocess.Popen[str]
) -> None:
    def unwilling(_arguments: object) -> object:
        raise RefusedError("busy", "8 questions are being answered.")

    with dspex.Runtime():
        before = answers._answers.get("runs")
        answers.register("runs", unwilling)
        live, why, stopped = run("runs", "--live"), run("why"), run("stop", "second")
        listed = json.loads(run("ps", "--json").stdout)
        answers._answers.pop("runs")
        if before is not None:
            answers.register("runs", before)

    for done in (live, why):
        assert done.exit_code == Exit.OK
        assert "first" in done.stdout
        assert f"process {os.getpid()}: 8 questions" in done.stderr
    assert stopped.exit_code == Exit.UNAVAILABLE
    told = {each["pid"]: (each["answers"], each["trouble"]) for each in listed}
    assert told == {
        other.pid: (True, None),
        os.getpid(): (False, "8 questions are being answered."),
    }


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("part_of_study", Exit.USAGE),
        ("no_such_run", Exit.USAGE),
        ("failed", Exit.FAILED),
    ],
)
def test_a_process_that_says_no_is_told_by_the_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, code: str, exit_code: Exit
) -> None:
    def refuse(_arguments: object) -> object:
        raise RefusedError(code, "It will not.")

    table = {"runs": lambda _arguments: [{"run": "first", "state": "running"}]}
    with dspex.Runtime():
        others = answers._answers | table | {"stop": refuse}
        monkeypatch.setattr(answers, "_answers", others)
        done = run("stop", "first")

    assert (done.exit_code, done.stderr) == (exit_code, "dspex: It will not.\n")


def test_columns_stand_below_one_another_also_with_wide_letters() -> None:
    told = rows([("pid", "program", "runs"), ("1", "首都.py", "-"), ("2", "a.py", "-")])

    # Two of the letters take two columns of a terminal each.
    assert told.splitlines() == [
        "pid  program  runs",
        "1    首都.py  -",
        "2    a.py     -",
    ]
