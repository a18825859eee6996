"""What a process writes: kept within a bound, and never able to hurt."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from supervisors import (
    Failed,
    Normal,
    ProcessActor,
    ProcessEnded,
    Shutdown,
    _output,
    _running,
    output_of,
)
from supervisors.testing import Probe
from tests.supervisors.actors.parts import WAIT, Block, Scripted, letting_go, running
from tests.supervisors.actors.processes import Child, spec, started, wait_until_gone

LOUD = """
import sys
for number in range(20_000):
    print("line", number)
    print("error", number, file=sys.stderr)
print("x" * 200_000)
print("ready 1", flush=True)
sys.stdin.read()
"""
RUBBISH = """
import os, sys
os.write(1, bytes(range(256)) * 300)
os.write(2, b"\\xff\\xfe\\x00" * 1_000)
print("\\nready 1", flush=True)
sys.stdin.read()
"""
WITHOUT_END = """
import os
os.write(1, b"x" * 150_000 + b"y")
"""
LEAVES_ONE = """
import os, sys
parent = os.getpid()
if os.fork():
    sys.stdin.readline()
    sys.exit(3)
os.setsid()
print("ready", os.getpid(), flush=True)
sys.stdin.readline()
print("the cause", flush=True)
sys.stdin.read()
"""
"""The child of this program leaves the group and keeps all its pipes.

Each of the two ends, or goes on, with a line of input.
"""


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
def runaway(probe: Probe) -> Iterator[tuple[Any, int, int]]:
    """An actor, its process, and the one that has run away from it."""
    ref = Child.start(spec(LEAVES_ONE), probe)
    away, pid = probe.expect()
    yield ref, pid, int(away)
    os.kill(int(away), signal.SIGKILL)
    assert wait_until_gone(int(away))


def test_a_flood_is_read_and_its_end_is_kept(probe: Probe) -> None:
    ref, _pid = started(LOUD, probe, kept_lines=50, kept_bytes=10_000)

    output = output_of(ref)

    assert len(output) <= 50
    assert sum(map(len, output)) <= 10_000
    assert "ready 1" in output
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


def test_a_flood_before_it_is_ready_does_not_fill_the_mailbox(probe: Probe) -> None:
    lines = Probe()

    def ready(line: str) -> bool:
        if line.startswith("ready"):
            lines(line)
            return True
        return False

    loud = spec(LOUD, ready=ready, started_when="running")
    ref = Child.start(loud, probe)
    with letting_go(Block()) as block:
        ref.cast(block)
        block.inside()
        assert lines.expect() == "ready 1"

        waiting = len(ref.life.inbox)

    assert waiting <= 1
    assert probe.expect()[0] is True
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


def test_output_can_be_read_while_the_actor_is_stuck_and_after_its_end(
    probe: Probe,
) -> None:
    ref, _pid = started("print('ready 1', flush=True); input()", probe)
    with letting_go(Block()) as block:
        ref.cast(block)
        block.inside()

        assert output_of(ref) == ("ready 1",)

    ref.cast("poke")
    assert ref.wait(WAIT) == Normal()
    assert output_of(ref) == ("ready 1",)


def test_what_it_says_while_it_is_stopped_is_kept(probe: Probe) -> None:
    farewell = "import sys; print('ready 1', flush=True); sys.stdin.read();"
    ref, _pid = started(farewell + "print('bye')", probe, stdin_grace=WAIT)

    ref.shutdown()

    assert ref.wait(WAIT) == Shutdown()
    assert output_of(ref) == ("ready 1", "bye")


def test_an_actor_without_a_process_has_no_output() -> None:
    with running(Scripted) as ref:
        assert output_of(ref) == ()


def test_rubbish_is_kept_as_well_as_text_can() -> None:
    ref = ProcessActor.start(spec(RUBBISH))

    assert "�" in "".join(output_of(ref))
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


def test_a_line_without_end_is_cut_and_its_last_part_is_kept() -> None:
    ref = ProcessActor.start(spec(WITHOUT_END, ready=None, kept_bytes=200_000))

    assert ref.wait(WAIT) == Normal()
    output = output_of(ref)
    assert max(map(len, output)) == _output.LONGEST_LINE
    assert "".join(output) == "x" * 150_000 + "y"


def test_the_last_output_is_waited_for(
    runaway: tuple[Any, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_running, "TAIL_PATIENCE", WAIT)
    ref, pid, away = runaway
    os.kill(pid, signal.SIGTERM)
    assert wait_until_gone(pid)
    assert ref.wait(0.05) is None

    ref.cast("poke")
    while "the cause" not in output_of(ref):
        assert ref.wait(0.01) is None
    os.kill(away, signal.SIGKILL)

    reason = ref.wait(WAIT)
    ready = f"ready {away}"
    assert reason == Failed(ProcessEnded(-signal.SIGTERM, (ready, "the cause")))


def test_one_that_left_the_group_and_holds_the_pipes_does_not_hold_up_the_end(
    runaway: tuple[Any, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_running, "TAIL_PATIENCE", 0.05)
    ref, pid, _away = runaway
    process = ref.call(lambda actor: actor._run.process)

    os.kill(pid, signal.SIGTERM)

    reason = ref.wait(WAIT)
    assert isinstance(reason, Failed)
    assert reason.term.returncode == -signal.SIGTERM
    assert process._process.stdout.closed
    assert process._process.stderr.closed
