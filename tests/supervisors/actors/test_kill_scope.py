"""What the code of an actor that was ended from outside can still do: nothing."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from supervisors import (
    Actor,
    ActorDownError,
    Handle,
    Ref,
    Registry,
    ScopeCancelledError,
    last_words,
)
from supervisors._threads import THREADS
from supervisors.testing import Probe, ProbeActor
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    Scripted,
    letting_go,
    nothing,
    running,
)


@pytest.fixture
def told() -> Probe:
    return Probe()


@pytest.fixture
def other(told: Probe) -> Iterator[Ref[Any]]:
    """Whom the dead actor's code tries to reach."""
    with running(ProbeActor, told) as ref:
        yield ref


def as_zombie(work: Callable[[], object]) -> object:
    """Run `work` in the code of an actor that is dead; what it raised or returned."""
    outcome = Probe()
    with letting_go(Block()) as block:
        ref = Scripted.start()

        def outlive(actor: Actor) -> None:
            block(actor)
            try:
                outcome(work())
            except BaseException as error:
                outcome(error)

        ref.cast(outlive)
        block.inside()
        ref.kill()
        block.release.set()
        result = outcome.expect()
        assert ref.life.thread_left.wait(WAIT)
        return result


CALLS: dict[str, Callable[[Ref[Any]], object]] = {
    "call": lambda ref: ref.call("?"),
    "submit": lambda ref: ref.submit("?"),
    "ask": lambda ref: ref.ask("?"),
    "promise": lambda ref: ref.ask("?", block=False),
    "acall": lambda ref: asyncio.run(ref.acall("?")),
}


@pytest.mark.parametrize("way", CALLS)
def test_its_later_calls_are_refused_and_not_sent(
    way: str, other: Ref[Any], told: Probe
) -> None:
    error = as_zombie(lambda: CALLS[way](other))

    assert isinstance(error, ScopeCancelledError)
    assert "ended from outside (killed)" in str(error)
    other.call("sync")
    assert told.expect() == "sync"
    told.expect_nothing()


@pytest.mark.parametrize("way", CALLS)
def test_its_open_calls_end_when_it_is_killed(way: str) -> None:
    outcome = Probe()
    with running(Scripted) as other, letting_go(Block()) as block:
        calls: dict[str, Callable[[], object]] = {
            "call": lambda: other.call(block, timeout=None),
            "submit": lambda: other.submit(block).get(),
            "ask": lambda: other.ask(block),
            "promise": lambda: other.ask(block, block=False).get(),
            "acall": lambda: asyncio.run(other.acall(block, timeout=None)),
        }

        def wait(actor: Actor) -> None:
            try:
                outcome(calls[way]())
            except BaseException as error:
                outcome(error)

        ref = Scripted.start()
        ref.cast(wait)
        block.inside()
        ref.kill()

        assert isinstance(outcome.expect(), ScopeCancelledError)
        assert ref.life.thread_left.wait(WAIT)
        assert ref.life.scope._open == {}


@pytest.mark.parametrize("send", [Ref.cast, Ref.tell])
def test_what_it_casts_is_void(
    send: Callable[[Ref[Any], str], None], other: Ref[Any], told: Probe
) -> None:
    as_zombie(lambda: send(other, "from the dead"))

    other.call("sync")
    assert told.expect() == "sync"
    told.expect_nothing()


def test_who_casts_in_vain_is_told(other: Ref[Any]) -> None:
    registry = Registry()
    registry.register("other", other)
    handle = Handle(registry, "other")

    assert handle.cast("alive")
    assert as_zombie(lambda: handle.cast("from the dead")) is False


def test_its_last_words_are_sent(other: Ref[Any], told: Probe) -> None:
    def speak() -> None:
        with last_words():
            other.cast("do not wait for me")

    as_zombie(speak)

    assert told.expect() == "do not wait for me"


def in_thread(work: Callable[[], object]) -> object:
    """Run `work` in a thread that was started through this package."""
    outcome = Probe()

    def job() -> None:
        try:
            outcome(work())
        except BaseException as error:
            outcome(error)

    THREADS.run(job)
    return outcome.expect()


def in_task(work: Callable[[], object]) -> object:
    """Run `work` in a task of a loop."""

    async def main() -> object:
        async def task() -> object:
            return work()

        return await asyncio.create_task(task())

    return asyncio.run(main())


def in_copied_context(work: Callable[[], object]) -> object:
    return contextvars.copy_context().run(work)


def in_bare_context(work: Callable[[], object]) -> object:
    """Run `work` in the actor's thread, in a context that knows nothing of it."""
    return contextvars.Context().run(work)


@pytest.mark.parametrize(
    "place", [in_thread, in_task, in_copied_context, in_bare_context]
)
def test_what_it_started_is_refused_with_it(
    place: Callable[[Callable[[], object]], object], other: Ref[Any]
) -> None:
    error = as_zombie(lambda: place(lambda: other.submit("?")))

    assert isinstance(error, ScopeCancelledError)


def test_its_late_answer_is_dropped() -> None:
    with letting_go(Block()) as block:
        ref = Scripted.start()
        answer = ref.submit(block)
        block.inside()
        ref.kill()
        with pytest.raises(ActorDownError) as at_once:
            answer.get(timeout=WAIT)
        block.release.set()

        assert ref.life.thread_left.wait(WAIT)
        with pytest.raises(ActorDownError) as later:
            answer.get(timeout=0)
        assert later.value is at_once.value


def test_nobody_hears_of_a_death_while_the_dead_can_still_send() -> None:
    cancelled: list[bool] = []
    ref = Scripted.start()
    scope = ref.life.scope
    ref.life.before_end(lambda reason: cancelled.append(scope.cancelled))
    ref.monitor(lambda reason: cancelled.append(scope.cancelled))

    ref.kill()

    assert cancelled == [True, True]


def test_an_orderly_end_refuses_nothing(other: Ref[Any], told: Probe) -> None:
    class Farewell(Scripted):
        def on_end(self, reason: Any) -> None:
            other.call("farewell")

    ref = Farewell.start()
    ref.shutdown()
    ref.wait(WAIT)

    assert told.expect() == "farewell"


def test_a_cancel_callback_that_raises_keeps_nobody_from_the_end() -> None:
    ref = Scripted.start()
    ref.call(
        lambda actor: setattr(
            actor, "kept", actor.life.scope.on_cancel(lambda: 1 / 0).__enter__()
        )
    )
    waiting = ref.submit(nothing)

    assert ref.kill()

    assert ref.wait(0) is not None
    assert waiting.wait(WAIT)
