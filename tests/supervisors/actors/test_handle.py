"""Calls by name, which survive the restarts of the actor behind it."""

from __future__ import annotations

import threading

import pytest

from supervisors import (
    ActorDownError,
    CallTimeoutError,
    Handle,
    Intensity,
    NoProcess,
    Registry,
    Scope,
    ScopeCancelledError,
    SelfCallError,
    Shutdown,
    Supervisor,
    within,
)
from supervisors.testing import Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    BoomError,
    Counter,
    Scripted,
    boom,
    letting_go,
    nothing,
    worker,
)

PLENTY = Intensity(max_restarts=1000, within=5.0)


def test_a_handle_finds_the_actor_of_its_tree() -> None:
    with Supervisor.start([worker("c", Counter)]) as top:
        handle = top.handle("c")

        assert handle.is_alive()
        assert handle.cast("add")
        assert handle.call("get") == 1
        assert handle.submit("get").get(timeout=WAIT) == 1
        assert repr(handle) == "<Handle c>"


def test_a_handle_follows_a_name_that_changes_hands_among_the_living() -> None:
    registry = Registry()
    first, second = Counter.start(), Counter.start()
    handle = Handle(registry, "c")
    registry.register("c", first)
    handle.call("add")

    registry.unregister("c", first)
    assert not handle.is_alive()
    registry.register("c", second)

    assert handle.call("get") == 0
    assert first.call("get") == 1
    first.stop()
    second.stop()


def test_a_handle_does_not_find_the_dead_while_nobody_else_comes_or_goes() -> None:
    registry = Registry()
    counter = Counter.start()
    registry.register("c", counter)
    handle = Handle(registry, "c")
    handle.call("add")

    counter.kill()

    assert not handle.is_alive()
    assert not handle.cast("add")
    with pytest.raises(ActorDownError):
        handle.call("get")


def test_nobody_of_that_name() -> None:
    handle = Handle(Registry(), "ghost")

    assert not handle.is_alive()
    assert not handle.cast("x")
    for call in (handle.call, handle.submit):
        with pytest.raises(ActorDownError) as caught:
            call("x")
        assert caught.value.reason == NoProcess()


def test_a_plain_call_raises_when_its_actor_dies_and_the_next_finds_the_new_one() -> (
    None
):
    with Supervisor.start([worker("c", Counter)], intensity=PLENTY) as top:
        handle = top.handle("c")
        handle.cast("add")

        with pytest.raises(ActorDownError) as caught:
            handle.call("boom")

        assert isinstance(caught.value.__cause__, BoomError)
        assert handle.call("get", WAIT, idempotent=True) == 0


def test_an_idempotent_call_waits_for_the_next_incarnation_and_is_sent_again() -> None:
    tries = []

    def second_time(actor: Scripted) -> str:
        tries.append(actor.actor_ref)
        if len(tries) == 1:
            raise BoomError("first time")
        return "second time"

    with Supervisor.start([worker("s")], intensity=PLENTY) as top:
        answer = top.handle("s").call(second_time, WAIT, idempotent=True)

    assert answer == "second time"
    assert tries[0] != tries[1]


def test_idempotent_calls_lose_no_answer_while_their_actor_dies_all_the_time() -> None:
    answers = Probe()
    with Supervisor.start(
        [worker("c", Counter)], intensity=Intensity(max_restarts=10_000, within=60)
    ) as top:
        handle = top.handle("c")
        stop = threading.Event()

        def ask() -> None:
            for _ in range(100):
                answers(handle.call("get", WAIT, idempotent=True))

        def strike() -> None:
            while not stop.is_set():
                top.registry.await_name("c", WAIT).kill()

        killer = threading.Thread(target=strike)
        askers = [threading.Thread(target=ask) for _ in range(4)]
        for thread in (killer, *askers):
            thread.start()
        for thread in askers:
            thread.join(60)
        stop.set()
        killer.join(WAIT)

        assert [answers.expect(timeout=0.1) for _ in range(400)] == [0] * 400


def test_an_idempotent_call_has_one_timeout_for_everything() -> None:
    with (
        Supervisor.start([worker("s")]) as top,
        letting_go(Block()) as block,
        pytest.raises(CallTimeoutError),
    ):
        top.handle("s").call(block, 0.02, idempotent=True)

    with pytest.raises(ActorDownError) as caught:
        Handle(Registry(), "ghost").call("x", 0.02, idempotent=True)
    assert caught.value.reason == NoProcess()


def test_the_death_of_somebody_else_is_not_waited_out() -> None:
    with Supervisor.start([worker("s")]) as top:
        handle = top.handle("s")
        dead = Scripted.start()
        dead.kill()
        tries = []

        def tell_of_a_death(actor: Scripted) -> object:
            tries.append(1)
            token = actor.reply_token()
            token.fail(dead.life.error(Shutdown("elsewhere")))
            return None

        with pytest.raises(ActorDownError, match="elsewhere"):
            handle.call(tell_of_a_death, WAIT, idempotent=True)

        assert tries == [1]
        assert handle.is_alive()


def test_the_end_of_the_tree_answers_idempotent_calls() -> None:
    top = Supervisor.start([worker("s")])
    with letting_go(Block()) as block:
        top.handle("s").cast(block)
        block.inside()
        outcome = Probe()

        def ask() -> None:
            try:
                top.handle("s").call(nothing, None, idempotent=True)
            except ActorDownError as error:
                outcome(error)

        thread = threading.Thread(target=ask)
        thread.start()
        top.ref().kill()

        assert isinstance(outcome.expect(), ActorDownError)
        thread.join(WAIT)
        with pytest.raises(ActorDownError, match=r"root.*killed"):
            top.handle("s").call(nothing, None, idempotent=True)


def test_an_actor_that_calls_its_own_name_is_refused() -> None:
    with Supervisor.start([worker("s")], intensity=PLENTY) as top:
        handle = top.handle("s")

        with pytest.raises(ActorDownError) as caught:
            handle.call(lambda actor: handle.call(nothing))

        assert isinstance(caught.value.__cause__, SelfCallError)


def test_calls_of_a_cancelled_scope_are_not_sent() -> None:
    seen: list[object] = []
    with Supervisor.start([worker("s")]) as top:
        scope = Scope("example 1")
        scope.cancel("deadline")
        handle = top.handle("s")

        with within(scope):
            for idempotent in (False, True):
                with pytest.raises(ScopeCancelledError):
                    handle.call(seen.append, idempotent=idempotent)
            with pytest.raises(ScopeCancelledError):
                handle.submit(seen.append)

        handle.call(nothing)
        assert seen == []


def test_crashes_reach_the_caller_of_an_idempotent_call_as_the_reason_it_gave_up() -> (
    None
):
    with Supervisor.start(
        [worker("s")], intensity=Intensity(max_restarts=2, within=60)
    ) as top:
        with pytest.raises(ActorDownError, match=r"2 restarts within 60 s") as caught:
            top.handle("s").call(boom, WAIT, idempotent=True)

        assert isinstance(caught.value.__cause__, BoomError)
