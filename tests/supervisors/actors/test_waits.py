"""Who waits for whom is told while they wait, and a deadlock is named."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from supervisors import (
    NO_REPLY,
    Actor,
    ActorDownError,
    ChildSpec,
    EventLoopActor,
    Handle,
    LoopActor,
    Restart,
    StartError,
    Supervisor,
    Waits,
    waits,
)
from supervisors.testing import living
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    Scripted,
    letting_go,
    running,
    worker,
)

Holds = Callable[[Waits], bool]


def seen(holds: Holds) -> Waits:
    """The first report for which `holds`; the actors get there by themselves."""
    tick = threading.Event()
    for _ in range(int(WAIT / 0.002)):
        report = waits()
        if holds(report):
            return report
        tick.wait(0.002)
    msg = f"never seen; the last report: {waits()}"
    raise AssertionError(msg)


class Caller(Actor):
    """Calls whom it is told to, and leaves its own callers without an answer."""

    def on_receive(self, message: Handle | None) -> Any:
        return NO_REPLY if message is None else message.call(None, timeout=None)


class LoopCaller(LoopActor):
    """The same on a loop."""

    async def on_receive(self, message: Handle | None) -> Any:
        return NO_REPLY if message is None else await message.acall(None, timeout=None)


def test_nobody_waits_in_a_tree_at_rest() -> None:
    with Supervisor.start([worker("a")]):
        report = waits()

    assert report == Waits(waits=(), cycles=())
    assert str(report) == "nobody waits"


def test_a_call_is_told_with_its_caller_and_its_target() -> None:
    with letting_go(Block()) as block, running(Scripted) as ref:
        asking = threading.Thread(target=ref.call, args=(block, WAIT), name="asker")
        asking.start()
        block.inside()

        (wait,) = seen(lambda report: bool(report.waits)).waits

        assert (wait.waiter, wait.what, wait.target) == (
            "thread 'asker'",
            "reply",
            "Scripted",
        )
        assert 0 <= wait.seconds < WAIT
        assert str(wait).startswith("thread 'asker' waits for a reply of Scripted, ")
        block.release.set()
        asking.join(WAIT)
    assert waits().waits == ()


def test_an_answered_call_is_no_waiting_although_its_caller_has_not_woken() -> None:
    with letting_go(Block()) as block, running(Scripted) as ref:
        future = ref.submit(block)
        block.inside()
        told: list[Waits] = []
        future.on_done(lambda _done: told.append(waits()))
        asking = threading.Thread(target=lambda: future.get(timeout=WAIT))
        asking.start()
        block.release.set()
        asking.join(WAIT)

    assert [report.waits for report in told] == [()]


def test_actors_that_ask_each_other_are_named_as_a_deadlock() -> None:
    children = [
        worker("b", Caller, shutdown="brutal_kill"),
        worker("a", Caller, shutdown="brutal_kill"),
    ]
    with Supervisor.start(children) as top:
        top.handle("a").cast(top.handle("b"))
        top.handle("b").cast(top.handle("a"))

        report = seen(lambda report: bool(report.cycles))

        assert report.cycles == (("a", "b"),)
        assert str(report).endswith("deadlock: a -> b -> a")
        assert len(report.waits) == 2
        assert waits().cycles == report.cycles


def test_actors_on_a_loop_are_found_in_a_circle_with_those_in_threads() -> None:
    children = [
        worker("loop", EventLoopActor),
        worker("a", LoopCaller, loop="loop", shutdown="brutal_kill"),
        worker("b", Caller, shutdown="brutal_kill"),
    ]
    with Supervisor.start(children) as top:
        top.handle("a").cast(top.handle("b"))
        top.handle("b").cast(top.handle("a"))

        assert seen(lambda report: bool(report.cycles)).cycles == (("a", "b"),)


def test_a_chain_of_waits_is_no_circle() -> None:
    with letting_go(Block()) as block:
        children = [
            worker("a", Caller, shutdown="brutal_kill"),
            worker("b", Caller, shutdown="brutal_kill"),
            worker("c"),
        ]
        with Supervisor.start(children) as top:
            top.handle("c").cast(block)
            block.inside()
            top.handle("b").cast(top.handle("c"))
            top.handle("a").cast(top.handle("b"))

            report = seen(lambda report: len(report.waits) == 2)

            assert report.cycles == ()
            assert {(wait.waiter, wait.target) for wait in report.waits} == {
                ("a", "b"),
                ("b", "c"),
            }


def test_a_child_that_asks_its_supervisor_while_it_starts_is_a_deadlock() -> None:
    class AsksUpwards(Actor):
        def on_start(self) -> None:
            parent = self.surroundings.parent
            assert parent is not None
            parent.call("anybody there?", timeout=None)

    with Supervisor.start() as top:
        spec = ChildSpec(
            id="eager",
            actor=AsksUpwards,
            restart=Restart.TEMPORARY,
            start_timeout=WAIT,
        )
        errors: list[BaseException] = []

        def add() -> None:
            try:
                top.start_child(spec)
            except StartError as error:
                errors.append(error)

        adding = threading.Thread(target=add)
        adding.start()

        report = seen(lambda report: bool(report.cycles))

        assert report.cycles == (("eager", "root"),)
        assert "root waits for the start of eager" in str(report)
        assert str(report).endswith("deadlock: eager -> root -> eager")
        (eager,) = {life for life in living() if life.label == "eager"}
        eager.ref.kill()
        adding.join(WAIT)
        assert len(errors) == 1


def test_who_waits_for_a_name_is_told_with_the_name() -> None:
    with Supervisor.start() as top:

        def wait_for_it() -> None:
            with pytest.raises(ActorDownError):
                top.registry.await_name("ghost", 0.2)

        waiting = threading.Thread(target=wait_for_it)
        waiting.start()

        (wait,) = seen(lambda report: bool(report.waits)).waits

        assert wait.target == "ghost"
        waiting.join(WAIT)
