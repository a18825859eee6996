"""An actor that stands still, and goes on where it was."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import Killed, Shutdown
from supervisors._suspension import Suspension
from supervisors.testing import Probe, ProbeActor
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    Scripted,
    letting_go,
    nothing,
    running,
    together,
)
from tests.supervisors.race import switch_interval


def test_messages_wait_until_it_is_resumed_and_keep_their_order() -> None:
    probe = Probe()
    with running(ProbeActor, probe) as ref:
        assert ref.suspend()
        ref.cast("first")
        ref.cast("second")
        # Suspended for certain, the actor has had its chance to misbehave.
        assert ref.suspend()
        probe.expect_nothing()

        ref.resume()

        assert [probe.expect(), probe.expect()] == ["first", "second"]


def test_suspending_twice_is_suspending_once() -> None:
    with running(Scripted) as ref:
        assert ref.suspend()
        assert ref.suspend()

        ref.resume()

        assert ref.call(lambda actor: "goes on") == "goes on"


def test_resuming_an_actor_that_runs_changes_nothing() -> None:
    with running(Scripted) as ref:
        ref.resume()
        assert ref.suspend()
        ref.resume()
        ref.resume()

        assert ref.call(lambda actor: "goes on") == "goes on"


def test_a_busy_actor_stands_still_when_its_message_is_done() -> None:
    with running(Scripted) as ref, letting_go(Block()) as block:
        ref.cast(block)
        block.inside()

        assert not ref.suspend(timeout=0.01)
        block.release.set()
        assert ref.suspend()

        answer = ref.submit(nothing)
        assert not answer.done()
        ref.resume()
        answer.get(timeout=WAIT)


def test_a_suspended_actor_can_be_shut_down() -> None:
    ref = Scripted.start()
    assert ref.suspend()
    answer = ref.submit(nothing)

    ref.shutdown()

    assert ref.wait(WAIT) == Shutdown()
    with pytest.raises(Exception, match="it ended"):
        answer.get(timeout=WAIT)


def test_an_actor_that_is_stopping_is_not_held_up_by_a_suspension() -> None:
    ref = Scripted.start()
    with letting_go(Block()) as block:
        ref.cast(block)
        block.inside()
        ref.shutdown()
        assert not ref.suspend(timeout=0)

    assert ref.wait(WAIT) == Shutdown()
    assert ref.suspend()


def test_a_suspended_actor_can_be_killed_and_leaves_its_thread() -> None:
    ref = Scripted.start()
    assert ref.suspend()

    ref.kill()

    assert ref.wait(0) == Killed()
    assert ref.life.thread_left.wait(WAIT)


def test_a_dead_actor_stands_still() -> None:
    ref = Scripted.start()
    ref.kill()

    assert ref.suspend(timeout=0)
    ref.resume()


def test_one_that_waits_for_the_standstill_hears_of_the_death() -> None:
    ref = Scripted.start()
    with letting_go(Block()) as block:
        ref.cast(block)
        block.inside()
        stands_still = ref.life.suspend()
        ref.kill()

        assert stands_still.wait(0)


def test_nothing_is_kept_of_suspensions_that_are_over() -> None:
    with running(Scripted) as ref:
        before = len(ref.life.ended._callbacks)
        for _ in range(10):
            ref.suspend()
            ref.resume()

        assert len(ref.life.ended._callbacks) == before


def test_many_who_suspend_and_resume_at_once_leave_it_running() -> None:
    def often(step: Any) -> Any:
        def run() -> None:
            for _ in range(200):
                step()

        return run

    with running(Scripted) as ref, switch_interval(1e-6):
        together(
            *[often(ref.life.suspend)] * 3,
            *[often(ref.resume)] * 3,
        )
        ref.resume()

        assert ref.call(lambda actor: "goes on", WAIT) == "goes on"
        assert ref.suspend(WAIT)
        ref.resume()


def test_all_who_suspend_at_once_wait_for_the_same_standstill() -> None:
    with switch_interval(1e-6):
        for _ in range(200):
            suspension = Suspension({})
            promises: list[object] = []

            together(*[lambda: promises.append(suspension.begin())] * 4)  # noqa: B023 - run at once

            assert len(promises) == 4
            assert len({id(promise) for promise in promises}) == 1
