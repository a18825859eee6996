"""Planned faults happen: at their message, once, on any kind of actor."""

from __future__ import annotations

import asyncio
from typing import Any

import pykka
import pytest

from supervisors import (
    Actor,
    ActorDownError,
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    DynamicSupervisorActor,
    EventLoopActor,
    Intensity,
    Killed,
    LoopActor,
    Registry,
    Restart,
    Supervisor,
)
from supervisors.testing import (
    Fault,
    FaultKind,
    FaultPlan,
    InjectedCrashError,
    settled,
)
from tests.supervisors.actors.parts import WAIT, refs, until, worker

PLENTY = Intensity(max_restarts=1_000, within=60)
ALL_KINDS = tuple(FaultKind)


class Journal(Actor):
    """Writes each message into a list that outlives it, and returns it."""

    def __init__(self, written: list[Any]) -> None:
        super().__init__()
        self.written = written

    def on_receive(self, message: Any) -> Any:
        self.written.append(message)
        return message


class LoopJournal(LoopActor):
    """The same on a loop, with an `await` in it."""

    def __init__(self, written: list[Any]) -> None:
        super().__init__()
        self.written = written

    async def on_receive(self, message: Any) -> Any:
        await asyncio.sleep(0)
        self.written.append(message)
        return message


class StockJournal(pykka.ThreadingActor):
    """The same, for Pykka alone."""

    def __init__(self, written: list[Any]) -> None:
        super().__init__()
        self.written = written

    def on_receive(self, message: Any) -> Any:
        self.written.append(message)
        return message


JOURNALS = (Journal, LoopJournal, StockJournal)


def tree(journal: type[Any], written: list[Any], **more: Any) -> Supervisor:
    children = [
        worker("loop", EventLoopActor),
        worker(
            "j",
            journal,
            args=(written,),
            loop="loop" if journal is LoopJournal else None,
            **more,
        ),
    ]
    return Supervisor.start(children, intensity=PLENTY)


def plan_of(kind: FaultKind, nth: int = 2, **more: Any) -> FaultPlan:
    return FaultPlan([Fault(kind=kind, actor="j", nth=nth, **more)])


@pytest.mark.parametrize("journal", JOURNALS)
@pytest.mark.parametrize(
    ("kind", "written_by_then", "reason"),
    [
        (FaultKind.CRASH_BEFORE, ["one"], Crashed),
        (FaultKind.CRASH_AFTER, ["one", "two"], Crashed),
        (FaultKind.KILL, ["one"], Killed),
    ],
)
def test_the_actor_ends_at_the_message_and_its_caller_is_told(
    journal: type[Any], kind: FaultKind, written_by_then: list[str], reason: type
) -> None:
    written: list[Any] = []
    plan = plan_of(kind)
    with tree(journal, written) as top, plan.installed(top):
        ref = refs(top)["j"]
        assert ref.call("one", WAIT) == "one"

        with pytest.raises(ActorDownError) as caught:
            ref.call("two", WAIT)

        assert written == written_by_then
        assert isinstance(caught.value.reason, reason)
        if isinstance(caught.value.reason, Crashed):
            assert isinstance(caught.value.reason.exception, InjectedCrashError)
        settled(top)
        assert refs(top)["j"] != ref
        assert top.handle("j").call("three", WAIT) == "three"
    (fired,) = plan.fired
    assert (fired.actor, fired.message, fired.count) == ("j", "str", 2)
    plan.assert_all_fired()


@pytest.mark.parametrize("journal", [Journal, StockJournal])
def test_an_abandoned_actor_is_dead_while_its_thread_stays(journal: type[Any]) -> None:
    written: list[Any] = []
    plan = plan_of(FaultKind.ABANDON, 1)
    with tree(journal, written) as top, plan.installed(top):
        ref = refs(top)["j"]

        with pytest.raises(ActorDownError):
            ref.call("one", WAIT)

        assert ref.life.in_thread()
        assert top.handle("j").call("two", WAIT, idempotent=True) == "two"
        assert written == ["two"]
        plan.release()
        ref.life.thread_left.wait(WAIT)
        assert written == ["two", "one"]


