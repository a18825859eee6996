"""`dspex top`: its screen, line for line, and the command in a real terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dspex.cli.looks import Look, screen
from dspex.cli.processes import RunThere, Seen
from dspex.control.asking import Process
from dspex.core.home import home
from tests.cli.conftest import Run
from tests.repl.terminal import CTRL_C, CTRL_Z, Terminal

AT_WORK = """
import sys, threading
import dspex

held = threading.Event()

def work(n):
    if n >= 3:
        held.wait()

rows = dspex.load([{"n": n} for n in range(6)], inputs=["n"])
evaluate = dspex.Evaluate(devset=rows, metric=lambda *_: 1.0, concurrency=3)
run = evaluate.start(work, run="first")
while run.tally.accepted < 3:
    threading.Event().wait(0.01)
print("begun", flush=True)
sys.stdin.read()
held.set()
"""


@pytest.fixture
def at_work() -> Iterator[subprocess.Popen[str]]:
    """A process that has done three of the six examples of `first`."""
    with subprocess.Popen(
        [sys.executable, "-c", AT_WORK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield process


# The screen.


def process(facts: dict[str, Any] | None = None) -> Process:
    told = {"program": "serve", "since": 900.0, "threads": 7}
    return Process(pid=4711, path=Path("/x/4711"), facts={**told, **(facts or {})})


def run_there(**facts: Any) -> RunThere:
    told = {"run": "first", "kind": "evaluation", "state": "running"}
    return RunThere(process=process(), facts={**told, **facts})


def node(name: str, *children: Any, **facts: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "restarts": 0,
        "history": [],
        "mailbox": 0,
        "oldest_for": None,
        "in_hand": None,
        "in_hand_for": None,
        "children": children,
        **facts,
    }


def lines(look: Look, *before: Look) -> list[str]:
    return list(screen([look], before, wall=1000.0))


def test_a_process_is_told_with_what_was_restarted_last() -> None:
    old, new = (
        {"child_id": name, "seconds_ago": ago, "reason": "killed"}
        for name, ago in (("store", 70.0), ("client", 4.0))
    )
    tree = node("dspex", node("cache", history=[old], restarts=2), history=[new])
    tree["restarts"] = 1

    (told,) = lines(Look(process=process(), at=1.0, trees=[tree]))
    assert told == (
        "4711 serve, for 1 min 40 s, 2 actors, 7 threads, 3 restarts, the last of "
        "client 4.0 s ago"
    )


def test_what_a_run_does_in_a_second_is_told_from_the_second_look_on() -> None:
    done = {"progress": "{} of 40", "total": 40}
    early = run_there(**{**done, "progress": "10 of 40"}, outcomes=10)
    late = run_there(**{**done, "progress": "16 of 40"}, outcomes=16)
    before = Look(process=process(), at=1.0, runs=[early])
    now = Look(process=process(), at=5.0, runs=[late])

    assert lines(before)[1] == "  first  evaluation  running  ███░░░░░░░░░  10 of 40"
    assert lines(now, before)[1] == (
        "  first  evaluation  running  █████░░░░░░░  16 of 40  1.5 a second"
    )


def test_a_stream_without_an_end_has_no_bar() -> None:
    endless = run_there(outcomes=7, total=None, progress="7")

    look = Look(process=process(), at=1.0, runs=[endless])

    assert lines(look)[1].split() == ["first", "evaluation", "running", "7"]


def test_a_provider_is_told_with_what_its_calls_wait_for() -> None:
    breaker = {"model": "gpt-4o", "open_for": 3.0, "retry_in": 12.0}
    waits = {"answer": 2, "breaker": 3, "new_cause": 1}
    told = {"provider": "openai", "calls": 6, "held_by": waits, "breakers": [breaker]}

    assert lines(Look(process=process(), at=1.0, providers=[told]))[1:] == [
        "  openai: 6 calls: 2 out, 3 wait at an open breaker, 1 wait new_cause",
        "    the breaker of gpt-4o is open, next try in 12.0 s",
    ]


def test_the_actors_that_keep_a_message_longest_are_told() -> None:
    brief = node("brief", in_hand="Get", in_hand_for=0.1, mailbox=3, oldest_for=0.1)
    nodes = [
        node(f"slow-{n}", in_hand="Put", in_hand_for=float(n), mailbox=n)
        for n in range(1, 5)
    ]
    full = node("full", mailbox=1, oldest_for=9.0)
    look = Look(process=process(), at=1.0, trees=[node("dspex", brief, *nodes, full)])

    assert lines(look)[1:] == [
        "  full: 1 message waiting",
        "  slow-4: at Put for 4.0 s, 4 messages waiting",
        "  slow-3: at Put for 3.0 s, 3 messages waiting",
    ]
    assert [each["actor"] for each in look.plain()["busy"]] == [
        "full",
        *(f"slow-{n}" for n in range(4, 0, -1)),
    ]


def test_who_does_not_answer_is_told() -> None:
    stopped = Process(pid=12, path=Path("/x/12"), facts=None, trouble="it is stopped")

    told = list(
        screen(
            [
                Look(process=stopped, at=1.0),
                Look(process=process(), at=1.0, silent=["client"]),
            ],
            [],
            wall=1000.0,
        )
    )

    assert told[0] == "12 does not answer: it is stopped"
    assert told[1] == ""
    assert told[3] == "  client did not answer"
    assert list(screen([], [], wall=0.0)) == ["no process with a runtime runs"]


def test_the_work_of_a_process_is_its_own_without_the_parts_of_studies() -> None:
    other = Process(pid=12, path=Path("/x/12"), facts={})
    study, part = run_there(part_of=None), run_there(part_of="first")
    elsewhere = RunThere(process=other, facts={"run": "far", "part_of": None})

    seen = Seen(processes=[process(), other], runs=[study, part, elsewhere])

    assert seen.work_of(process()) == [study]


# The command.


def test_one_look_where_there_is_no_terminal(
    run: Run, at_work: subprocess.Popen[str]
) -> None:
    told = run("top").stdout.splitlines()

    assert told[0].startswith(f"{at_work.pid} ")
    assert told[1].split()[:4] == ["first", "evaluation", "running", "██████░░░░░░"]
    assert sum(line.startswith(f"{at_work.pid} ") for line in told) == 1


def test_each_look_is_a_line_of_json(run: Run, at_work: subprocess.Popen[str]) -> None:
    told = run("top", "--json", "--looks", 2, "--every", "0s").stdout.splitlines()

    looks = [json.loads(line) for line in told]
    assert [[each["pid"] for each in look] for look in looks] == 2 * [[at_work.pid]]
    assert looks[0][0]["runs"][0]["run"] == "first"
    assert looks[0][0]["actors"] > 5


def in_a_terminal(folder: Path, *words: str) -> Terminal:
    env = {"DSPEX_HOME": str(home()), "TERM": "xterm", "COLUMNS": "120", "LINES": "20"}
    return Terminal([sys.executable, *words], folder, env)


@pytest.mark.parametrize("key", ["q", CTRL_C], ids=["q", "ctrl-c"])
def test_a_terminal_is_looked_at_again_and_again_and_left_as_it_was(
    key: str, at_work: subprocess.Popen[str], tmp_path: Path
) -> None:
    words = ("-m", "dspex", "top", "--every", "0.1s")
    with in_a_terminal(tmp_path, *words) as terminal:
        terminal.expect(f"{at_work.pid} ")
        terminal.expect("0.0 a second")
        assert at_work.stdin is not None
        at_work.stdin.close()
        terminal.expect("no process with a runtime runs")
        assert not terminal.is_as_before()
        terminal.type(key)
        terminal.rest()
        assert terminal.is_as_before()
        raw = terminal.raw

    assert terminal.process.returncode == 0
    # The other screen is taken once and given back, and the cursor shows again.
    assert raw.count(b"\x1b[?1049h") == raw.count(b"\x1b[?1049l") == 1
    assert raw.rfind(b"\x1b[?25h") > raw.rfind(b"\x1b[?25l")


def test_a_terminal_without_rich_is_told_what_to_install(tmp_path: Path) -> None:
    without = "import sys; sys.modules['rich.live'] = None; "
    words = ("-c", f"{without}from dspex.cli.main import main; main(['top'])")
    with in_a_terminal(tmp_path, *words) as terminal:
        told = terminal.rest()

    assert "pip install 'dspex[rich]'" in told
    assert terminal.process.returncode == os.EX_CONFIG


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_is_as_before_when_it_is_told_to_end(
    number: signal.Signals, tmp_path: Path
) -> None:
    with in_a_terminal(tmp_path, "-m", "dspex", "top") as terminal:
        terminal.expect("no process with a runtime runs")
        terminal.process.send_signal(number)
        terminal.rest()
        assert terminal.is_as_before()
        raw = terminal.raw

    assert terminal.process.returncode == 128 + number
    assert raw.count(b"\x1b[?1049h") == raw.count(b"\x1b[?1049l") == 1
    assert raw.rfind(b"\x1b[?25h") > raw.rfind(b"\x1b[?25l")


def test_one_look_where_the_terminal_cannot_draw(tmp_path: Path) -> None:
    env = {"DSPEX_HOME": str(home()), "TERM": "dumb"}
    words = [sys.executable, "-m", "dspex", "top"]
    with Terminal(words, tmp_path, env) as terminal:
        told = terminal.rest()

    assert told == "no process with a runtime runs\n"


def test_ctrl_z_gives_the_screen_back_and_it_is_taken_again(tmp_path: Path) -> None:
    with in_a_terminal(tmp_path, "-m", "dspex", "top", "--every", "1h") as terminal:
        terminal.expect("no process with a runtime runs")
        # Nobody is there to go on with a program that leads its session, so it is not
        # stopped, and goes on at once.
        terminal.type(CTRL_Z)
        terminal.expect("no process with a runtime runs")
        terminal.type("q")
        terminal.rest()
        assert terminal.is_as_before()
        raw = terminal.raw

    assert raw.count(b"\x1b[?1049h") == raw.count(b"\x1b[?1049l") == 2
    assert terminal.process.returncode == 0
