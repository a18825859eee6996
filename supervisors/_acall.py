"""Calls for `await`: a bridge from our promises to any event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from supervisors._future import ReplyFuture
from supervisors._waiting import give_up, note, strike_off
from supervisors.scope import current_scopes, time_left

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
        timeout = time_left(timeout, current_scopes())
        note(future, target)
        try:
            async with asyncio.timeout(timeout):
                await settled(future)
        except TimeoutError:
            give_up(future, timeout, target)
        except asyncio.CancelledError as error:
            # Nobody waits any more. Rejecting is what drops a late answer.
            future.reject(error)
            raise
        finally:
            strike_off(future)
    return future.get()


async def settled(future: ReplyFuture[Any]) -> None:
    """Return when `future` is settled, whichever thread settles it."""
    loop = asyncio.get_running_loop()
    here: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not here.done():
            here.set_result(None)

    def tell(_done: ReplyFuture[Any]) -> None:
        try:
            loop.call_soon_threadsafe(wake)
        except RuntimeError:
            # The loop closed meanwhile, and nobody waits on it any more.
            return

    future.on_done(tell)
    try:
        await here
    finally:
        future.forget(tell)