def test_an_abandoned_actor_on_a_loop_is_cancelled() -> None:
    written: list[Any] = []
    plan = plan_of(FaultKind.ABANDON, 1)
    with tree(LoopJournal, written) as top, plan.installed(top):
        ref = refs(top)["j"]

        with pytest.raises(ActorDownError):
            ref.call("one", WAIT)

        assert ref.life.thread_left.wait(WAIT)
        assert written == []


@pytest.mark.parametrize("journal", JOURNALS)
def test_an_actor_that_hangs_goes_on_when_it_is_released(journal: type[Any]) -> None:
    written: list[Any] = []
    plan = plan_of(FaultKind.HANG, 1)
    with tree(journal, written) as top:
        with plan.installed(top):
            future = refs(top)["j"].submit("one")
            later = refs(top)["j"].submit("two")
            until(lambda: len(plan.fired) == 1)
            assert not future.done()

            plan.release()

            assert future.get(timeout=WAIT) == "one"
            assert later.get(timeout=WAIT) == "two"
        assert written == ["one", "two"]


def test_leaving_the_block_releases_who_hangs() -> None:
    written: list[Any] = []
    with tree(Journal, written) as top:
        with plan_of(FaultKind.HANG, 1).installed(top) as plan:
            future = refs(top)["j"].submit("one")
            until(lambda: len(plan.fired) == 1)

        assert future.get(timeout=WAIT) == "one"


def test_a_stuck_actor_ends_as_hung() -> None:
    plan = plan_of(FaultKind.HANG, 1)
    with (
        tree(Journal, [], hang_after=0.05) as top,
        plan.installed(top),
        pytest.raises(ActorDownError, match="hung"),
    ):
        refs(top)["j"].call("one", WAIT)


@pytest.mark.parametrize("journal", JOURNALS)
def test_a_wrapped_spec_brings_its_faults_along(journal: type[Any]) -> None:
    written: list[Any] = []
    plan = plan_of(FaultKind.CRASH_AFTER)
    spec = worker("j", journal, args=(written,), loop="loop")
    if journal is not LoopJournal:
        spec = worker("j", journal, args=(written,))
    children = [worker("loop", EventLoopActor), plan.wrap(spec)]
    with Supervisor.start(children, intensity=PLENTY) as top:
        handle = top.handle("j")
        assert refs(top)["j"].actor_class.__name__ == journal.__name__

        assert [handle.call(n, WAIT, idempotent=True) for n in (1, 2, 3)] == [1, 2, 3]

    assert written == [1, 2, 2, 3]
    plan.assert_all_fired()


def test_messages_are_counted_by_class_and_through_incarnations() -> None:
    written: list[Any] = []
    faults = [
        Fault(kind=FaultKind.KILL, actor=Journal, message=int, nth=1),
        Fault(kind=FaultKind.KILL, actor="j", message=int, nth=3),
    ]
    plan = FaultPlan(faults)
    with tree(Journal, written) as top, plan.installed(top):
        for message in ("a", 1, "b", 2, 3):
            top.handle("j").call(message, WAIT, idempotent=True)

    # The first 1 was void, its repetition counts as the second number.
    assert written == ["a", 1, "b", 2, 3]
    assert [fired.count for fired in plan.fired] == [1, 3]


def test_two_faults_at_one_message_happen_one_after_the_other() -> None:
    written: list[Any] = []
    fault = Fault(kind=FaultKind.KILL, actor="j", nth=1)
    plan = FaultPlan([fault, fault])
    with tree(Journal, written) as top, plan.installed(top):
        assert top.handle("j").call("a", WAIT, idempotent=True) == "a"

    assert [fired.count for fired in plan.fired] == [1, 2]


