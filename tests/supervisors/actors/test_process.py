"""Real processes as supervised children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisors import (
    ChildSpec,
    Events,
    Failed,
    Intensity,
    Killed,
    ProcessActor,
    ProcessSpec,
    Ref,
    Registry,
    Shutdown,
    StartError,
    Supervisor,
    Surroundings,
    process,
)
from supervisors._launch import launch
from supervisors.process import ProcessEnded
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import WAIT, running

OBEYS = """
import sys
print("ready 1", flush=True)
sys.stdin.read()
"""
CRASHES = """
import sys
print("ready 1", flush=True)
sys.stdin.readline()
print("about to fail", flush=True)
print("the cause", file=sys.stderr, flush=True)
sys.exit(3)
"""
STUBBORN = """
import signal, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready 1", flush=True)
threading.Event().wait()
"""
DEAF = """
import threading
print("ready 1", flush=True)
threading.Event().wait()
"""
SILENT = """
import sys
print("not yet", flush=True)
sys.stdin.read()
"""
LOUD = """
import sys
for number in range(20_000):
    print("line", number)
print("x" * 200_000)
print("ready 1", flush=True)
sys.stdin.read()
"""


def ready(line: str) -> str | None:
    return line.partition(" ")[2] if line.startswith("ready") else None


def spec(program: str, *args: str, **more: Any) -> ProcessSpec:
    return ProcessSpec(
        argv=(sys.executable, "-S", "-E", "-c", program, *args),
        **{"ready": ready, **more},
    )


class Child(ProcessActor):
    """Tells a probe its process's id when that is ready."""

    def __init__(self, spec: ProcessSpec, probe: Probe) -> None:
        super().__init__(spec)
        self.probe = probe

    def on_ready(self, value: Any) -> None:
        self.probe((value, self.pid))

    def on_receive(self, message: object) -> Any:
        match message:
            case "stop":
                self.stop_process()
            case "start":
                self.start_process()
            case "poke":
                assert self._running is not None
                stdin = self._running.process.stdin
                assert stdin is not None
                stdin.write(b"\n")
                stdin.flush()
            case "output":
                return tuple(self._output)
            case "pid":
                return self.pid
            case _:
                return super().on_receive(message)
        return None


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # One that nobody has reaped yet runs no code any more. In a container without
        # an init process that is how orphans end.
        status = Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return True
    except FileNotFoundError:
        # It went between the two looks, or this system has no /proc.
        return Path("/proc/self").exists()
    return status.rpartition(")")[2].split()[0] == "Z"


def started(program: str, probe: Probe, **more: Any) -> tuple[Ref[Any], int]:
    ref: Ref[Any] = Child.start(spec(program, **more), probe)
    _, pid = probe.expect()
    return ref, pid


@pytest.fixture
def probe() -> Probe:
    return Probe()


def test_the_ready_line_is_understood_once(probe: Probe) -> None:
    ref, pid = started(OBEYS, probe)

    assert not is_gone(pid)
    assert ref.call("pid") == pid
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()
    probe.expect_nothing()


def test_it_stops_when_its_input_closes(probe: Probe) -> None:
    ref, pid = started(OBEYS, probe, stop_grace=WAIT)

    ref.shutdown()

    assert ref.wait(WAIT) == Shutdown()
    assert is_gone(pid)


def test_one_that_ignores_its_input_is_terminated(probe: Probe) -> None:
    ref, pid = started(DEAF, probe, stop_grace=0.05)

    ref.shutdown()

    assert ref.wait(WAIT) == Shutdown()
    assert is_gone(pid)


def test_one_that_ignores_sigterm_as_well_is_killed(probe: Probe) -> None:
    ref, pid = started(STUBBORN, probe, stop_grace=0.05)

    ref.shutdown()

    assert ref.wait(WAIT) == Shutdown()
    assert is_gone(pid)


def test_a_crash_is_the_actors_end_with_the_last_output(probe: Probe) -> None:
    for _ in range(5):
        ref, _pid = started(CRASHES, probe)

        ref.cast("poke")

        reason = ref.wait(WAIT)
        assert isinstance(reason, Failed)
        ended = reason.term
        assert isinstance(ended, ProcessEnded)
        assert ended.returncode == 3
        assert set(ended.output) == {"ready 1", "about to fail", "the cause"}
        assert "its process ended with exit code 3, last saying: " in str(reason)


