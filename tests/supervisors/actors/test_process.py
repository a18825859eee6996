"""Real processes as supervised children: their start, their end, their restart."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from supervisors import (
    CannotRun,
    ChildSpec,
    Failed,
    Intensity,
    Killed,
    Normal,
    ProcessActor,
    ProcessEnded,
    ProcessSpec,
    Restart,
    Shutdown,
    StartError,
    Supervisor,
    output_of,
)
from supervisors._launch import launch
from supervisors.testing import Probe
from tests.supervisors.actors.parts import WAIT, Block, letting_go, running, until
from tests.supervisors.actors.processes import (
    DEAF,
    FAMILY,
    OBEYS,
    STUBBORN,
    Child,
    is_gone,
    spec,
    started,
    wait_until_gone,
)

CRASHES = """
import sys
print("ready 1", flush=True)
sys.stdin.readline()
print("about to fail", flush=True)
print("the cause", file=sys.stderr, flush=True)
sys.exit(3)
"""
FINISHES = """
import sys
print("ready 1", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def probe() -> Probe:
    return Probe()


both_ways = pytest.mark.parametrize(
    "watches_stdin", [False, True], ids=["guarded", "alone"]
)


@both_ways
def test_it_stops_when_its_input_closes(probe: Probe, watches_stdin: bool) -> None:
    ref, pid = started(OBEYS, probe, stdin_grace=WAIT, watches_stdin=watches_stdin)
    assert not is_gone(pid)
    assert ref.call("pid") == pid

    ref.shutdown()

    assert ref.wait(WAIT) == Shutdown()
    assert is_gone(pid)


@both_ways
def test_one_that_ignores_its_input_is_terminated(
    probe: Probe, watches_stdin: bool
) -> None:
    ref, pid = started(
        DEAF, probe, stdin_grace=0.05, term_grace=WAIT, watches_stdin=watches_stdin
    )

    ref.shutdown()

    assert ref.wait(WAIT / 2) == Shutdown()
    assert is_gone(pid)


@both_ways
def test_one_that_ignores_sigterm_as_well_is_killed_and_its_children_too(
    probe: Probe, watches_stdin: bool
) -> None:
    graces = {"stdin_grace": 0.05, "term_grace": 0.05}
    more = {**graces, "watches_stdin": watches_stdin}
    ref = Child.start(spec(FAMILY, **more), probe)
    grandchild, pid = probe.expect()

    ref.shutdown()

    assert ref.wait(WAIT) == Shutdown()
    assert is_gone(pid)
    assert wait_until_gone(int(grandchild))


@both_ways
def test_a_grandchild_does_not_outlive_a_process_that_ends_by_itself(
    probe: Probe, watches_stdin: bool
) -> None:
    ref = Child.start(spec(FAMILY, watches_stdin=watches_stdin), probe)
    grandchild, pid = probe.expect()

    os.kill(pid, signal.SIGKILL)

    assert isinstance(ref.wait(WAIT), Failed)
    assert wait_until_gone(int(grandchild))


@both_ways
def test_a_crash_is_the_actors_end_with_the_last_output(
    probe: Probe, watches_stdin: bool
) -> None:
    ref, _pid = started(CRASHES, probe, watches_stdin=watches_stdin)

    ref.cast("poke")

    reason = ref.wait(WAIT)
    assert isinstance(reason, Failed)
    ended = reason.term
    assert isinstance(ended, ProcessEnded)
    assert ended.returncode == 3
    assert set(ended.output) == {"ready 1", "about to fail", "the cause"}
    assert "its process ended with exit code 3, last saying: " in str(reason)


@both_ways
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_a_signal_is_named(probe: Probe, watches_stdin: bool, number: int) -> None:
    ref, pid = started(OBEYS, probe, watches_stdin=watches_stdin)

    os.kill(pid, number)

    reason = ref.wait(WAIT)
    assert reason == Failed(ProcessEnded(-number, ("ready 1",)))
    assert f"by signal {number:d}" in str(reason)


@both_ways
def test_exit_code_zero_is_an_orderly_end(probe: Probe, watches_stdin: bool) -> None:
    ref, _pid = started(FINISHES, probe, watches_stdin=watches_stdin)

    ref.cast("poke")

    assert ref.wait(WAIT) == Normal()


def test_a_transient_child_that_has_done_its_work_is_not_started_again(
    probe: Probe,
) -> None:
    child = ChildSpec(
        id="p",
        name="p",
        actor=Child,
        args=(spec(FINISHES), probe),
        restart=Restart.TRANSIENT,
    )
    with Supervisor.start([child]) as top:
        probe.expect()
        ref = top.which_children()[0].ref

        ref.cast("poke")

        assert ref.wait(WAIT) == Normal()
        until(lambda: top.which_children()[0].ref is None)
        probe.expect_nothing()


def test_it_is_started_again_by_its_supervisor(probe: Probe) -> None:
    child = ChildSpec(id="p", name="p", actor=Child, args=(spec(OBEYS), probe))
    with Supervisor.start([child], intensity=Intensity(max_restarts=10)) as top:
        _, first = probe.expect()
        os.kill(first, signal.SIGKILL)
        _, second = probe.expect()

        assert second != first
        assert top.registry.await_name("p", WAIT).call("pid") == second

    assert is_gone(first)
    assert is_gone(second)


@both_ways
def test_a_program_that_is_not_there_is_a_failed_start_that_says_so(
    tmp_path: Path, watches_stdin: bool
) -> None:
    missing = str(tmp_path / "missing")
    child = ProcessSpec(argv=(missing, "-x"), watches_stdin=watches_stdin)

    with pytest.raises(
        StartError, match=r"cannot be run .*; expected .*argv"
    ) as caught:
        ProcessActor.start(child)

    assert caught.value.reason == Failed(
        CannotRun(missing, "No such file or directory")
    )
    assert missing in str(caught.value)
    assert caught.value.__cause__ is not None
    assert isinstance(caught.value.__cause__.__cause__, FileNotFoundError)


@both_ways
def test_a_program_that_may_not_be_run_is_a_failed_start(
    tmp_path: Path, watches_stdin: bool
) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")

    with pytest.raises(StartError) as caught:
        ProcessActor.start(
            ProcessSpec(argv=(str(program),), watches_stdin=watches_stdin)
        )

    assert caught.value.reason == Failed(CannotRun(str(program), "Permission denied"))


@both_ways
@pytest.mark.parametrize("program", [OBEYS, STUBBORN])
def test_a_killed_actor_leaves_no_process(
    program: str, probe: Probe, watches_stdin: bool
) -> None:
    ref, pid = started(program, probe, watches_stdin=watches_stdin)

    ref.kill()

    assert ref.wait(0) == Killed()
    assert wait_until_gone(pid)


def test_an_actor_killed_inside_a_callback_leaves_no_process_and_no_zombie(
    probe: Probe,
) -> None:
    ref = Child.start(spec(FAMILY), probe)
    grandchild, pid = probe.expect()
    process = ref.call(lambda actor: actor._run.process)
    with letting_go(Block()) as block:
        ref.cast(block)
        block.inside()

        ref.kill()

        assert process.gone.wait(WAIT)
        assert wait_until_gone(pid)
        assert wait_until_gone(int(grandchild))


def test_an_actor_killed_while_it_stops_its_process_leaves_none(probe: Probe) -> None:
    ref, pid = started(STUBBORN, probe, stdin_grace=WAIT)
    ref.shutdown()
    assert ref.wait(0.05) is None

    ref.kill()

    assert wait_until_gone(pid)


@both_ways
def test_an_actor_killed_while_it_starts_its_process_leaves_none(
    monkeypatch: pytest.MonkeyPatch, probe: Probe, watches_stdin: bool
) -> None:
    pids: list[int] = []

    class Killing(subprocess.Popen[bytes]):
        """At this moment the process runs and its actor does not know it yet."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            pids.append(self.pid)
            child.actor_ref.kill()

    monkeypatch.setattr(subprocess, "Popen", Killing)
    child = Child(spec(STUBBORN, watches_stdin=watches_stdin), probe)

    with pytest.raises(StartError):
        launch(child, timeout=WAIT)

    assert wait_until_gone(pids[0])


def test_a_process_may_sleep_and_wake(probe: Probe) -> None:
    with running(Child, spec(OBEYS), probe) as ref:
        _, first = probe.expect()
        ref.call("start")
        ref.call("stop", timeout=WAIT)
        ref.call("stop")
        assert is_gone(first)
        assert ref.call("pid") is None

        ref.call("start")

        _, second = probe.expect()
        assert ref.call("pid") == second != first


def test_a_stranger_message_is_harmless(probe: Probe) -> None:
    ref, pid = started(OBEYS, probe)

    assert ref.call("what") is None

    assert ref.call("pid") == pid
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


@both_ways
def test_the_environment_is_the_one_given_and_never_shown(watches_stdin: bool) -> None:
    # Without a locale: Python, and so the guard, would set one for itself.
    environment = {"KEY": "s3cret", "PATH": os.environ["PATH"]}
    secret = ProcessSpec(argv=("env",), env=environment, watches_stdin=watches_stdin)

    ref = ProcessActor.start(secret)

    assert ref.wait(WAIT) == Normal()
    assert {line for line in output_of(ref) if not line.startswith("_=")} == {
        f"{name}={value}" for name, value in environment.items()
    }
    assert "s3cret" not in repr(secret)


@both_ways
def test_without_one_it_has_our_environment(
    monkeypatch: pytest.MonkeyPatch, watches_stdin: bool
) -> None:
    monkeypatch.setenv("OUR_OWN", "value")
    monkeypatch.delenv("LC_CTYPE", raising=False)

    ref = ProcessActor.start(
        ProcessSpec(argv=("env",), kept_lines=10_000, watches_stdin=watches_stdin)
    )

    assert ref.wait(WAIT) == Normal()
    names = {line.partition("=")[0] for line in output_of(ref)}
    assert "OUR_OWN" in names
    assert "LC_CTYPE" not in names


ECHOES = """
import os, sys
end = int(sys.argv[1])
os.write(end, os.read(end, 100))
"""


@both_ways
def test_it_has_the_descriptors_it_was_passed(
    probe: Probe, watches_stdin: bool
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        number = theirs.fileno()
        ref = Child.start(
            spec(
                ECHOES,
                str(number),
                ready=None,
                pass_fds=(number,),
                watches_stdin=watches_stdin,
            ),
            probe,
        )
        theirs.close()

        ours.sendall(b"there and back")

        assert ours.recv(100) == b"there and back"
        assert ref.wait(WAIT) == Normal()