def test_a_plan_holds_for_its_tree_only_and_only_while_it_is_installed() -> None:
    mine, other = Registry(), Registry()
    plan = FaultPlan([Fault(kind=FaultKind.KILL, actor=Journal)])
    spec = worker("j", Journal, args=([],))
    with (
        plan.installed(mine),
        Supervisor.start([spec], registry=other) as there,
        Supervisor.start([spec], registry=mine) as here,
    ):
        assert there.handle("j").call("a", WAIT) == "a"
        assert plan.fired == ()
        with pytest.raises(ActorDownError):
            refs(here)["j"].call("a", WAIT)

    everywhere = FaultPlan([Fault(kind=FaultKind.KILL, actor="Journal", nth=2)])
    ref = Journal.start([])
    with everywhere.installed():
        assert ref.call("a", WAIT) == "a"
    assert ref.call("b", WAIT) == "b"
    assert everywhere.unfired == everywhere.faults
    ref.shutdown()
    ref.wait(WAIT)


def test_two_plans_hold_at_once() -> None:
    plans = [plan_of(FaultKind.KILL, 1), plan_of(FaultKind.CRASH_BEFORE, 2)]
    with tree(Journal, []) as top, plans[0].installed(top), plans[1].installed(top):
        assert top.handle("j").call("a", WAIT, idempotent=True) == "a"

    for plan in plans:
        plan.assert_all_fired()


def test_a_plan_that_fired_nothing_fails_its_test() -> None:
    plan = FaultPlan([Fault(kind=FaultKind.HANG, actor="nobody", nth=3, message=int)])
    with tree(Journal, []) as top, plan.installed(top):
        top.handle("j").call("a", WAIT)

    with pytest.raises(AssertionError, match="hang of 'nobody' at int 3"):
        plan.assert_all_fired()


def test_one_seed_draws_the_same_faults_and_another_others() -> None:
    plans = [
        FaultPlan.seeded(seed, ["a", Journal], count=20, within=9, kinds=ALL_KINDS)
        for seed in (1, 1, 2)
    ]

    assert plans[0].faults == plans[1].faults != plans[2].faults
    assert {fault.kind for fault in plans[0].faults} == set(ALL_KINDS)
    assert all(1 <= fault.nth <= 9 for fault in plans[0].faults)
    assert "Journal" in str(plans[0])
    assert str(FaultPlan()) == "no faults"


@pytest.mark.parametrize("seed", range(5))
def test_seeded_faults_fire_the_same_way_each_time(seed: int) -> None:
    def run() -> tuple[Any, list[Any]]:
        plan = FaultPlan.seeded(seed, ["j"], count=4, within=10)
        written: list[Any] = []
        with tree(Journal, written) as top, plan.installed(top):
            for number in range(20):
                top.handle("j").call(number, WAIT, idempotent=True)
        plan.assert_all_fired()
        return plan.fired, written

    assert run() == run()


def test_a_supervisor_can_be_hit_at_the_news_it_gets() -> None:
    job = ChildSpec(id="job", actor=Actor, restart=Restart.TEMPORARY)
    jobs = worker("jobs", DynamicSupervisorActor, kind="supervisor")
    plan = FaultPlan([Fault(kind=FaultKind.KILL, actor="jobs", nth=3)])
    with Supervisor.start([jobs]) as top, plan.installed(top):
        first = top.registry.resolve("jobs")
        handle = DynamicSupervisor(top.registry, "jobs")
        handle.start_child(job)
        handle.start_child(job).kill()

        assert isinstance(first.wait(WAIT), Killed)
        settled(top)
        assert top.registry.resolve("jobs") != first
    assert plan.fired[0].message == "ChildEnded"


def test_a_fault_counts_from_one() -> None:
    with pytest.raises(ValueError, match="nth is 0"):
        Fault(kind=FaultKind.KILL, actor="a", nth=0)
