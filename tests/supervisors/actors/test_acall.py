"""Calls for `await`: they never block the loop they run on, and leave nothing."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest

from supervisors import (
    NO_REPLY,
    ActorDownError,
    BlockingCallError,
    CallTimeoutError,
    EventLoopActor,
    Handle,
    Intensity,
    Killed,
    MailboxFullError,
    NoProcess,
    Ref,
    Registry,
    ReplyFuture,
    Scope,
    ScopeCancelledError,
    SelfCallError,
    Supervisor,
    within,
)
from supervisors._acall import settled
from supervisors._waiting import open_calls
from supervisors.scope import deadline
from supervisors.testing import Probe
from tests.supervisors.actors.on_loops import Task, on_a_loop
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    BoomError,
    Scripted,
    boom,
    letting_go,
    nothing,
    running,
    worker,
)

PLENTY = Intensity(max_restarts=1000, within=5.0)


class Narrow(Scripted):
    mailbox_limit = 1


def number(value: int) -> Any:
    """A message that is answered with `value`."""
    return lambda actor: value


async def turns(count: int) -> None:
    """Let the loop turn a few times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def left(ref: Ref[Any]) -> None:
    """Stop an actor on this loop, and wait until it is gone."""
    ref.shutdown()
    await ref.life.thread_left


# The loop goes on.


@on_a_loop
async def test_a_loop_turns_while_a_thousand_calls_wait() -> None:
    with running(Scripted) as ref, letting_go(Block()) as block:
        ref.cast(block)
        block.inside()
        calls = [
            asyncio.ensure_future(ref.acall(number(value), timeout=None))
            for value in range(1_000)
        ]

        await turns(100)
        assert len(open_calls()) == 1_000
        assert not any(call.done() for call in calls)

        block.release.set()
        assert await asyncio.gather(*calls) == list(range(1_000))
    assert open_calls() == ()


@on_a_loop
async def test_calls_work_in_a_task_group_and_the_first_error_ends_the_group() -> None:
    with running(Scripted) as ref:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ref.acall(number(n))) for n in range(10)]
        assert [task.result() for task in tasks] == list(range(10))

    with running(Scripted) as waiting, letting_go(Block()) as block:
        waiting.cast(block)
        failing = Scripted.start()
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(waiting.acall(nothing, timeout=None))
                group.create_task(failing.acall(boom))

    assert caught.group_contains(ActorDownError)
    assert open_calls() == ()


@on_a_loop
async def test_actors_on_one_loop_call_each_other() -> None:
    first, second = await Task.astart(), await Task.astart()

    async def pass_on(actor: Any) -> Any:
        return await second.acall(number(7))

    assert await first.acall(pass_on) == 7
    await left(first)
    await left(second)


@on_a_loop
async def test_an_actor_on_a_loop_calls_one_in_a_thread_and_another_loop() -> None:
    with running(Scripted) as thread, running(_Owner) as owner:
        elsewhere = await asyncio.to_thread(Task.start_on, owner)

        async def ask_both(actor: Any) -> Any:
            return await asyncio.gather(
                thread.acall(lambda actor: threading.get_ident()),
                elsewhere.acall(lambda actor: threading.get_ident()),
            )

        ref = await Task.astart()
        one, other = await ref.acall(ask_both)

        assert len({one, other, threading.get_ident()}) == 3
        await left(ref)


class _Owner(Scripted, EventLoopActor):
    """A loop."""


@on_a_loop
async def test_an_actor_that_calls_itself_is_refused() -> None:
    ref = await Task.astart()

    with pytest.raises(ActorDownError) as caught:
        await ref.acall(lambda actor: actor.actor_ref.acall(nothing))

    assert isinstance(caught.value.__cause__, SelfCallError)


# How it ends.


@on_a_loop
async def test_a_call_that_takes_too_long_ends_and_its_late_answer_is_dropped() -> None:
    with running(Scripted) as ref, letting_go(Block()) as block:
        with pytest.raises(CallTimeoutError, match=r"did not answer within 0\.02 s"):
            await ref.acall(block, timeout=0.02)
        block.release.set()

        assert await ref.acall(number(1)) == 1
    assert open_calls() == ()


@on_a_loop
async def test_a_call_ends_at_the_nearest_deadline_around_it() -> None:
    with running(Scripted) as ref, letting_go(Block()) as block:
        ref.cast(block)
        with deadline(60), deadline(0.02), pytest.raises(CallTimeoutError):
            await ref.acall(nothing, timeout=None)