def test_the_last_output_is_waited_for(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = process._lines
    read_on = threading.Event()

    def late(stream: Any) -> Iterator[str]:
        assert read_on.wait(WAIT)
        yield from lines(stream)

    monkeypatch.setattr(process, "_lines", late)
    monkeypatch.setattr(process, "TAIL_PATIENCE", WAIT)
    ref: Ref[Any] = Child.start(spec("print('the cause'); raise SystemExit(3)"), probe)
    assert wait_until_gone(ref.call("pid"))
    assert ref.wait(0.05) is None

    read_on.set()

    assert ref.wait(WAIT) == Failed(ProcessEnded(3, ("the cause",)))


def test_a_signal_is_named(probe: Probe) -> None:
    ref, pid = started(OBEYS, probe)

    os.kill(pid, signal.SIGKILL)

    reason = ref.wait(WAIT)
    assert reason == Failed(ProcessEnded(-signal.SIGKILL, ("ready 1",)))
    assert "by signal 9" in str(reason)


def test_it_is_started_again_by_its_supervisor(probe: Probe) -> None:
    child = ChildSpec(id="p", name="p", actor=Child, args=(spec(OBEYS), probe))
    with Supervisor.start([child], intensity=Intensity(max_restarts=10)) as top:
        _, first = probe.expect()
        os.kill(first, signal.SIGKILL)
        _, second = probe.expect()

        assert second != first
        assert top.handle("p").call("pid") == second
        old = first

    assert is_gone(old)
    assert is_gone(second)


def test_a_process_that_cannot_be_started_is_a_failed_start(tmp_path: Path) -> None:
    missing = ProcessSpec(argv=(str(tmp_path / "missing"),), ready=ready)

    with pytest.raises(StartError) as caught:
        ProcessActor.start(missing)

    assert isinstance(caught.value.__cause__, FileNotFoundError)


def on_clock(actor: ProcessActor, clock: ManualClock) -> Ref[Any]:
    actor.surroundings = Surroundings(registry=Registry(), events=Events(), clock=clock)
    launch(actor, timeout=WAIT)
    return actor.actor_ref


def test_one_that_is_not_ready_in_time_is_given_up(probe: Probe) -> None:
    clock = ManualClock()
    ref = on_clock(Child(spec(SILENT, ready_timeout=30), probe), clock)
    pid = ref.call("pid")
    clock.advance(29)
    assert ref.call("pid") == pid

    clock.advance(1)

    assert ref.wait(WAIT) == Failed("its process was not ready after 30 s")
    assert is_gone(pid)
    probe.expect_nothing()


def test_one_that_is_ready_has_no_deadline_any_more(probe: Probe) -> None:
    clock = ManualClock()
    ref = on_clock(Child(spec(OBEYS, ready_timeout=30), probe), clock)
    _, pid = probe.expect()

    clock.advance(31)

    assert ref.call("pid") == pid
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


def test_output_is_bounded(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LONGEST_LINE", 1_000)
    ref, _pid = started(LOUD, probe, kept_lines=5)

    output = ref.call("output")

    assert len(output) == 5
    assert max(len(line) for line in output) <= 1_000
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


@pytest.mark.parametrize("program", [OBEYS, STUBBORN])
def test_a_killed_actor_leaves_no_process(program: str, probe: Probe) -> None:
    ref, pid = started(program, probe)

    ref.kill()

    assert ref.wait(0) == Killed()
    assert wait_until_gone(pid)


def wait_until_gone(pid: int) -> bool:
    """Whether a process is gone soon; a killed one is reaped by another thread."""
    moment = Probe()
    for _ in range(1_000):
        if is_gone(pid):
            return True
        try:
            moment.expect(timeout=0.01)
        except AssertionError:
            continue
    return False


def test_an_actor_killed_while_it_stops_its_process_leaves_none(probe: Probe) -> None:
    ref, pid = started(STUBBORN, probe, stop_grace=WAIT)
    ref.shutdown()
    assert ref.wait(0.05) is None

    ref.kill()

    assert wait_until_gone(pid)


def test_an_actor_killed_while_it_starts_its_process_leaves_none(
    monkeypatch: pytest.MonkeyPatch, probe: Probe
) -> None:
    pids: list[int] = []

    class Killing(subprocess.Popen[bytes]):
        """At this moment the process runs and its actor does not know it yet."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            pids.append(self.pid)
            child.actor_ref.kill()

    monkeypatch.setattr(subprocess, "Popen", Killing)
    child = Child(spec(STUBBORN), probe)

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


def test_the_environment_is_handed_over_and_never_shown(probe: Probe) -> None:
    program = (
        "import os, sys; print('ready', os.environ['KEY'], flush=True);sys.stdin.read()"
    )
    secret = spec(program, env={"KEY": "s3cret"})

    assert "s3cret" not in repr(secret)
    with running(Child, secret, probe):
        assert probe.expect()[0] == "s3cret"


PARENT = """
import os, signal, sys
from supervisors import ProcessActor, ProcessSpec

class Child(ProcessActor):
    def on_ready(self, value):
        print(self.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

program = "import sys; print('ready', flush=True); sys.stdin.read()"
Child.start(ProcessSpec(argv=(sys.executable, "-S", "-c", program), ready=str))
signal.pause()
"""


def test_our_own_death_by_sigkill_leaves_no_orphan() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARENT], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert wait_until_gone(int(done.stdout))
