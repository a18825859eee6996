"""`settled` returns when nobody has anything to do, and not before."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from supervisors import (
    Actor,
    Backoff,
    Handle,
    Intensity,
    Ref,
    Supervisor,
    SupervisorActor,
)
from supervisors.testing import (
    ManualClock,
    assert_no_actor_left,
    assert_no_ask_cycle,
    living,
    settled,
)
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    Scripted,
    boom,
    letting_go,
    refs,
    running,
    worker,
)

PLENTY = Intensity(max_restarts=1_000, within=60)


class Passes(Actor):
    """Passes a number on, one less each time, and counts what it saw."""

    def __init__(self, seen: list[int], to: str) -> None:
        super().__init__()
        self.seen = seen
        self.to = to

    def on_receive(self, message: int) -> None:
        self.seen.append(message)
        if message:
            Handle(self.surroundings.registry, self.to).cast(message - 1)


@pytest.mark.parametrize("attempt", range(20))
def test_messages_that_actors_pass_to_each_other_are_waited_for(attempt: int) -> None:
    del attempt
    seen: list[int] = []
    names = ("a", "b", "c")
    children = [
        worker(name, Passes, args=(seen, names[(number + 1) % 3]))
        for number, name in enumerate(names)
    ]
    with Supervisor.start(children) as top:
        top.handle("a").cast(200)

        settled(top)

        assert seen == list(range(200, -1, -1))


def test_restarts_in_nested_trees_are_waited_for() -> None:
    branch = worker(
        "branch",
        SupervisorActor,
        args=([worker("w")],),
        kwargs={"intensity": PLENTY},
        kind="supervisor",
    )
    with Supervisor.start([branch], intensity=PLENTY) as top:
        for attempt in range(20):
            ref = top.registry.resolve("w")
            if attempt % 2:
                ref.kill()
            else:
                ref.cast(boom)
            settled(top)
            assert top.registry.resolve("w") != ref


def test_who_is_busy_is_named_when_time_is_up() -> None:
    with letting_go(Block()) as block, Supervisor.start([worker("a")]) as top:
        top.handle("a").cast(block)
        block.inside()

        with pytest.raises(AssertionError, match="a has Block in hand"):
            settled(top, timeout=0.01)

        refs(top)["a"].suspend(timeout=0)
        block.release.set()
        top.handle("a").cast(block)
        with pytest.raises(AssertionError, match="a has 1 messages waiting"):
            settled(top, timeout=0.2)
        refs(top)["a"].resume()
        settled(top)


def test_a_restart_that_waits_for_the_clock_is_nothing_to_do() -> None:
    clock = ManualClock()
    spec = worker("a", backoff=Backoff(initial=5.0, jitter=0.0))
    with Supervisor.start([spec], intensity=PLENTY, clock=clock) as top:
        top.handle("a").cast(boom)
        settled(top)
        assert refs(top) == {}

        clock.advance(5.0)
        settled(top)

        assert list(refs(top)) == ["a"]


def test_due_timers_and_refs_outside_of_trees_are_waited_for() -> None:
    clock = ManualClock()
    seen: list[Any] = []

    class Timed(Scripted):
        def on_start(self) -> None:
            self._clock = self.life.clock = clock
            clock.subscribe(self.actor_inbox.poke)
            self.send_after(3.0, lambda _actor: seen.append("rang"))

    with running(Timed) as ref:
        settled(ref)
        assert seen == []

        clock.advance(3.0)
        settled(ref)

        assert seen == ["rang"]


def test_what_is_left_alive_is_shown_with_the_stack_of_its_thread() -> None:
    before = living()

    def stands_here(actor: Any) -> None:
        block(actor)

    with letting_go(Block()) as block:
        ref: Ref[Any] = Scripted.start()
        ref.cast(stands_here)
        block.inside()
        ref.kill()

        with pytest.raises(AssertionError, match="still running") as caught:
            assert_no_actor_left(0.001, besides=before)

        assert "stands_here" in str(caught.value)
        assert "['Scripted']" in str(caught.value)
        block.release.set()
    assert_no_actor_left(besides=before)


def test_an_ask_cycle_fails_the_assertion_that_there_is_none() -> None:
    class Asks(Actor):
        def on_receive(self, message: Handle) -> Any:
            entered.wait(WAIT)
            return message.call(message, timeout=None)

    entered = threading.Barrier(2)
    children = [worker(name, Asks, shutdown="brutal_kill") for name in ("a", "b")]
    assert_no_ask_cycle()
    with Supervisor.start(children) as top:
        top.handle("a").cast(top.handle("b"))
        top.handle("b").cast(top.handle("a"))
        with pytest.raises(AssertionError, match="not settled"):
            settled(top, timeout=0.2)

        with pytest.raises(AssertionError, match="deadlock: a -> b -> a"):
            assert_no_ask_cycle()
