"""No orphan, however we die; and what the guard does besides."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from supervisors import (
    CannotRun,
    Failed,
    ProcessActor,
    ProcessEnded,
    ProcessSpec,
    Shutdown,
    StartError,
    _guard,
    output_of,
)
from supervisors.testing import Probe
from tests.supervisors.actors.parts import WAIT
from tests.supervisors.actors.processes import (
    DEAF,
    FAMILY,
    OBEYS,
    Child,
    is_gone,
    spec,
    started,
    wait_until_gone,
)

PREAMBLE = """
import os, signal, sys, threading
from supervisors import ChildSpec, ProcessActor, ProcessSpec, Supervisor
from supervisors.testing import Probe

told = Probe()

class Child(ProcessActor):
    def on_ready(self, value):
        told((self.pid, self._run.process._process.pid, *map(int, value.split())))

def spec(program, **more):
    argv = (sys.executable, "-S", "-E", "-c", program)
    return ProcessSpec(argv=argv, ready=lambda line: line[6:] or None, **more)

def expect():
    print(*told.expect(), flush=True)

def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run_and_die(program: str, *arguments: str) -> list[int]:
    """Run a program that ends with `die()`; the process ids it printed."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return [int(word) for word in done.stdout.split()]


@pytest.fixture
def probe() -> Probe:
    return Probe()


ONE_FAMILY = """
family = spec(sys.argv[1], stdin_grace=float(sys.argv[2]), term_grace=0.05)
top = Supervisor.start([ChildSpec(id="p", actor=Child, args=(family,))])
expect()
die()
"""


def test_our_own_death_by_sigkill_leaves_neither_program_nor_grandchild() -> None:
    pids = run_and_die(ONE_FAMILY, FAMILY, "0.05")

    program, guard, grandchild = pids
    assert program != guard
    assert wait_until_gone(program)
    assert wait_until_gone(grandchild)
    assert wait_until_gone(guard)


LEAVES_A_CHILD = """
import os, sys, threading
child = os.fork()
if child:
    print("ready", child, flush=True)
    sys.stdin.read()
else:
    threading.Event().wait()
"""


def test_a_grandchild_whose_parent_ended_with_its_input_goes_too() -> None:
    program, guard, grandchild = run_and_die(ONE_FAMILY, LEAVES_A_CHILD, "60")

    assert wait_until_gone(program)
    assert wait_until_gone(grandchild)
    assert wait_until_gone(guard)


MANY_AT_ONCE = """
watches_stdin = sys.argv[2] == "alone"
together = threading.Barrier(6)

def start():
    together.wait()
    Child.start(spec(sys.argv[1], watches_stdin=watches_stdin, stdin_grace=30))

