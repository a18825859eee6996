"""What actors do besides answering, wherever they live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from supervisors import (
    Actor,
    CallTimeoutError,
    Events,
    Failed,
    Handle,
    Killed,
    MailboxFullError,
    Ref,
    Registry,
    ScopeCancelledError,
    Shutdown,
    Surroundings,
    current_scope,
    within,
)
from supervisors.scope import Scope, deadline
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import (
    WAIT,
    BoomError,
    Scripted,
    letting_go,
    nothing,
)
from tests.supervisors.contracts.homes import Threads


class Diligent(Actor):
    """Continues, rests and notes it."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self.probe = probe

    def on_start(self) -> None:
        self.continue_with("after start")

    def on_receive(self, message: Any) -> Any:
        return message(self)

    def on_continue(self, term: Any) -> None:
        self.probe(term)

    def on_idle(self) -> None:
        self.probe("idle")


class Narrow(Scripted):
    mailbox_limit = 2


def placed(home: Threads, actor: Any, clock: ManualClock) -> Any:
    """The actor, started in a tree with that clock."""
    actor.surroundings = Surroundings(registry=Registry(), events=Events(), clock=clock)
    return home.launch(actor)


# Continuations.


def test_continuations_go_ahead_of_messages(home: Threads) -> None:
    probe = Probe()

    def twice(actor: Any) -> None:
        actor.continue_with(1)
        actor.continue_with(2)
        actor.actor_ref.cast(lambda actor: actor.probe("message"))

    with home.running(Diligent, probe) as ref:
        assert probe.expect() == "after start"
        ref.cast(twice)

        assert [probe.expect() for _ in range(3)] == [1, 2, "message"]


def test_a_continuation_that_raises_ends_the_actor(home: Threads) -> None:
    class Fails(Diligent):
        def on_continue(self, term: Any) -> None:
            raise BoomError(term)

    ref = home.start(Fails, Probe())

    reason = ref.wait(WAIT)
    assert "BoomError: after start" in str(reason)


def test_every_message_is_counted_once_beside_continuations(home: Threads) -> None:
    with home.running(Diligent, Probe()) as ref:
        for _ in range(3):
            ref.call(lambda actor: actor.continue_with("more"))
        ref.call(nothing)

        # The answer is out a moment before the message is put down.
        assert ref.call(lambda actor: actor.actor_inbox.handled) == 4


# Idle.


def test_an_idle_time_comes_once(home: Threads) -> None:
    probe, clock = Probe(), ManualClock()
    ref = placed(home, home.make(Diligent, probe), clock)
    assert probe.expect() == "after start"
    ref.call(lambda actor: actor.idle_after(5))

    clock.advance(5)

    assert probe.expect() == "idle"
    clock.advance(50)
    ref.call(nothing)
    probe.expect_nothing()
    ref.shutdown()


def test_a_message_calls_an_idle_time_off(home: Threads) -> None:
    probe, clock = Probe(), ManualClock()
    ref = placed(home, home.make(Diligent, probe), clock)
    assert probe.expect() == "after start"
    ref.call(lambda actor: actor.idle_after(5))
    ref.call(nothing)

    clock.advance(5)

    ref.call(nothing)
    probe.expect_nothing()
    ref.shutdown()


# Suspension.


def test_a_suspended_actor_handles_nothing_until_it_is_resumed(home: Threads) -> None:
    with home.running(Scripted) as ref:
        assert ref.suspend(WAIT)
        future = ref.submit(lambda actor: "handled")

        assert not future.wait(0.02)

        ref.resume()
        assert future.get(timeout=WAIT) == "handled"


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda ref: ref.shutdown(), Shutdown()),
        (lambda ref: ref.kill(), Killed()),
        (lambda ref: ref.signal(Failed("enough")), Failed("enough")),
    ],
    ids=["shutdown", "kill", "signal"],
)
def test_a_suspended_actor_can_be_ended(
    home: Threads, end: Callable[[Ref[Any]], object], reason: Any
) -> None:
    ref = home.start(Scripted)
    assert ref.suspend(WAIT)
    future = ref.submit(nothing)

    end(ref)

    assert ref.wait(WAIT) == reason
    assert future.wait(WAIT)
    assert future.failed()
    assert ref.life.thread_left.wait(WAIT)


def test_a_suspension_waits_for_the_message_in_hand(home: Threads) -> None:
    with home.running(Scripted) as ref, letting_go(home.block()) as block:
        ref.cast(block)
        block.inside()

        assert not ref.suspend(0.02)

        block.release.set()
        assert ref.suspend(WAIT)
        ref.resume()


def test_what_is_sent_right_behind_a_suspension_waits(home: Threads) -> None:
    with home.running(Scripted) as ref:
        suspended = ref.life.suspend()
        future = ref.submit(lambda actor: "handled")
        assert suspended.wait(WAIT)

        assert not future.wait(0.02)

        ref.resume()
        assert future.get(timeout=WAIT) == "handled"


# A bounded mailbox.


def test_a_full_mailbox_refuses_messages_but_no_stop(home: Threads) -> None:
    ref = home.start(Narrow)
    with letting_go(home.block()) as block:
        ref.cast(block)
        block.inside()
        ref.cast(nothing)
        ref.cast(nothing)

        with pytest.raises(MailboxFullError) as caught:
            ref.cast(nothing)
        stopping = ref.stop(block=False)

    assert caught.value.limit == 2
    assert stopping.get(timeout=WAIT) is True


# Scopes and names.


def test_an_actor_works_in_a_scope_of_its_own(home: Threads) -> None:
    with within(Scope("the starter's")), home.running(Scripted) as ref:
        assert ref.call(lambda actor: current_scope()) is ref.life.scope


def test_what_a_killed_actor_still_casts_is_void(home: Threads) -> None:
    probe = Probe()
    with home.running(Scripted) as other:

        def kill_yourself_and_cast(actor: Any) -> None:
            actor.actor_ref.kill()
            other.cast(lambda _: probe("cast"))

        ref = home.start(Scripted)
        ref.cast(kill_yourself_and_cast)

        assert ref.wait(WAIT) == Killed()
        assert ref.life.thread_left.wait(WAIT)
        other.call(nothing)
        probe.expect_nothing()


def test_calls_end_with_the_scope_they_are_made_in(home: Threads) -> None:
    with home.running(Scripted) as ref, letting_go(home.block()) as block:
        ref.cast(block)
        scope = Scope("work")
        scope.cancel("enough")

        with within(scope), pytest.raises(ScopeCancelledError):
            ref.call(nothing)
        with deadline(0.01), pytest.raises(CallTimeoutError):
            ref.call(nothing, timeout=None)


def test_a_name_leads_to_the_actor_until_it_ends(home: Threads) -> None:
    registry = Registry()
    with home.running(Scripted) as ref:
        registry.register("scripted", ref)

        assert Handle(registry, "scripted").call(lambda actor: 7) == 7

    assert registry.whereis("scripted") is None


# Many messages.


def test_a_burst_is_handled_in_order(home: Threads) -> None:
    seen: list[int] = []
    with home.running(Scripted) as ref:
        for number in range(1_000):
            ref.cast(lambda actor, number=number: seen.append(number))
        ref.call(nothing, timeout=WAIT)

    assert seen == list(range(1_000))
