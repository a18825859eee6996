"""What an actor does when no message comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from supervisors import Crashed, Ref
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import (
    WAIT,
    BoomError,
    Scripted,
    nothing,
    on_clock,
    running,
    settle,
)


class Idle(Scripted):
    """Tells a probe when it is idle."""

    def __init__(self, probe: Any) -> None:
        super().__init__()
        self.probe = probe

    def on_idle(self) -> None:
        self.probe(self)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
def ref(clock: ManualClock, probe: Probe) -> Iterator[Ref[Any]]:
    """An actor that waits for ten idle seconds."""
    with on_clock(Idle(probe), clock) as ref:
        ref.call(idle_after_ten)
        settle(ref)
        yield ref


def idle_after_ten(actor: Any) -> None:
    actor.idle_after(10)


def test_it_is_idle_once_when_the_time_has_passed(
    ref: Ref[Any], clock: ManualClock, probe: Probe
) -> None:
    clock.advance(9.9)
    settle(ref)
    probe.expect_nothing()

    clock.advance(0.1)

    probe.expect()
    settle(ref)
    clock.advance(100)
    settle(ref)
    probe.expect_nothing()


def test_it_may_wait_again_from_there(clock: ManualClock) -> None:
    probe = Probe()

    def again(actor: Any) -> None:
        probe(clock.monotonic())
        actor.idle_after(10)

    with on_clock(Idle(again), clock) as ref:
        ref.call(idle_after_ten)
        for expected in (10.0, 20.0, 30.0):
            settle(ref)
            clock.advance(10)
            assert probe.expect() == expected


def test_a_message_calls_it_off(
    ref: Ref[Any], clock: ManualClock, probe: Probe
) -> None:
    ref.call(nothing)
    clock.advance(100)
    settle(ref)

    probe.expect_nothing()


def test_a_message_that_waits_already_calls_it_off(
    ref: Ref[Any], clock: ManualClock, probe: Probe
) -> None:
    assert ref.suspend()
    ref.cast(nothing)
    clock.advance(100)
    ref.resume()
    settle(ref)

    probe.expect_nothing()


def test_a_timer_calls_it_off(clock: ManualClock, probe: Probe) -> None:
    def plan(actor: Any) -> None:
        actor.send_after(5, nothing)
        actor.idle_after(10)

    with on_clock(Idle(probe), clock) as ref:
        ref.call(plan)
        settle(ref)
        clock.advance(5)
        settle(ref)
        clock.advance(100)
        settle(ref)

        probe.expect_nothing()


def test_a_down_that_was_called_off_does_not_call_it_off(
    clock: ManualClock, probe: Probe
) -> None:
    with on_clock(Idle(probe), clock) as ref, running(Scripted) as other:

        def watch_for_a_moment(actor: Any) -> None:
            monitor = actor.monitor(other)
            other.kill()
            actor.demonitor(monitor)
            actor.idle_after(10)

        ref.call(watch_for_a_moment)
        settle(ref)
        clock.advance(10)

        probe.expect()


def test_idling_that_crashes_ends_the_actor(clock: ManualClock) -> None:
    error = BoomError("idle")

    def crash(actor: Any) -> None:
        raise error

    with on_clock(Idle(crash), clock) as ref:
        ref.call(idle_after_ten)
        settle(ref)
        clock.advance(10)

        assert ref.wait(WAIT) == Crashed(error)
