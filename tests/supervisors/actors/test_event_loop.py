"""Actors on an asyncio loop of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from supervisors import (
    NO_REPLY,
    ActorDownError,
    Crashed,
    EventLoopActor,
    Events,
    Killed,
    Ref,
    Registry,
    Shutdown,
    Surroundings,
    _census,
)
from supervisors._launch import launch
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    BoomError,
    boom,
    letting_go,
    nothing,
    running,
)


class Looper(EventLoopActor):
    """Does what it is sent, on its loop."""

    def __init__(self, probe: Probe | None = None) -> None:
        super().__init__()
        self.probe = probe or Probe()

    def on_receive(self, message: Callable[[Any], Any]) -> Any:
        return message(self)

    async def on_close(self) -> None:
        self.probe("closed")


def sleeper(probe: Probe) -> Callable[[Any], None]:
    """A message that spawns work which only ends when it is cancelled."""

    async def work() -> None:
        try:
            probe("asleep")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            probe("cancelled")
            raise

    def start(actor: Looper) -> None:
        actor.spawn(work())

    return start


def test_handlers_and_spawned_work_run_on_one_loop() -> None:
    seen = Probe()

    async def work() -> None:
        seen((threading.get_ident(), asyncio.get_running_loop()))

    def where(actor: Looper) -> Any:
        actor.spawn(work())
        return threading.get_ident(), asyncio.get_running_loop()

    with running(Looper) as ref:
        assert ref.call(where) == seen.expect()


def test_spawned_work_may_answer_later() -> None:
    def later(actor: Looper) -> Any:
        token = actor.reply_token()

        async def work() -> None:
            await asyncio.sleep(0)
            token.reply("later")

        actor.spawn(work())
        return NO_REPLY

    with running(Looper) as ref:
        assert ref.call(later) == "later"


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda ref: ref.kill(), Killed),
        (lambda ref: ref.shutdown(), Shutdown),
        (lambda ref: ref.cast(boom), Crashed),
    ],
    ids=["kill", "shutdown", "crash"],
)
def test_spawned_work_is_cancelled_at_every_end(
    end: Callable[[Ref[Any]], Any], reason: type
) -> None:
    probe = Probe()
    ref = Looper.start(probe)
    ref.cast(sleeper(probe))
    assert probe.expect() == "asleep"

    end(ref)

    assert probe.expect() == "cancelled"
    assert probe.expect() == "closed"
    assert isinstance(ref.wait(WAIT), reason)
    assert ref.life.thread_left.wait(WAIT)
    probe.expect_nothing()


def test_an_idle_loop_that_is_killed_closes() -> None:
    for _ in range(100):
        ref = Looper.start()

        ref.kill()

        assert ref.life.thread_left.wait(WAIT)


def test_a_handler_that_raises_ends_the_actor_and_tells_the_caller() -> None:
    ref = Looper.start()

    with pytest.raises(ActorDownError) as caught:
        ref.call(boom)

    assert isinstance(caught.value.__cause__, BoomError)


@pytest.mark.parametrize("error", [BoomError("in work"), SystemExit(2)])
def test_spawned_work_that_raises_ends_the_actor(error: BaseException) -> None:
    async def work() -> None:
        raise error

    probe = Probe()
    ref = Looper.start(probe)
    with letting_go(Block()) as block:
        block.release.set()
        ref.cast(lambda actor: actor.spawn(work()))

        assert ref.wait(WAIT) == Crashed(error)
    assert probe.expect() == "closed"


def test_an_on_close_that_raises_becomes_the_reason_and_nobody_hangs() -> None:
    class Untidy(Looper):
        async def on_close(self) -> None:
            raise BoomError("close")

    ref = Untidy.start()
    ref.shutdown()

    reason = ref.wait(WAIT)
    assert isinstance(reason, Crashed)
    assert str(reason.exception) == "close"


def test_work_that_ended_is_forgotten() -> None:
    async def work() -> None:
        return

    with running(Looper) as ref:
        for _ in range(10):
            ref.call(lambda actor: actor.spawn(work()) and None)
        for _ in range(1_000):
            if ref.call(lambda actor: len(actor._spawned)) == 0:
                return
        pytest.fail("ended work is still kept")


def test_cancelling_a_task_harms_nobody() -> None:
    probe = Probe()

    def start(actor: Any) -> None:
        sleeper(probe)(actor)
        (actor.task,) = actor._spawned

    with running(Looper, probe) as ref:
        ref.call(start)
        assert probe.expect() == "asleep"

        ref.call(lambda actor: actor.task.cancel())

        assert probe.expect() == "cancelled"
        assert ref.call(lambda actor: "here") == "here"


def test_a_burst_of_messages_is_handled_in_order() -> None:
    seen: list[int] = []
    with running(Looper) as ref:
        for number in range(5_000):
            ref.cast(lambda actor, number=number: seen.append(number))
        ref.call(nothing, timeout=WAIT)

    assert seen == list(range(5_000))


def test_calls_from_many_threads_are_all_answered() -> None:
    wrong: list[Any] = []
    with running(Looper) as ref:

        def ask(first: int) -> None:
            for number in range(first, first + 200):
                answer = ref.call(lambda actor, number=number: number, timeout=WAIT)
                if answer != number:
                    wrong.append((number, answer))

        threads = [threading.Thread(target=ask, args=(n * 200,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert wrong == []


def test_calls_that_race_with_a_kill_all_end() -> None:
    for _ in range(50):
        ref = Looper.start()
        barrier = threading.Barrier(5)
        outcomes: list[str] = []

        def ask(
            ref: Ref[Any] = ref,
            barrier: threading.Barrier = barrier,
            outcomes: list[str] = outcomes,
        ) -> None:
            barrier.wait(WAIT)
            for _ in range(20):
                try:
                    outcomes.append(ref.call(lambda actor: "value", timeout=WAIT))
                except ActorDownError:
                    outcomes.append("down")

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        barrier.wait(WAIT)
        ref.kill()
        for thread in threads:
            thread.join(WAIT)

        assert len(outcomes) == 80
        assert ref.life.thread_left.wait(WAIT)


def test_messages_from_before_the_loop_are_handled() -> None:
    class Early(Looper):
        def on_start(self) -> None:
            self.actor_ref.cast(lambda actor: actor.probe("early"))

    probe = Probe()
    with running(Early, probe):
        assert probe.expect() == "early"


def test_timers_fire_when_the_clock_is_wound() -> None:
    clock = ManualClock()
    probe = Probe()
    actor = Looper(probe)
    actor.surroundings = Surroundings(registry=Registry(), events=Events(), clock=clock)
    launch(actor, timeout=WAIT)
    ref = actor.actor_ref

    def plan(actor: Looper) -> None:
        for seconds in (30.0, 10.0):
            actor.send_after(seconds, lambda actor, at=seconds: actor.probe(at))

    ref.call(plan)
    clock.advance(10)
    assert probe.expect() == 10.0
    ref.call(nothing)
    probe.expect_nothing()
    clock.advance(20)
    assert probe.expect() == 30.0
    ref.shutdown()
    assert probe.expect() == "closed"


def test_a_timer_fires_by_itself_on_the_machines_clock() -> None:
    probe = Probe()
    with running(Looper, probe) as ref:
        ref.call(
            lambda actor: actor.send_after(0.01, lambda actor: actor.probe("fired"))
        )

        assert probe.expect() == "fired"


def test_a_loop_stuck_in_a_handler_is_given_up_and_closes_when_it_returns() -> None:
    probe = Probe()
    ref = Looper.start(probe)
    with letting_go(Block()) as block:
        future = ref.submit(block)
        block.inside()

        ref.kill()

        with pytest.raises(ActorDownError):
            future.get(timeout=WAIT)
        assert ref.life in _census.zombies()
    assert probe.expect() == "closed"
    assert ref.life.thread_left.wait(WAIT)
