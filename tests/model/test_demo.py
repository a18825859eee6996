"""The demo with the real model: whole, and while its server is killed."""

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
from click.testing import CliRunner

from dspex.cli.main import main

pytestmark = pytest.mark.model

PROC = Path("/proc")

LIMIT = 12


@pytest.mark.skipif(not PROC.is_dir(), reason="finds the server in /proc")
def test_the_demo_loses_nothing_when_its_server_is_killed_twice() -> None:
    command = [sys.executable, "-m", "dspex", "demo", "--json", "--limit", str(LIMIT)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        first = listening_server(demo, besides=set())
        os.kill(first, signal.SIGKILL)
        second = listening_server(demo, besides={first})
        os.kill(second, signal.SIGKILL)
        out, err = demo.communicate(timeout=120)

    assert demo.returncode == 0, err
    found = json.loads(out)
    assert found["restarts"] == 2
    assert [found[step]["n"] for step in ("before", "labeled", "after")] == [LIMIT] * 3
    # A death of the server is charged to nobody: each example has its score.
    assert found["labeled"]["failures"] == found["after"]["failures"] == 0
    assert found["labeled"]["score"] > found["before"]["score"]
    assert "Traceback" not in err
    assert [pid for pid in (first, second) if is_running(pid)] == []


def test_a_saved_program_answers_on_the_command_line(tmp_path: Path) -> None:
    saved = tmp_path / "capital.json"
    demo = CliRunner().invoke(main, ["demo", "--limit", "3", "--save", str(saved)])

    asked = ["predict", "country -> capital", "country=France", "--program", str(saved)]
    answered = CliRunner().invoke(main, asked)

    assert demo.exit_code == 0, demo.output
    assert "local/gemma-3-270m" in demo.stdout
    assert "model server" in demo.stdout
    assert answered.stdout == "capital: Paris\n"


def listening_server(demo: subprocess.Popen[str], *, besides: set[int]) -> int:
    """Wait for a model server that takes connections, and return its process id."""
    for _ in range(3_000):
        for pid in children_of(demo.pid):
            if pid not in besides and is_listening(pid):
                return pid
        try:
            demo.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"the demo ended before its server was up: {demo.communicate()}")
    pytest.fail("the model server was not up within a minute")


def children_of(pid: int) -> Iterator[int]:
    for status in PROC.glob("[0-9]*/stat"):
        fields = read(status).rpartition(")")[2].split()
        if fields and int(fields[1]) == pid:
            yield int(status.parent.name)


def is_listening(pid: int) -> bool:
    open_here = set()
    for descriptor in (PROC / str(pid) / "fd").glob("*"):
        try:
            open_here.add(str(descriptor.readlink()))
        except OSError:
            continue
    lines = [line.split() for line in read(PROC / "net/tcp").splitlines()[1:]]
    return any(line[3] == "0A" and f"socket:[{line[9]}]" in open_here for line in lines)


def is_running(pid: int) -> bool:
    fields: list[Any] = read(PROC / str(pid) / "stat").rpartition(")")[2].split()
    return bool(fields) and fields[0] != "Z"


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # the process ended meanwhile