@on_a_loop
async def test_a_call_ends_with_its_scope() -> None:
    scope = Scope("example 7")
    with running(Scripted) as ref, letting_go(Block()) as block:
        ref.cast(block)
        with within(scope):
            call = asyncio.ensure_future(ref.acall(nothing, timeout=None))
        await turns(2)

        threading.Thread(target=scope.cancel, args=("enough",)).start()

        with pytest.raises(ScopeCancelledError, match="enough"):
            await call
        with within(scope), pytest.raises(ScopeCancelledError):
            await ref.acall(nothing)


@on_a_loop
async def test_the_death_of_the_actor_called_ends_the_call() -> None:
    ref = Scripted.start()
    with letting_go(Block()) as block:
        call = asyncio.ensure_future(ref.acall(block, timeout=None))
        await asyncio.to_thread(block.inside)

        ref.kill()

        with pytest.raises(ActorDownError) as caught:
            await call
        assert caught.value.reason == Killed()
    with pytest.raises(ActorDownError):
        await ref.acall(nothing)


@on_a_loop
async def test_a_full_mailbox_refuses_a_call() -> None:
    with running(Narrow) as ref, letting_go(Block()) as block:
        ref.cast(block)
        await asyncio.to_thread(block.inside)
        ref.cast(nothing)

        with pytest.raises(MailboxFullError):
            await ref.acall(nothing)


def test_an_answer_for_a_loop_that_was_closed_harms_nobody() -> None:
    with running(Scripted) as ref, letting_go(Block()) as block:
        loop = asyncio.new_event_loop()
        call: Any = loop.create_task(ref.acall(block, timeout=None))
        loop.run_until_complete(turns(2))
        block.inside()
        call.cancel()
        forgotten: Any = loop.create_task(settled(ref.submit(nothing)))
        loop.run_until_complete(turns(1))
        loop.close()

        block.release.set()

        assert ref.call(number(1), timeout=WAIT) == 1
        # asyncio would complain of tasks that nobody ended.
        for task in (call, forgotten):
            task._log_destroy_pending = False
            task.get_coro().close()
    assert open_calls() == ()


# Cancelled.


@on_a_loop
async def test_ten_thousand_cancelled_calls_leave_nothing_behind() -> None:
    class Local:
        """Something in the frame of the caller."""

    locals_left: list[weakref.ref[Local]] = []
    scope = Scope("work")

    async def caller(ref: Ref[Any]) -> None:
        local = Local()
        locals_left.append(weakref.ref(local))
        with within(scope):
            await ref.acall(nothing, timeout=60)

    with running(Scripted) as ref, letting_go(Block()) as block:
        ref.cast(block)
        await asyncio.to_thread(block.inside)
        tasks = [asyncio.ensure_future(caller(ref)) for _ in range(10_000)]
        await turns(2)
        assert len(open_calls()) == 10_000

        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

        assert all(task.cancelled() for task in tasks)
        assert open_calls() == ()
        assert not scope._open
        assert not scope._callbacks
        loop: Any = asyncio.get_running_loop()
        assert sum(not timer.cancelled() for timer in loop._scheduled) <= 1
        del task, tasks
        gc.collect()
        assert not [kept for kept in locals_left if kept() is not None]
        block.release.set()
        assert await ref.acall(number(1), timeout=60) == 1


@on_a_loop
async def test_a_cancelled_call_is_withdrawn_and_the_actor_goes_on() -> None:
    with running(Scripted) as ref, letting_go(Block()) as block:
        call = asyncio.ensure_future(ref.acall(block))
        await asyncio.to_thread(block.inside)

        call.cancel()

        with pytest.raises(asyncio.CancelledError):
            await call
        block.release.set()
        assert await ref.acall(number(1)) == 1


@on_a_loop
async def test_whoever_would_answer_a_cancelled_call_learns_that_nobody_waits() -> None:
    def later(actor: Any) -> Any:
        actor.token = actor.reply_token()
        return NO_REPLY

    with running(Scripted) as ref:
        call = asyncio.ensure_future(ref.acall(later))
        await ref.acall(nothing)

        call.cancel()
        await asyncio.wait([call])

        assert not await ref.acall(lambda actor: actor.token.reply("too late"))


@on_a_loop
async def test_a_wait_that_is_cancelled_as_the_reply_comes_harms_nobody() -> None:
    future = ReplyFuture[int]()
    waiting = asyncio.ensure_future(settled(future))
    await turns(1)
    thread = threading.Thread(target=future.resolve, args=(1,))
    thread.start()
    thread.join(WAIT)

    # The news is on its way to this loop.
    waiting.cancel()
    await asyncio.wait([waiting])
    await turns(2)

    assert waiting.cancelled()
    assert await future == 1


