"""Calls for `await`: a bridge from our promises to any event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from supervisors._bells import bell_here
from supervisors._current import current_life
from supervisors._future import ReplyFuture
from supervisors._waiting import give_up, note, strike_off
from supervisors.scope import scopes_of, time_left

if TYPE_CHECKING:
    from supervisors._life import Life


async def acall(
    future: ReplyFuture[Any], timeout: float | None, target: Life | str
) -> Any:
    """Await the reply of a submitted call without blocking the running loop.

    When the awaiting task is cancelled the call is withdrawn: a late answer is dropped
    and nothing of it is kept.

    Raises:
        CallTimeoutError: No reply within `timeout` seconds, or by the nearest deadline.
        ScopeCancelledError: A scope the caller works in was given up meanwhile.
    """
    if not future.done():
        here = current_life()
        scopes = scopes_of(here)
        if scopes:
            timeout = time_left(timeout, scopes)
        note(future, here, target)
        try:
            answered = await settled(future, timeout)
        except BaseException:
            # Cancelled, and nobody waits any more: a late answer is dropped. A fresh
            # error, because the one in flight holds the caller's frames, and this one
            # stays with the message until that is handled.
            future.reject(asyncio.CancelledError())
            raise
        finally:
            strike_off(future)
        if not answered:
            give_up(future, timeout, target)
    return future.get()


async def settled(future: ReplyFuture[Any], timeout: float | None = None) -> bool:
    """Wait until `future` is settled, whichever thread settles it; say whether it is.

    The wait of others for the same future is not touched, also when this one is
    cancelled.
    """
    if future.done():
        return True
    loop, bell = asyncio.get_running_loop(), bell_here()
    here: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not here.done():
            here.set_result(None)

    def tell(_done: ReplyFuture[Any]) -> None:
        # Should the loop have closed meanwhile, nobody waits on it any more.
        bell.call(wake)

    timer = None if timeout is None else loop.call_later(timeout, wake)
    future.on_done(tell)
    try:
        await here
    finally:
        if timer is not None:
            timer.cancel()
        if not future.done():
            future.forget(tell)
    return future.done()


def run_on(
    loop: asyncio.AbstractEventLoop, thread: int, work: Callable[[], object]
) -> bool:
    """Call `work` in `thread`, which is the loop's; `False` when that has closed.

    Inside a task of that loop it is called at once, which saves waking the loop with a
    system call. Elsewhere in the same thread (a signal's handler, which may have
    interrupted the loop's sleep) it has to be woken as from any other thread.
    """
    if threading.get_ident() == thread and asyncio.current_task(loop) is not None:
        work()
        return True
    return call_soon(loop, work)


def call_soon(loop: asyncio.AbstractEventLoop, work: Callable[[], object]) -> bool:
    """Have the loop call `work`, from any thread; `False` when it has closed."""
    try:
        loop.call_soon_threadsafe(work)
    except RuntimeError:
        return False
    return True
