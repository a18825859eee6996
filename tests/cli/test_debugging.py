"""`dspex evaluate --debug`: a real process, a real pdb, a script for its keyboard."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dspex.cli.console import Exit
from dspex.testing import FakeProvider
from tests.docs.pages import ROOT

CODE = r"""
import threading

import dspex

ask = dspex.Predict("country -> capital")

def stops(country):
    answer = ask(country=country)
    breakpoint()
    return answer

def broken(country):
    return dspex.Prediction(capital=ask(country=country).capitol)

def thread(country):
    return dspex.Prediction(capital=threading.current_thread().name)
"""


@pytest.fixture
def command(tmp_path: Path, provider: FakeProvider, capitals: Path) -> list[str]:
    """What runs the command, up to the name of the program."""
    (tmp_path / "my_bugs.py").write_text(CODE)
    return [
        *(sys.executable, "-m", "dspex", "evaluate", "--debug"),
        *("--inputs", "country", "--metric", "exact_match:capital"),
        *("--model", "fake", "--api-base", provider.base_url),
        *("--data", str(capitals)),
    ]


def typed(
    command: list[str], folder: Path, keys: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own with this on its standard input."""
    return subprocess.run(
        command,
        cwd=folder,
        input=keys,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_breakpoint_of_the_program_stops_with_the_example_at_hand(
    command: list[str], tmp_path: Path
) -> None:
    keys = "p country\np answer.capital\nup\ncontinue\n"

    done = typed([*command, "my_bugs:stops", "--example", "1"], tmp_path, keys)

    assert done.returncode == 0, done.stderr
    # Up to Python 3.12 it is the line behind the breakpoint, then the breakpoint.
    assert "my_bugs.py(" in done.stdout
    assert "stops()" in done.stdout
    assert "(Pdb) 'China'" in done.stdout
    assert "(Pdb) 'Beijing'" in done.stdout
    assert "example 1: score 1" in done.stdout
    assert "call 1 of openai/fake by Predict(country -> capital)" in done.stdout


def test_a_breakpoint_has_the_terminal_for_itself(
    command: list[str], tmp_path: Path
) -> None:
    ours, its = pty.openpty()
    words = [*command, "my_bugs:stops", "--example", "3"]
    told: list[str] = []
    asked = threading.Event()

    def read() -> None:
        # Linux ends a terminal that nobody has open any more with an error.
        try:
            while piece := os.read(ours, 4096):
                told.append(piece.decode())
                if "(Pdb)" in "".join(told):
                    asked.set()
        except OSError:
            pass

    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    with subprocess.Popen(
        words, cwd=tmp_path, stdin=its, stdout=its, stderr=its, env=env
    ) as process:
        os.close(its)
        reader = threading.Thread(target=read)
        reader.start()
        assert asked.wait(60), told
        os.write(ours, b"p 'seen ' + country\ncontinue\n")
        code = process.wait(60)
        reader.join(60)
    os.close(ours)

    text = "".join(told).replace("\r\n", "\n")
    assert code == 0, text
    assert "'seen Denmark'" in text
    assert "example 3: score 0" in text


def test_leaving_the_debugger_ends_the_command_with_a_message(
    command: list[str], tmp_path: Path
) -> None:
    done = typed([*command, "my_bugs:stops", "--example", "0"], tmp_path, "quit\n")

    assert done.returncode == Exit.FAILED
    assert "the debugger was left at example 0" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_is_shown_with_the_users_own_traceback(
    command: list[str], tmp_path: Path
) -> None:
    done = typed([*command, "my_bugs:broken", "--example", "2"], tmp_path, "")

    assert done.returncode == Exit.FAILED
    assert 'my_bugs.py", line 14, in broken' in done.stderr
    assert "example 2 raised AttributeError" in done.stderr
    assert "mistake of dspex" not in done.stderr


def test_without_a_number_all_examples_go_through_the_main_thread(
    command: list[str], tmp_path: Path, provider: FakeProvider
) -> None:
    done = typed([*command, "my_bugs:thread"], tmp_path, "")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("capital: MainThread") == 4
    assert [f"example {n}: score 0" in done.stdout for n in range(4)] == [True] * 4


def test_an_example_that_is_not_there_is_usage(
    command: list[str], tmp_path: Path
) -> None:
    done = typed([*command, "my_bugs:thread", "--example", "4"], tmp_path, "")

    assert done.returncode == Exit.USAGE
    assert "Name one from 0 to 3" in done.stderr
