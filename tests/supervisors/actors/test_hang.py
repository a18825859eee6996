"""Children that are stuck in a message are found and replaced."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from supervisors import (
    ChildSpec,
    ConfigError,
    EventLoopActor,
    Hung,
    Intensity,
    LoopActor,
    Restart,
    Supervisor,
    events,
)
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    Scripted,
    letting_go,
    nothing,
    until,
    worker,
)

PATIENT = Intensity(max_restarts=100)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_a_message_in_hand_for_too_long_ends_the_child_as_hung(
    clock: ManualClock,
) -> None:
    heard = Probe()
    spec = worker("stuck", hang_after=5.0)
    with (
        letting_go(Block()) as block,
        Supervisor.start([spec], intensity=PATIENT, clock=clock) as top,
    ):
        ref = top.registry.resolve("stuck")
        ref.monitor(heard)
        pending = ref.submit(block)
        block.inside()

        clock.advance(4.9)
        top.count_children()
        heard.expect_nothing()
        clock.advance(0.1)

        assert heard.expect() == Hung(5.0)
        assert top.handle("stuck").call(nothing, WAIT, idempotent=True) is None
        with pytest.raises(Exception, match="hung: one message in hand for"):
            pending.get()


def test_what_replaces_a_hung_child_is_looked_at_as_well(clock: ManualClock) -> None:
    heard = Probe()
    spec = worker("stuck", hang_after=5.0)
    with Supervisor.start([spec], intensity=PATIENT, clock=clock) as top:
        for _ in range(3):
            with letting_go(Block()) as block:
                ref = top.registry.await_name("stuck", WAIT)
                top.count_children()
                ref.monitor(heard)
                ref.cast(block)
                block.inside()

                clock.advance(5.0)

                assert heard.expect() == Hung(5.0)


def test_an_impatient_child_is_looked_at_in_time_beside_a_patient_one(
    clock: ManualClock,
) -> None:
    heard = Probe()
    with (
        letting_go(Block()) as block,
        Supervisor.start([worker("patient", hang_after=100.0)], clock=clock) as top,
    ):
        ref = top.start_child(worker("impatient", hang_after=1.0))
        ref.monitor(heard)
        ref.cast(block)
        block.inside()

        clock.advance(1.0)

        assert heard.expect() == Hung(1.0)
        assert top.handle("patient").is_alive()


def test_many_short_messages_are_no_hang(clock: ManualClock) -> None:
    spec = worker("busy", hang_after=5.0)
    with Supervisor.start([spec], clock=clock) as top:
        ref = top.registry.resolve("busy")
        for _ in range(10):
            clock.advance(4.0)
            ref.call(nothing)
        top.count_children()

        assert ref.is_alive()


def test_an_idle_child_is_not_hung(clock: ManualClock) -> None:
    with Supervisor.start([worker("idle", hang_after=5.0)], clock=clock) as top:
        clock.advance(1_000)
        top.count_children()

        assert top.handle("idle").is_alive()


def test_a_child_without_hang_after_may_take_any_time(clock: ManualClock) -> None:
    specs = [worker("slow"), worker("other", hang_after=1.0)]
    with (
        letting_go(Block()) as block,
        Supervisor.start(specs, clock=clock) as top,
    ):
        ref = top.registry.resolve("slow")
        ref.cast(block)
        block.inside()

        clock.advance(1_000)
        top.count_children()

        assert ref.is_alive()
        block.release.set()


def test_a_temporary_child_that_hangs_is_ended_and_not_replaced(
    clock: ManualClock,
) -> None:
    spec = worker("once", hang_after=1.0, restart=Restart.TEMPORARY)
    with (
        letting_go(Block()) as block,
        Supervisor.start([spec], clock=clock) as top,
    ):
        ref = top.registry.resolve("once")
        ref.cast(block)
        block.inside()
        clock.advance(1.0)

        assert ref.wait(WAIT) == Hung(1.0)
        until(lambda: top.which_children() == ())


def test_a_hang_is_an_event_with_how_long_it_took(clock: ManualClock) -> None:
    with (
        letting_go(Block()) as block,
        Supervisor.start([worker("stuck", hang_after=2.0)], clock=clock) as top,
    ):
        ref = top.registry.resolve("stuck")
        heard = Probe()
        surroundings = ref.call(lambda actor: actor.surroundings)
        surroundings.events.attach(heard, prefix=events.CHILD_HUNG)
        ref.cast(block)
        block.inside()
        clock.advance(2.0)

        event = heard.expect()
        assert event.metadata["child_id"] == "stuck"
        assert event.measurements == {"seconds": 2.0}


class Loop(EventLoopActor):
    def on_receive(self, message: Any) -> Any:
        return message(self)


def test_an_event_loop_that_does_not_turn_is_hung(clock: ManualClock) -> None:
    release = threading.Event()
    blocked = threading.Event()

    def block_the_loop() -> None:
        blocked.set()
        release.wait(WAIT)

    spec = worker("loop", Loop, hang_after=5.0)
    with Supervisor.start([spec], intensity=PATIENT, clock=clock) as top:
        ref = top.registry.resolve("loop")
        # No message is in hand: the loop itself is stuck.
        ref.call(lambda actor: actor.loop.call_soon(block_the_loop) and None)
        assert blocked.wait(WAIT)
        try:
            # The first look asks the loop to answer, the second finds it silent.
            for _ in range(3):
                clock.advance(5.0)
                top.count_children()

            assert isinstance(ref.wait(WAIT), Hung)
        finally:
            release.set()
        assert top.handle("loop").call(nothing, WAIT, idempotent=True) is None


def test_an_event_loop_that_turns_is_not_hung(clock: ManualClock) -> None:
    with Supervisor.start([worker("loop", Loop, hang_after=5.0)], clock=clock) as top:
        ref = top.registry.resolve("loop")
        for _ in range(5):
            clock.advance(5.0)
            top.count_children()
            ref.call(nothing)

        assert ref.is_alive()


class Waits(LoopActor):
    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self.probe = probe

    async def on_receive(self, message: Any) -> Any:
        if message == "echo":
            return message
        self.probe("waiting")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.probe("cancelled")
            raise


def test_a_loop_actor_that_hangs_is_cancelled_for_real(clock: ManualClock) -> None:
    probe = Probe()
    specs = [
        worker("loop", EventLoopActor),
        worker("waits", Waits, args=(probe,), loop="loop", hang_after=5.0),
    ]
    with Supervisor.start(specs, intensity=PATIENT, clock=clock) as top:
        ref = top.registry.resolve("waits")
        ref.cast("hang")
        assert probe.expect() == "waiting"
        for _ in range(2):
            clock.advance(5.0)
            top.count_children()

        assert isinstance(ref.wait(WAIT), Hung)
        assert probe.expect() == "cancelled"
        assert top.handle("waits").call("echo", WAIT, idempotent=True) == "echo"


@pytest.mark.parametrize("hang_after", [0, -1, float("inf")])
def test_hang_after_is_a_span(hang_after: float) -> None:
    with pytest.raises(ConfigError, match="hang_after"):
        ChildSpec(id="a", actor=Scripted, hang_after=hang_after)
