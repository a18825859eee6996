"""`dspex repl` in a real terminal: lines, Ctrl-C, TAB, Ctrl-D, with both consoles."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dspex.repl.consoles import _run_startup_file
from dspex.testing import FakeProvider, Hang, chat_answer
from tests.docs.pages import ROOT
from tests.repl.terminal import CTRL_C, CTRL_D, ENTER, PATIENCE, TAB, Terminal

PROGRAM = """
import dspex

program = dspex.Predict("country -> capital")
"""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda _: chat_answer(capital="Lima")) as started:
        yield started


def session(provider: FakeProvider, folder: Path, *options: str) -> Terminal:
    (folder / "my_code.py").write_text(PROGRAM)
    words = [sys.executable, "-m", "dspex", "repl", "my_code:program", *options]
    model = ["--model", "fake", "--api-base", provider.base_url]
    env = {
        "DSPEX_HOME": str(folder / "home"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "TERM": "xterm",
        "COLUMNS": "200",
    }
    return Terminal([*words, *model], folder, env)


SHAPE = (
    "shape = lambda: [(part.id, part.thread_id, part.restarts) "
    "for part in status().runtime.tree.walk()]"
)
"""Who runs, on which thread: another incarnation of a part would have another."""


def plain_prompt(_number: int) -> str:
    return ">>> "


def ipython_prompt(number: int) -> str:
    return f"In [{number}]: "


consoles = pytest.mark.parametrize(
    ("options", "prompt"),
    [(["--plain"], plain_prompt), ([], ipython_prompt)],
    ids=["plain", "ipython"],
)


@consoles
def test_ctrl_c_stops_the_work_and_ctrl_d_leaves_nothing(
    options: list[str],
    prompt: Callable[[int], str],
    provider: FakeProvider,
    tmp_path: Path,
) -> None:
    with session(provider, tmp_path, *options) as terminal:
        terminal.expect("LM('openai/fake')")

        terminal.expect(prompt(1))
        terminal.type(f"answer = program(country='Peru'){ENTER}")
        terminal.expect(prompt(2))
        terminal.type(f"answer.cap{TAB}")
        terminal.expect("answer.capital")
        terminal.type(f" + ' is it'{ENTER}")
        terminal.expect("'Lima is it'")

        terminal.expect(prompt(3))
        terminal.type(f"{SHAPE}{ENTER}")
        terminal.expect(prompt(4))
        terminal.type(f"before = shape(){ENTER}")
        terminal.expect(prompt(5))
        provider.misbehave(Hang())
        terminal.type(f"program(country='Chile'){ENTER}")
        provider.wait_for_in_flight(1, PATIENCE)
        terminal.type(CTRL_C)
        terminal.expect("KeyboardInterrupt")
        provider.wait_for_idle(PATIENCE)
        terminal.expect(prompt(6))
        terminal.type(f"'the tree is ' + str(shape() == before){ENTER}")
        terminal.expect("'the tree is True'")

        provider.behave()
        terminal.expect(prompt(7))
        terminal.type(f"'now ' + program(country='Chile').capital{ENTER}")
        terminal.expect("'now Lima'")
        terminal.expect(prompt(8))
        terminal.type(CTRL_D)
        last = terminal.rest()

    assert terminal.process.returncode == 0, last
    assert "Error" not in last
    assert processes_of_session(terminal.process.pid) == []
    assert files_below(tmp_path / "home") == ["cache/answers-1.db"]


WORK = {
    "Evaluate(devset=rows, metric=len)(program)": "EvaluationInterrupted",
    "program.batch(rows)": "BatchInterrupted",
    "list(dspex.settings.lm.stream('hi'))": "KeyboardInterrupt",
    "dspex.COPRO(metric=len).compile(program, trainset=rows)": "EvaluationInterrupted",
}
AWAITED = {
    "await program.acall(country='Chile')": "CancelledError",
    "[chunk async for chunk in dspex.settings.lm.astream('hi')]": "CancelledError",
    "await Evaluate(devset=rows, metric=len).acall(program)": "CancelledError",
}
"""Work that a person stops, and what the console says then."""


@consoles
def test_ctrl_c_withdraws_the_calls_of_whatever_works(
    options: list[str],
    prompt: Callable[[int], str],
    provider: FakeProvider,
    tmp_path: Path,
) -> None:
    rows = "rows = [Example(country=c).with_inputs('country') for c in 'abc']"
    work = WORK if options else {**WORK, **AWAITED}
    provider.misbehave(Hang(), times=1_000)

    with session(provider, tmp_path, *options) as terminal:
        terminal.expect(prompt(1))
        terminal.type(f"{rows}{ENTER}")
        for number, (line, said) in enumerate(work.items(), start=2):
            terminal.expect(prompt(number))
            terminal.type(f"{line}{ENTER}")
            provider.wait_for_in_flight(1, PATIENCE)
            terminal.type(CTRL_C)
            terminal.expect(said)
            provider.wait_for_idle(PATIENCE)
        terminal.expect(prompt(2 + len(work)))
        terminal.type(f"print(status()){ENTER}")
        terminal.expect("0 restarts")
        assert "batch" not in terminal.expect("0 open calls")
        terminal.expect(prompt(3 + len(work)))
        terminal.type(CTRL_D)
        last = terminal.rest()

    assert terminal.process.returncode == 0, last
    assert [
        name
        for name in files_below(tmp_path / "home")
        if name.endswith(("-wal", ".log"))
    ] == []


@consoles
@pytest.mark.parametrize(
    ("where", "number"),
    [("at the prompt", signal.SIGTERM), ("in a call", signal.SIGHUP)],
)
def test_a_session_that_is_told_to_end_leaves_nothing(
    where: str,
    number: signal.Signals,
    options: list[str],
    prompt: Callable[[int], str],
    provider: FakeProvider,
    tmp_path: Path,
) -> None:
    with session(provider, tmp_path, *options) as terminal:
        terminal.expect(prompt(1))
        terminal.type(f"program(country='Peru'){ENTER}")
        terminal.expect(prompt(2))
        if where == "in a call":
            provider.misbehave(Hang())
            terminal.type(f"program(country='Chile'){ENTER}")
            provider.wait_for_in_flight(1, PATIENCE)
        # Closing a window tells it twice: the shell does, and the terminal.
        terminal.process.send_signal(number)
        terminal.process.send_signal(number)
        # One that comes just before readline waits is noted, and wakes nobody.
        terminal.type(ENTER)
        last = terminal.rest()
        is_as_before = terminal.is_as_before()

    assert terminal.process.returncode == 128 + number, last
    assert is_as_before
    assert processes_of_session(terminal.process.pid) == []
    assert files_below(tmp_path / "home") == ["cache/answers-1.db"]
    provider.wait_for_idle(PATIENCE)


@consoles
def test_a_run_that_goes_on_is_ended_in_order_with_its_session(
    options: list[str],
    prompt: Callable[[int], str],
    provider: FakeProvider,
    tmp_path: Path,
) -> None:
    start = "run = Evaluate(devset=rows, metric=len, run='mine').start(program)"
    rows = "rows = [Example(country=c).with_inputs('country') for c in 'abc']"
    provider.misbehave(Hang(), times=3)

    with session(provider, tmp_path, *options) as terminal:
        terminal.expect(prompt(1))
        terminal.type(f"{rows}{ENTER}")
        terminal.expect(prompt(2))
        terminal.type(f"{start}{ENTER}")
        provider.wait_for_in_flight(3, PATIENCE)
        terminal.expect(prompt(3))
        terminal.type(f"run{ENTER}")
        terminal.expect("<EvaluationRun mine: running, 0 of 3>")
        terminal.expect(prompt(4))
        terminal.type(CTRL_D)
        last = terminal.rest()

    assert terminal.process.returncode == 0, last
    assert "Error" not in last
    # No announcements of requests whose fate is not known, no half of a database.
    assert files_below(tmp_path / "home") == ["runs/mine.sqlite"]


def processes_of_session(leader: int) -> list[int]:
    """The processes that still are in a terminal's session, whatever their group."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,sess="], capture_output=True, text=True, check=True
    )
    pairs = [map(int, line.split()) for line in listed.stdout.splitlines()]
    return [pid for pid, session_id in pairs if session_id == leader]


