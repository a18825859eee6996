"""Supervisors under supervisors: computed options, deaths, and who is waited for."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    Backoff,
    ChildNotFoundError,
    ChildSpec,
    EventLoopActor,
    Ignore,
    Intensity,
    Killed,
    LoopActor,
    Shutdown,
    StartError,
    Supervisor,
    SupervisorActor,
    SupervisorOptions,
)
from supervisors._messages import GetCounts
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import WAIT, Block, Scripted, Told, refs, worker

PATIENT = Intensity(max_restarts=100)


class Computed(SupervisorActor):
    """Decides at each start what it is made of."""

    def __init__(self, starts: list[int]) -> None:
        super().__init__()
        self.starts = starts

    def init(self) -> SupervisorOptions:
        self.starts.append(len(self.starts))
        if len(self.starts) > 2:
            raise Ignore
        child = worker(f"child of start {self.starts[-1]}", name=None)
        return SupervisorOptions(children=(child,), intensity=PATIENT)


class Twice(SupervisorActor):
    def init(self) -> SupervisorOptions:
        return SupervisorOptions(children=(worker("a"), worker("a")))


def branch(actor: type[SupervisorActor], **more: Any) -> ChildSpec:
    return ChildSpec(id="branch", actor=actor, kind="supervisor", **more)


def test_init_is_asked_at_each_start() -> None:
    starts: list[int] = []
    with Supervisor.start([branch(Computed, args=(starts,))], intensity=PATIENT) as top:
        for number in (0, 1):
            ref = refs(top)["branch"]
            shown = ref.life.children()
            assert [s.spec.id for s in shown.statuses] == [f"child of start {number}"]
            ref.kill()

        assert refs(top) == {}
        assert starts == [0, 1, 2]


def test_options_that_make_no_sense_are_a_failed_start_with_the_reason() -> None:
    with pytest.raises(StartError, match="two children have the id 'a'"):
        Supervisor.start([branch(Twice)])


def test_get_childspec_returns_the_spec_of_any_child() -> None:
    a = worker("a")
    with Supervisor.start([a]) as top:
        top.terminate_child("a")

        assert top.get_childspec("a") == a
        with pytest.raises(ChildNotFoundError):
            top.get_childspec("b")


class Lingers(Told):
    """Traps exits, and takes its time to end."""

    trap_exit = True

    def __init__(self, probe: Probe, block: Block) -> None:
        super().__init__(probe)
        self.block = block

    def on_end(self, reason: Any) -> None:
        self.block.entered.set()
        assert self.block.release.wait(WAIT)
        self.probe(("end", self.id, reason))


def test_the_next_incarnation_waits_for_what_the_last_left_behind() -> None:
    # In OTP both would be there at once, and here they would quarrel over the name.
    probe, block = Probe(), Block()
    spec = branch(SupervisorActor, args=([worker("a", Lingers, args=(probe, block))],))
    with Supervisor.start([spec], intensity=PATIENT) as top:
        assert probe.expect() == ("start", "a")
        killed = refs(top)["branch"]
        waiting = top.ref().submit(None)

        assert killed.kill()
        block.inside()
        probe.expect_nothing()
        block.release.set()

        assert probe.expect() == ("end", "a", Killed())
        assert probe.expect() == ("start", "a")
        assert waiting.wait(WAIT)
    assert probe.expect() == ("end", "a", Shutdown())


def test_a_restart_that_waits_lets_them_end_as_well() -> None:
    probe, block, clock = Probe(), Block(), ManualClock()
    spec = branch(
        SupervisorActor,
        args=([worker("a", Lingers, args=(probe, block))],),
        backoff=Backoff(initial=1.0, jitter=0.0),
    )
    with Supervisor.start([spec], intensity=PATIENT, clock=clock) as top:
        assert probe.expect() == ("start", "a")
        assert refs(top)["branch"].kill()
        block.inside()
        waiting = top.ref().submit(GetCounts())
        waiting.on_done(lambda _answer: probe("planned"))
        assert not waiting.wait(0.05)
        block.release.set()
        # Planned only when nothing is left of the last one.
        assert probe.expect() == ("end", "a", Killed())
        assert probe.expect() == "planned"

        clock.advance(1.0)
        assert probe.expect() == ("start", "a")


class Echo(LoopActor):
    async def on_receive(self, message: Any) -> Any:
        if message == "boom":
            raise ValueError(message)
        return message


def on_loop(**more: Any) -> list[ChildSpec]:
    return [worker("loop", EventLoopActor), worker("echo", Echo, loop="loop", **more)]


def test_an_actor_on_a_loop_of_the_tree_is_a_child_like_others() -> None:
    with Supervisor.start(on_loop(), intensity=PATIENT) as top:
        first = top.registry.resolve("echo")
        assert first.call("hello") == "hello"
        first.cast("boom")
        assert first.wait(WAIT) is not None

        assert top.handle("echo").call("again", WAIT, idempotent=True) == "again"
        top.terminate_child("echo")
        assert top.restart_child("echo").call("anew") == "anew"


def test_when_the_loop_dies_its_actors_come_back_on_the_next_one() -> None:
    with Supervisor.start(on_loop(), intensity=PATIENT) as top:
        echo = top.registry.resolve("echo")

        top.registry.resolve("loop").kill()

        assert echo.wait(WAIT) == Killed()
        assert top.handle("echo").call("here", WAIT, idempotent=True) == "here"


def test_without_its_loop_an_actor_does_not_start() -> None:
    with pytest.raises(StartError, match="Start an EventLoopActor before it"):
        Supervisor.start([worker("echo", Echo, loop="none")])


def test_a_supervisor_ignores_signals_of_strangers() -> None:
    with Supervisor.start([worker("a", Scripted)]) as top:
        top.ref().signal(Killed())
        top.ref().signal(Shutdown())

        assert top.count_children().active == 1
