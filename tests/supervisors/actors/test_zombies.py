"""Dead children whose threads still run: counted, named, and so many only."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from supervisors import (
    DynamicSupervisor,
    DynamicSupervisorActor,
    Event,
    EventLoopActor,
    Events,
    Intensity,
    Killed,
    LoopActor,
    Ref,
    Restart,
    RestartLimitError,
    StartError,
    Supervisor,
    SupervisorActor,
    TooManyZombies,
    events,
)
from supervisors.exits import Failed
from supervisors.testing import Probe
from tests.supervisors.actors.parts import WAIT, Block, nothing, worker


@pytest.fixture
def heard() -> Probe:
    return Probe()


@pytest.fixture
def crowd(heard: Probe) -> Iterator[DynamicSupervisor]:
    """A dynamic supervisor that bears two zombies."""
    spec = worker(
        "crowd",
        DynamicSupervisorActor,
        kwargs={"max_zombies": 2},
        kind="supervisor",
    )
    telemetry = Events()
    telemetry.attach(heard, prefix=events.CHILD_ABANDONED)
    with Supervisor.start([spec], events=telemetry) as top:
        yield DynamicSupervisor(top.registry, "crowd")


@contextlib.contextmanager
def stuck(crowd: DynamicSupervisor, name: str) -> Iterator[Block]:
    """A child that is killed inside a message."""
    block = Block()
    ref = crowd.start_child(
        worker(name, restart=Restart.TEMPORARY, shutdown="brutal_kill")
    )
    ref.cast(block)
    block.inside()
    crowd.terminate_child(ref)
    try:
        yield block
    finally:
        block.release.set()
        assert ref.life.thread_left.wait(WAIT)


def zombies_of(crowd: DynamicSupervisor) -> list[str]:
    shown = crowd.ref().life.children()
    return sorted(life.label for life in shown.zombies)


def test_a_zombie_is_shown_until_its_thread_leaves(crowd: DynamicSupervisor) -> None:
    with stuck(crowd, "a") as block:
        assert zombies_of(crowd) == ["a"]
        block.release.set()

    assert zombies_of(crowd) == []


def test_a_zombie_is_an_event_that_names_its_thread(
    crowd: DynamicSupervisor, heard: Probe
) -> None:
    with stuck(crowd, "a"):
        event: Event = heard.expect()

        assert event.metadata["child_id"] == "a"
        assert event.metadata["thread"].endswith("(given up: a)")
        assert event.measurements == {"zombies": 1}


def test_a_thread_has_its_own_name_again_when_it_leaves(
    crowd: DynamicSupervisor,
) -> None:
    ref = crowd.start_child(worker("a", restart=Restart.TEMPORARY, shutdown=0.0))
    thread = ref.life.thread
    name = thread.name
    block = Block()
    ref.cast(block)
    block.inside()
    crowd.terminate_child(ref)
    assert thread.name != name

    block.release.set()
    assert ref.life.thread_left.wait(WAIT)

    assert thread.name == name


def test_there_may_be_so_many_zombies_and_nothing_is_started_beside_them(
    crowd: DynamicSupervisor,
) -> None:
    with stuck(crowd, "a"), stuck(crowd, "b") as second:
        with pytest.raises(StartError, match="max_zombies of their supervisor: a, b"):
            crowd.start_child(worker("c"))

        second.release.set()

    assert crowd.start_child(worker("c")).is_alive()


def test_the_refusal_is_a_value(crowd: DynamicSupervisor) -> None:
    with (
        stuck(crowd, "a"),
        stuck(crowd, "b"),
        pytest.raises(StartError) as caught,
    ):
        crowd.start_child(worker("c"))

    reason = caught.value.reason
    assert isinstance(reason, Failed)
    assert reason.term == TooManyZombies(2, ("a", "b"))


def kill_stuck(top: Supervisor) -> tuple[Ref[Any], Block]:
    """Kill the child inside a message; it becomes a zombie."""
    ref = top.registry.await_name("a", WAIT)
    block = Block()
    ref.cast(block)
    block.inside()
    ref.kill()
    return ref, block


def test_restarts_that_only_make_zombies_end_with_the_reason() -> None:
    actor = SupervisorActor(
        [worker("a")], intensity=Intensity(max_restarts=50), max_zombies=3
    )
    blocks = []
    with Supervisor.start_root(actor) as top:
        for _ in range(3):
            ref, block = kill_stuck(top)
            blocks.append(block)
            assert ref.wait(WAIT) == Killed()
        try:
            # Each further start is refused, and counted, until the supervisor ends.
            assert top.ref().wait(WAIT) is not None
            with pytest.raises(RestartLimitError, match="max_zombies"):
                top.handle("a").call(nothing)
        finally:
            for block in blocks:
                block.release.set()


class Waits(LoopActor):
    async def on_receive(self, message: object) -> None:
        await asyncio.Event().wait()


def test_an_actor_on_a_loop_is_cancelled_and_no_zombie(heard: Probe) -> None:
    telemetry = Events()
    telemetry.attach(heard, prefix=events.CHILD_ABANDONED)
    specs = [
        worker("loop", EventLoopActor),
        worker("a", Waits, loop="loop", restart=Restart.TEMPORARY),
    ]
    with Supervisor.start(specs, events=telemetry) as top:
        ref = top.registry.resolve("a")
        ref.cast("wait")
        ref.kill()
        top.count_children()

        assert ref.life.thread_left.wait(WAIT)
        heard.expect_nothing()
