"""When a process counts as ready, and what waits for that."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisors import (
    ChildSpec,
    Crashed,
    Failed,
    Killed,
    NotReady,
    ProcessActor,
    ProcessEnded,
    ProcessSpec,
    ReadyProbe,
    Ref,
    Shutdown,
    StartError,
    Supervisor,
    file_exists,
    output_of,
)
from supervisors._launch import launch
from supervisors.readiness import keep_asking
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import WAIT, BoomError, Told
from tests.supervisors.actors.processes import (
    OBEYS,
    SILENT,
    Child,
    give_clock,
    is_gone,
    on_clock,
    spec,
    started,
    wait_until_gone,
)

ENDS_EARLY = """
import sys
print("cannot bind", file=sys.stderr, flush=True)
sys.exit(int(sys.argv[1]))
"""
SAYS_GOODBYE = (
    SILENT
    + """
print("bye", flush=True)
"""
)
MAKES_A_FILE = """
import pathlib, sys
sys.stdin.readline()
pathlib.Path(sys.argv[1]).touch()
sys.stdin.read()
"""


@pytest.fixture
def probe() -> Probe:
    return Probe()


class Asked:
    """A check that tells when it is asked, and says what it is told to."""

    def __init__(self) -> None:
        self.probe = Probe()
        self.answer: Any = None

    def __call__(self) -> Any:
        self.probe(threading.get_ident())
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def later(**more: Any) -> ProcessSpec:
    return spec(SILENT, started_when="running", **more)


def launching(actor: ProcessActor) -> tuple[threading.Thread, list[StartError]]:
    """Start an actor in a thread of its own; the thread, and why it failed."""
    failed: list[StartError] = []

    def start() -> None:
        try:
            launch(actor, timeout=WAIT)
        except StartError as error:
            failed.append(error)

    starter = threading.Thread(target=start)
    starter.start()
    return starter, failed


def wind(clock: ManualClock, seconds: float, until: Callable[[], Any]) -> None:
    """Wind a clock until something happens that a thread is on its way to."""
    for _ in range(int(WAIT * 100)):
        clock.advance(seconds)
        with contextlib.suppress(AssertionError):
            until()
            return
    raise AssertionError("it did not happen")


def test_the_ready_line_is_understood_once(probe: Probe) -> None:
    ref, pid = started(OBEYS, probe)

    assert not is_gone(pid)
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()
    probe.expect_nothing()


def test_a_line_that_says_false_is_not_the_ready_line(probe: Probe) -> None:
    program = "import sys; print('a', flush=True); print('b up'); sys.stdout.flush();"
    child = spec(program + "sys.stdin.read()", ready=lambda line: "up" in line)

    ref = Child.start(child, probe)

    assert probe.expect()[0] is True
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


def test_one_without_a_probe_is_ready_as_soon_as_it_runs(probe: Probe) -> None:
    ref, pid = started(SILENT, probe, ready=None)

    assert not is_gone(pid)
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


def test_the_start_of_a_later_sibling_waits_until_it_is_ready(
    probe: Probe, tmp_path: Path
) -> None:
    here = tmp_path / "here"

    class Server(Child):
        def start_process(self) -> None:
            super().start_process()
            probe("runs")
            assert not here.exists()
            self.on_receive("poke")

    server = spec(MAKES_A_FILE, str(here), ready=file_exists(here, interval=0.01))
    children = [
        ChildSpec(id="server", actor=Server, args=(server, probe)),
        ChildSpec(id="next", actor=Told, args=(probe,)),
    ]

    with Supervisor.start(children):
        assert probe.expect() == "runs"
        assert probe.expect()[0] is True
        assert probe.expect() == ("start", "next")
        assert here.exists()


def test_one_that_ends_before_it_is_ready_is_a_failed_start_with_its_output() -> None:
    for code in (3, 0):
        early = spec(ENDS_EARLY, str(code))

        with pytest.raises(StartError, match="last saying: cannot bind") as caught:
            ProcessActor.start(early)

        reason = caught.value.reason
        assert reason == Failed(ProcessEnded(code, ("cannot bind",)))


def test_one_that_is_not_ready_in_time_is_a_failed_start_with_its_output(
    probe: Probe,
) -> None:
    clock = ManualClock()
    pids: list[int | None] = []

    class Silent(ProcessActor):
        def start_process(self) -> None:
            super().start_process()
            pids.append(self.pid)

    def saying(line: str) -> None:
        probe(line)

    actor = Silent(spec(SAYS_GOODBYE, ready=saying, ready_timeout=30, stdin_grace=WAIT))
    give_clock(actor, clock)
    starter, failed = launching(actor)
    assert probe.expect() == "not yet"
    clock.advance(29.9)
    assert not actor.life.started.wait(0.05)
    clock.advance(0.2)
    starter.join(WAIT)

    assert failed[0].reason == Failed(NotReady(30, ("not yet",)))
    assert "not ready within 30 s, last saying: not yet" in str(failed[0])
    assert pids[0] is not None
    assert wait_until_gone(pids[0])
    assert output_of(actor.actor_ref) == ("not yet", "bye")


def test_the_time_to_be_ready_runs_while_its_actor_is_held_up(probe: Probe) -> None:
    clock, is_late = ManualClock(), threading.Event()

    class HeldUp(ProcessActor):
        def start_process(self) -> None:
            super().start_process()
            assert is_late.wait(WAIT)

    actor = HeldUp(spec(SAYS_GOODBYE, ready=probe, ready_timeout=30, stdin_grace=WAIT))
    give_clock(actor, clock)
    starter, failed = launching(actor)
    probe.expect()
    clock.advance(30)
    is_late.set()
    starter.join(WAIT)

    assert failed[0].reason == Failed(NotReady(30, ("not yet",)))


def test_one_that_runs_has_started_even_if_it_ends_at_once() -> None:
    class Dawdling(ProcessActor):
        """Its thread gets to know that the program runs when that has ended."""

        def _open(self, run: Any) -> Any:
            process = super()._open(run)
            assert process._read.wait(WAIT)
            assert run.ready.wait(WAIT)
            return process

    ref = Dawdling.start(spec(ENDS_EARLY, "3", ready=None))

    assert ref.wait(WAIT) == Failed(ProcessEnded(3, ("cannot bind",)))


def test_an_actor_given_up_while_it_waits_for_readiness_leaves_nothing() -> None:
    asked = Asked()
    actor = ProcessActor(spec(SILENT, ready=ReadyProbe(asked, interval=0.01)))

    with pytest.raises(StartError, match=r"did not start within 0.2 s"):
        launch(actor, timeout=0.2)

    assert actor.life.ended.get() == Killed()
    assert actor.life.thread_left.wait(WAIT)
    assert asked.probe.expect()


def test_with_started_when_running_readiness_comes_later(probe: Probe) -> None:
    asked = Asked()
    ref = Child.start(later(ready=ReadyProbe(asked, interval=0.01)), probe)
    asked.probe.expect()
    asked.probe.expect()
    probe.expect_nothing()

    asked.answer = "here"

    assert probe.expect() == ("here", ref.call("pid"))
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


def test_one_that_is_not_ready_later_in_time_is_given_up(probe: Probe) -> None:
    clock = ManualClock()
    ref = on_clock(Child(later(ready_timeout=30), probe), clock)
    pid = ref.call("pid")
    clock.advance(29)
    assert ref.call("pid") == pid

    clock.advance(1)

    reason = ref.wait(WAIT)
    assert isinstance(reason, Failed)
    assert isinstance(reason.term, NotReady)
    assert is_gone(pid)
    probe.expect_nothing()


def test_one_that_ends_with_code_zero_before_it_is_ready_has_failed() -> None:
    ref = ProcessActor.start(spec(ENDS_EARLY, "0", started_when="running"))

    assert ref.wait(WAIT) == Failed(ProcessEnded(0, ("cannot bind",)))


def test_one_that_is_ready_has_no_deadline_any_more(probe: Probe) -> None:
    clock = ManualClock()
    ref = on_clock(Child(spec(OBEYS, ready_timeout=30), probe), clock)
    _, pid = probe.expect()

    clock.advance(31)

    assert ref.call("pid") == pid
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


def test_a_probe_is_asked_off_the_actors_thread_which_stays_responsive(
    probe: Probe,
) -> None:
    entered, release = threading.Event(), threading.Event()

    def stuck() -> bool:
        entered.set()
        return release.wait(WAIT)

    ref = Child.start(later(ready=ReadyProbe(stuck)), probe)
    assert entered.wait(WAIT)

    assert ref.call("pid") is not None

    release.set()
    assert probe.expect()[0] is True
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


def test_a_probe_is_asked_at_its_interval(probe: Probe) -> None:
    clock, asked = ManualClock(), Asked()
    waits: list[float] = []
    patient = later(ready=ReadyProbe(asked, interval=5), ready_timeout=1_000)
    ref = on_clock(Child(patient, probe), clock)
    asked.probe.expect()
    while len(waits) < 3:
        before = clock.monotonic()

        wind(clock, 0.5, lambda: asked.probe.expect(timeout=0.01))

        waits.append(clock.monotonic() - before)
    assert min(waits) >= 5
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


@pytest.mark.parametrize("end", ["shutdown", "kill"])
def test_no_probe_is_left_when_the_actor_ends(
    probe: Probe, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    asked = Asked()
    over = threading.Event()

    def watched(*args: Any) -> None:
        keep_asking(*args)
        over.set()

    monkeypatch.setattr("supervisors.process.keep_asking", watched)
    ref = Child.start(later(ready=ReadyProbe(asked, interval=3_600)), probe)
    asked.probe.expect()
    assert not over.is_set()

    getattr(ref, end)()

    assert over.wait(WAIT)
    assert ref.wait(WAIT) is not None
    asked.probe.expect_nothing()


def test_a_probe_that_meets_an_error_of_the_system_is_asked_again(
    probe: Probe,
) -> None:
    asked = Asked()
    asked.answer = ConnectionRefusedError()
    ref = Child.start(later(ready=ReadyProbe(asked, interval=0.01)), probe)
    asked.probe.expect()
    asked.probe.expect()

    asked.answer = True

    assert probe.expect()[0] is True
    ref.shutdown()
    assert ref.wait(WAIT) == Shutdown()


@pytest.mark.parametrize("as_line", [True, False], ids=["line", "probe"])
def test_a_question_that_raises_ends_the_actor_with_its_error(as_line: bool) -> None:
    def broken(*_: Any) -> None:
        raise BoomError("probe")

    ready = broken if as_line else ReadyProbe(broken)

    with pytest.raises(StartError) as caught:
        ProcessActor.start(spec(SILENT, ready=ready))
    ref: Ref[Any] = ProcessActor.start(later(ready=ready))

    for reason in (caught.value.reason, ref.wait(WAIT)):
        assert isinstance(reason, Crashed)
        assert isinstance(reason.exception, BoomError)
