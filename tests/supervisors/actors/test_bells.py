"""Loops are woken once for all replies given meanwhile, and none is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from supervisors import NO_REPLY, Actor, ReplyFuture, ReplyToken, one_wakeup
from supervisors._acall import settled
from tests.supervisors.actors.parts import WAIT

MANY = 50


class Patient(Actor):
    """Answers nobody until it is told to answer all of them."""

    def __init__(self, inside: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self._inside = inside
        self._waiting: list[ReplyToken] = []

    def on_receive(self, message: Any) -> Any:
        if message == "wait":
            self._waiting.append(self.reply_token())
            return NO_REPLY
        with one_wakeup(), one_wakeup():
            for token in self._waiting:
                token.reply("done")
            self._inside()
        return "told"


class Woken:
    """Counts how often a loop is woken from other threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.times = 0
        self._wake = loop.call_soon_threadsafe
        vars(loop)["call_soon_threadsafe"] = self._count

    def _count(self, *args: Any, **options: Any) -> asyncio.Handle:
        self.times += 1
        return self._wake(*args, **options)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, WAIT))


def test_a_loop_is_woken_once_for_all_replies_of_a_block() -> None:
    async def callers() -> None:
        woken = Woken(asyncio.get_running_loop())
        before: list[int] = []
        ref = Patient.start(lambda: before.append(woken.times))
        waiting = [asyncio.create_task(ref.acall("wait", WAIT)) for _ in range(MANY)]
        # Its mailbox keeps the order: all of them wait before it is told.
        await asyncio.sleep(0)

        ref.cast("answer")

        assert await asyncio.gather(*waiting) == ["done"] * MANY
        assert (before, woken.times) == ([0], 1)
        ref.stop()

    run(callers())


def test_an_error_in_the_block_keeps_nobody_waiting() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    async def callers() -> None:
        ref = Patient.start(fail)
        waiting = [asyncio.create_task(ref.acall("wait", WAIT)) for _ in range(MANY)]
        await asyncio.sleep(0)

        ref.cast("answer")

        assert await asyncio.gather(*waiting) == ["done"] * MANY
        await settled(ref.life.ended)

    run(callers())


def test_replies_without_a_block_come_at_once() -> None:
    future: ReplyFuture[str] = ReplyFuture()

    async def caller() -> None:
        settler = threading.Thread(target=future.resolve, args=("here",))
        settler.start()
        assert await future == "here"
        settler.join(WAIT)

    run(caller())


@pytest.mark.parametrize("in_blocks", [False, True])
def test_no_reply_is_lost_however_many_threads_give_them(*, in_blocks: bool) -> None:
    def settle(futures: list[ReplyFuture[int]]) -> None:
        for number, future in enumerate(futures):
            if in_blocks:
                with one_wakeup():
                    future.resolve(number)
            else:
                future.resolve(number)

    async def callers() -> None:
        shares: list[list[ReplyFuture[int]]] = [
            [ReplyFuture() for _ in range(500)] for _ in range(4)
        ]
        everything = [asyncio.create_task(_get(one)) for s in shares for one in s]
        await asyncio.sleep(0)
        threads = [threading.Thread(target=settle, args=(share,)) for share in shares]
        for thread in threads:
            thread.start()

        assert await asyncio.gather(*everything) == [*range(500)] * 4
        for thread in threads:
            thread.join(WAIT)

    run(callers())


def test_a_loop_that_has_closed_is_no_error() -> None:
    future: ReplyFuture[str] = ReplyFuture()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(_get(future))
    loop.call_soon(loop.stop)
    loop.run_forever()
    waiting.cancel()
    loop.close()

    with one_wakeup():
        assert future.resolve("late")


async def _get(future: ReplyFuture[Any]) -> Any:
    return await future
