"""The connections of a daemon: how many there may be, and for how long without asking.

A request that is worked on is nobody's business here: `Admission` counts it, and its
own time bounds it. This is about those that come and bring no request, or a slow one.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from aiohttp import web

IDLE_WITHIN: Final = 75.0
"""Seconds between two requests, and for all headers of one; proxies hang up earlier."""
_LOOK_EVERY: Final = 1.0
"""Seconds between two looks."""
_FEWEST: Final = 8
"""Connections that there may be in any case."""
_MOST: Final = 16_384
"""Connections where the system sets no bound."""
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nServer: dspex\r\nRetry-After: 1\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Connections:
    """Lets connections in, and hangs up on those that bring nothing. On one loop.

    Args:
        server: Gives what handles those that are let in.
        most: How many there may be; one more is told 503.
        idle_within: Seconds one may be without a request that is whole.
        monotonic: The clock.
    """

    def __init__(
        self,
        server: Callable[[], web.Server],
        *,
        most: int,
        idle_within: float = IDLE_WITHIN,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._most = most
        self._idle_within = idle_within
        self._monotonic = monotonic
        self._coming = 0
        self._busy: dict[Any, int] = {}
        self._idle: dict[Any, float] = {}

    def __call__(self) -> asyncio.BaseProtocol:
        """Handle one more connection."""
        server = self._server()
        if len(server.connections) + self._coming >= self._most:
            return _Full()
        # Many come at a time, and the server counts one only a moment later.
        self._coming += 1
        asyncio.get_running_loop().call_soon(self._has_come)
        return server()

    def _has_come(self) -> None:
        self._coming -= 1

    def at_work(self) -> Any:
        """Return the middleware by which this knows who has asked."""

        @web.middleware
        async def working(
            request: web.Request, handler: _Handler
        ) -> web.StreamResponse:
            connection = request.protocol
            self._busy[connection] = self._busy.get(connection, 0) + 1
            try:
                return await handler(request)
            finally:
                self._busy[connection] -= 1
                if not self._busy[connection]:
                    del self._busy[connection]
                    # From now on, not from the last look.
                    self._idle[connection] = self._monotonic()

        return working

    async def tend(self) -> None:
        """Hang up on who has been idle for too long, until this is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self.look()

    def look(self) -> None:
        """Hang up on those that have been idle for too long by now."""
        now = self._monotonic()
        self._idle = {
            each: self._idle.get(each, now)
            for each in self._server().connections
            if each not in self._busy
        }
        for each, since in self._idle.items():
            # Cut and not closed: who takes nothing would keep it open.
            if now - since >= self._idle_within and each.transport is not None:
                each.transport.abort()


class _Full(asyncio.Protocol):
    """Tells who has come that there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.WriteTransport", transport)
        stream.write(_FULL)
        stream.close()


def most_connections() -> int:
    """Return how many there may be: half of what this process may open.

    The other half is for the files and connections that requests need.
    """
    if sys.platform == "win32":
        return _MOST
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _MOST if soft == resource.RLIM_INFINITY else soft // 2
    return max(_FEWEST, min(allowed, _MOST))
