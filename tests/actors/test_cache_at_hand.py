"""Answers in memory are taken by whoever asks, without waiting for their actor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from dspex.cache.at_hand import Memory
from dspex.cache.cache import Cache, new_caller
from dspex.cache.memory import MemoryActor, as_cached
from dspex.core.events import CACHE_HIT
from dspex.core.lm import Reply
from supervisors import (
    ActorDownError,
    ChildSpec,
    Event,
    Events,
    LoopActor,
    Scope,
    ScopeCancelledError,
    Supervisor,
    deadline,
    within,
)
from supervisors.errors import BlockingCallError, CallTimeoutError
from tests.actors.lab import PATIENT

PAID = Reply(texts=("Lima",))


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def top(events: Events) -> Iterator[Supervisor]:
    spec = ChildSpec(
        id="memory",
        actor=MemoryActor,
        kwargs={"max_entries": 10, "ttl": 100.0},
        name="memory",
    )
    with Supervisor.start([spec], events=events) as top:
        yield top


@pytest.fixture
def cache(top: Supervisor) -> Cache:
    """A cache that knows one answer, to `key`."""
    cache = Cache(Memory(top.registry, "memory"))
    settle(cache, "key")
    return cache


def settle(cache: Cache, key: str) -> None:
    assert cache.look_up(key, "leader") is None
    cache.settle(key, PAID)
    # An answer to a later question, so it is settled when this returns.
    cache.statistics()


def test_an_answer_at_hand_does_not_wait_for_the_actor(
    top: Supervisor, cache: Cache
) -> None:
    memory = top.registry.resolve("memory")
    assert memory.suspend()

    with deadline(0.0):
        found = cache.look_up("key", new_caller())
        with pytest.raises(CallTimeoutError):
            cache.look_up("another key", new_caller())
    found_on_loop = asyncio.run(cache.alook_up("key", new_caller()))

    memory.resume()
    assert found == found_on_loop == as_cached(PAID)
    assert cache.statistics().hits == 2


def test_answers_of_an_actor_that_died_are_not_at_hand(
    top: Supervisor, cache: Cache
) -> None:
    first = top.registry.resolve("memory")
    first.kill()
    first.wait(PATIENT)
    top.registry.await_name("memory", PATIENT)

    assert cache.look_up("key", new_caller()) is None


def test_answers_of_a_tree_that_has_ended_are_not_at_hand(
    top: Supervisor, cache: Cache
) -> None:
    top.stop()

    with pytest.raises(ActorDownError):
        cache.look_up("key", new_caller())


def test_what_was_cleared_is_not_at_hand(cache: Cache) -> None:
    cache.clear()

    assert cache.look_up("key", new_caller()) is None


def test_work_that_was_given_up_gets_no_answer_at_hand_either(cache: Cache) -> None:
    scope = Scope("some work")
    scope.cancel("it took too long")

    with within(scope), pytest.raises(ScopeCancelledError):
        cache.look_up("key", new_caller())
    with within(scope), pytest.raises(ScopeCancelledError):
        asyncio.run(cache.alook_up("key", new_caller()))


def test_an_actor_on_a_loop_is_told_at_each_look_up_that_it_would_block(
    cache: Cache,
) -> None:
    class Asker(LoopActor):
        async def on_receive(self, message: str) -> str:
            with pytest.raises(BlockingCallError):
                cache.look_up(message, new_caller())
            return "was told"

    async def ask() -> Any:
        asker = await Asker.astart()
        try:
            return await asker.acall("key", PATIENT)
        finally:
            await asyncio.to_thread(asker.stop)

    assert asyncio.run(ask()) == "was told"


def test_a_hit_at_hand_is_told_once(events: Events, cache: Cache) -> None:
    told: list[Event] = []
    events.attach(told.append, CACHE_HIT)

    cache.look_up("key", new_caller())

    assert [dict(event.metadata) for event in told] == [
        {"key": "key", "tier": "memory"}
    ]