@on_a_loop
async def test_a_timeout_around_a_call_is_the_callers_own() -> None:
    with running(Scripted) as ref, letting_go(Block()) as block:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.02):
                await ref.acall(block, timeout=None)

        assert not isinstance(caught.value, CallTimeoutError)


# Handles.


@on_a_loop
async def test_an_idempotent_call_waits_for_the_next_incarnation() -> None:
    tries: list[Any] = []

    def second_time(actor: Any) -> str:
        tries.append(actor.actor_ref)
        if len(tries) == 1:
            raise BoomError("first time")
        return "second time"

    top = await asyncio.to_thread(Supervisor.start, [worker("s")], intensity=PLENTY)
    try:
        handle = top.handle("s")
        answer = await handle.acall(second_time, WAIT, idempotent=True)
        assert await handle.acall(number(2)) == 2
    finally:
        await asyncio.to_thread(top.stop)

    assert answer == "second time"
    assert tries[0] != tries[1]


@on_a_loop
async def test_waiting_for_a_name_takes_no_thread_and_ends_when_cancelled() -> None:
    registry = Registry()
    handle = Handle(registry, "later")
    before = threading.active_count()
    calls = [
        asyncio.ensure_future(handle.acall(number(n), None, idempotent=True))
        for n in range(100)
    ]
    await turns(3)
    assert threading.active_count() == before

    for call in calls[50:]:
        call.cancel()
    await asyncio.gather(*calls[50:], return_exceptions=True)
    with running(Scripted) as ref:
        registry.register("later", ref)

        assert await asyncio.gather(*calls[:50]) == list(range(50))
    assert open_calls() == ()


@on_a_loop
async def test_a_name_that_does_not_come_ends_the_call() -> None:
    handle = Handle(Registry(), "ghost")

    for idempotent in (False, True):
        with pytest.raises(ActorDownError) as caught:
            await handle.acall("x", 0.02, idempotent=idempotent)
        assert caught.value.reason == NoProcess()


# Futures.


@on_a_loop
async def test_a_promise_can_be_awaited_by_many() -> None:
    with running(Scripted) as ref, letting_go(Block("value")) as block:
        asked: Any = ref.ask(block, block=False)
        waiting = [asyncio.ensure_future(_await(asked)) for _ in range(3)]
        await turns(2)

        waiting[0].cancel()
        await turns(2)
        assert len(asked._callbacks) == 2
        block.release.set()

        assert await asyncio.gather(*waiting[1:]) == ["value", "value"]
        assert await asked == "value"
        assert await ref.submit(number(3)) == 3
        assert await ref.ask(number(20), block=False).map(lambda n: n + 1) == 21


@on_a_loop
async def test_a_promise_that_was_broken_raises() -> None:
    ref = Scripted.start()

    with pytest.raises(ActorDownError):
        await ref.submit(boom)


@on_a_loop
async def test_a_promise_that_is_awaited_leaves_the_loop_its_turns() -> None:
    with running(Scripted) as ref, letting_go(Block()) as block:
        promise = asyncio.ensure_future(_await(ref.submit(block)))
        mapped = asyncio.ensure_future(_await(ref.submit(number(1)).map(str)))

        await turns(50)

        assert not promise.done()
        assert not mapped.done()
        block.release.set()
        assert [await promise, await mapped] == ["late", "1"]


async def _await(promise: Any) -> Any:
    return await promise


def test_a_blocking_wait_of_an_actor_on_a_loop_names_acall() -> None:
    with running(_Owner) as owner:
        handle = Handle(Registry(), "other")

        def refused(actor: Any) -> None:
            with pytest.raises(BlockingCallError, match="acall"):
                handle.call(nothing, idempotent=True)

        owner.call(refused)


def test_answers_from_other_threads_race_with_cancellations() -> None:
    probe = Probe()

    async def program() -> None:
        refs = [Scripted.start() for _ in range(4)]
        for round_number in range(300):
            calls = [
                asyncio.ensure_future(ref.acall(number(n)))
                for n, ref in enumerate(refs)
            ]
            await turns(round_number % 4)
            for call in calls[::2]:
                call.cancel()
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert [results[1], results[3]] == [1, 3]
        for ref in refs:
            ref.shutdown()
        probe("done")

    asyncio.run(program())

    assert probe.expect() == "done"
    assert open_calls() == ()