threads = [threading.Thread(target=start) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    expect()
die()
"""


@pytest.mark.parametrize("way", ["guarded", "alone"])
def test_those_started_at_the_same_time_do_not_keep_each_other_alive(way: str) -> None:
    pids = run_and_die(MANY_AT_ONCE, OBEYS, way)

    assert len(pids) == 6 * 3
    for program, guard in zip(pids[::3], pids[1::3], strict=True):
        assert (program == guard) is (way == "alone")
        assert wait_until_gone(program)
        assert wait_until_gone(guard)


FORKS = """
Child.start(spec(sys.argv[1], watches_stdin=sys.argv[2] == "alone"))
expect()
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.close(1)
    os.close(2)
    signal.pause()
print(child, flush=True)
die()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("way", ["guarded", "alone"])
def test_a_forked_child_of_ours_does_not_keep_a_process_alive(way: str) -> None:
    program, guard, _, forked = run_and_die(FORKS, OBEYS, way)

    try:
        assert wait_until_gone(program)
        assert wait_until_gone(guard)
        assert not is_gone(forked)
    finally:
        os.kill(forked, signal.SIGKILL)


def test_a_program_gets_no_pipe_but_its_own_three(probe: Probe) -> None:
    program = """
import os, sys
def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
print("ready", [number for number in range(256) if is_open(number)], flush=True)
sys.stdin.read()
"""
    first, _ = started(OBEYS, probe)
    for watches_stdin in (False, True):
        ref = Child.start(spec(program, watches_stdin=watches_stdin), probe)

        assert probe.expect()[0] == "[0, 1, 2]"

        ref.shutdown()
        assert ref.wait(WAIT) == Shutdown()
    first.shutdown()
    assert first.wait(WAIT) == Shutdown()


def guard_of(pid: int) -> int:
    return os.getpgid(pid)


def test_a_killed_guard_takes_its_group_along(probe: Probe) -> None:
    ref = Child.start(spec(FAMILY), probe)
    grandchild, pid = probe.expect()
    guard = guard_of(pid)
    assert guard != pid

    os.kill(guard, signal.SIGKILL)

    reason = ref.wait(WAIT)
    assert isinstance(reason, Failed)
    assert reason.term.returncode == -signal.SIGKILL
    assert wait_until_gone(pid)
    assert wait_until_gone(int(grandchild))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_to_the_whole_group_ends_the_program_and_is_told_of(
    probe: Probe, number: int
) -> None:
    by_default = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    ref, pid = started(by_default + DEAF, probe)

    os.killpg(guard_of(pid), number)

    assert ref.wait(WAIT) == Failed(ProcessEnded(-number, ("ready 1",)))


@pytest.mark.parametrize("watches_stdin", [False, True])
@pytest.mark.parametrize("name", ["PIPE", "XFSZ", "TERM", "INT", "HUP", "USR1"])
def test_a_program_finds_no_signal_ignored(name: str, watches_stdin: bool) -> None:
    number = signal.Signals[f"SIG{name}"].value
    if name == "HUP" and signal.getsignal(number) is signal.SIG_IGN:
        # Under nohup: what is ignored from outside stays so, for programs too.
        signal.signal(number, signal.SIG_DFL)
    ref = ProcessActor.start(
        ProcessSpec(
            argv=("sh", "-c", f"kill -{name} $$; echo survived"),
            watches_stdin=watches_stdin,
        )
    )

    assert ref.wait(WAIT) == Failed(ProcessEnded(-number, ()))


@pytest.mark.parametrize("code", [1, 7, 255])
def test_exit_codes_pass_through_the_guard(code: int) -> None:
    ref = ProcessActor.start(ProcessSpec(argv=("sh", "-c", f"exit {code}")))

    assert ref.wait(WAIT) == Failed(ProcessEnded(code, ()))


def test_where_an_end_cannot_be_seen_early_every_program_has_a_guard(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "waitid")

    ref, pid = started(OBEYS, probe, watches_stdin=True)

    assert guard_of(pid) != pid
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


def test_without_a_python_for_the_guard_the_start_fails_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "")

    with pytest.raises(StartError, match="names no Python to run the guard with"):
        ProcessActor.start(ProcessSpec(argv=("true",)))


def test_a_guard_that_does_not_come_up_is_a_failed_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "false")

    with pytest.raises(StartError, match="guard") as caught:
        ProcessActor.start(ProcessSpec(argv=("true",)))

    reason = caught.value.reason
    assert isinstance(reason, Failed)
    assert isinstance(reason.term, CannotRun)


def test_the_guard_loads_nothing_that_takes_time() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import _guard;"
        "print(*sorted(sys.modules))"
    )
    folder = str(Path(_guard.__file__).parent)

    ref = ProcessActor.start(
        ProcessSpec(argv=(sys.executable, "-I", "-S", "-B", "-c", code, folder))
    )

    assert ref.wait(WAIT) is not None
    loaded = set(" ".join(output_of(ref)).split())
    assert "_guard" in loaded
    assert not loaded & {
        "collections",
        "enum",
        "re",
        "signal",
        "subprocess",
        "threading",
    }
