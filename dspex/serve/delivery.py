"""Bringing an answer to its client, who may be slow, or have gone.

Whoever takes nothing for a while is hung up on: its place is for others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any, Final

from aiohttp import web

from dspex.serve.refusals import Refusal, Refused

LOOK_EVERY: Final = 1.0
"""Seconds after which it is seen that a client has left."""
PING_EVERY: Final = 15.0
"""Seconds of silence after which a stream says that it is alive."""
TAKEN_WITHIN: Final = 30.0
"""Seconds a client may take to take an answer, or an event of a stream."""

_PING: Final = ": still working\n\n"
LEFT: Final = Refusal(
    status=499,
    type="client_left",
    message="the client has left, so nobody is told this; its program was given up.",
    closes=True,
)
"""What becomes of a request whose client is gone; the status is that of nginx."""


async def hand_over(
    request: web.Request,
    response: web.StreamResponse,
    *,
    within: float = TAKEN_WITHIN,
) -> web.StreamResponse:
    """Write the rest of a response, all of it within a time."""
    try:
        async with asyncio.timeout(within):
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError:
        hang_up(request)
    except ConnectionError:
        pass  # nobody is there to be answered
    return response


async def while_connected(
    request: web.Request, answering: asyncio.Task[Any], *, every: float = LOOK_EVERY
) -> None:
    """Wait for an answer as long as somebody waits for it.

    Raises:
        Refused: The client has left.
    """
    while not answering.done():
        await asyncio.wait({answering}, timeout=every)
        if has_left(request):
            raise Refused(LEFT)


async def write_events(
    request: web.Request,
    events: AsyncGenerator[str, None],
    response: web.StreamResponse,
    *,
    within: float = TAKEN_WITHIN,
) -> web.StreamResponse:
    """Write events as they come; in long silences, that there will be more.

    Raises:
        Refused: The client has left, or takes nothing.
        Exception: What the first event raises.
    """
    coming = asyncio.ensure_future(anext(events))
    said = time.monotonic()
    try:
        while True:
            await asyncio.wait({coming}, timeout=LOOK_EVERY)
            if has_left(request):
                raise Refused(LEFT)
            is_silent = not coming.done()
            if is_silent and time.monotonic() - said < PING_EVERY:
                continue
            try:
                text = _PING if is_silent else coming.result()
            except StopAsyncIteration:
                return response
            await _write(request, response, text, within)
            said = time.monotonic()
            if not is_silent:
                coming = asyncio.ensure_future(anext(events))
    finally:
        await given_up(coming)


async def given_up(work: asyncio.Future[Any]) -> None:
    """End what still runs, and look at its end, so that nobody is warned of it."""
    work.cancel()
    await asyncio.wait({work})
    if work.done() and not work.cancelled():
        work.exception()


async def _write(
    request: web.Request, response: web.StreamResponse, text: str, within: float
) -> None:
    try:
        async with asyncio.timeout(within):
            if not response.prepared:
                await response.prepare(request)
            await response.write(text.encode())
    except TimeoutError:
        hang_up(request)
        raise Refused(LEFT) from None
    except ConnectionError:
        raise Refused(LEFT) from None


def has_left(request: web.Request) -> bool:
    """Whether nobody is at the other end any more."""
    return request.transport is None or request.transport.is_closing()


def hang_up(request: web.Request) -> None:
    """Cut a connection, whatever of its response is written."""
    if request.transport is not None:
        request.transport.abort()