def files_below(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir()
    )


@pytest.mark.parametrize("options", [["--plain"], []], ids=["plain", "any"])
def test_lines_from_a_pipe_are_run_and_only_what_they_print_is_the_output(
    options: list[str], provider: FakeProvider, tmp_path: Path
) -> None:
    (tmp_path / "my_code.py").write_text(PROGRAM)
    words = [sys.executable, "-m", "dspex", "repl", "my_code:program", *options]
    lines = "for n in range(2):\n    print(n)\n\n1 / 0\nprogram(country='Peru')\n"

    done = subprocess.run(
        [*words, "--model", "fake", "--api-base", provider.base_url],
        input=lines,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DSPEX_HOME": str(tmp_path / "h")},
    )

    assert done.stdout == "0\n1\nPrediction(capital='Lima')\n"
    assert "ZeroDivisionError" in done.stderr
    assert done.returncode == 0


def test_the_users_startup_file_is_run_first_whatever_is_wrong_with_it(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = tmp_path / "startup.py"
    startup.write_text("mine = 20 + 1\nraise OSError('no history')\n")
    monkeypatch.setenv("PYTHONSTARTUP", str(startup))

    with session(provider, tmp_path, "--plain") as terminal:
        terminal.expect("no history")
        terminal.expect(">>> ")
        terminal.type(f"mine * 2{ENTER}")
        terminal.expect("42")
        terminal.expect(">>> ")
        terminal.type(CTRL_D)
        terminal.rest()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"a = (1,\n", "in the middle of a statement"),
        (b"1 +\n", "invalid syntax"),
        (b"\xff", "can't decode"),
        (None, "No such file"),
    ],
)
def test_a_startup_file_that_cannot_be_run_is_told(
    text: bytes | None,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    startup = tmp_path / "startup.py"
    if text is not None:
        startup.write_bytes(text)
    monkeypatch.setenv("PYTHONSTARTUP", str(startup))

    _run_startup_file({})

    assert told in capsys.readouterr().err
