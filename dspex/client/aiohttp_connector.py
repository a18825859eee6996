"""aiohttp's pool of connections, made safe for requests that must not be doubled."""

from __future__ import annotations

import asyncio
import functools
import select
import socket
from contextvars import ContextVar
from typing import cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

__all__ = ["CheckingConnector", "Lease", "leasing"]


class Lease:
    """What became known of the connection that one request was given.

    Attributes:
        reused: Whether the connection has served before.
        idle_for: Seconds for which it had then been idle.
    """

    def __init__(self) -> None:
        self.reused = False
        self.idle_for = 0.0
        self._transport: asyncio.Transport | None = None

    def take(self, transport: asyncio.Transport | None) -> None:
        """Note the connection."""
        self._transport = transport

    def abort(self) -> None:
        """Close the connection at once, without TLS's goodbye. Harmless twice."""
        if self._transport is not None:
            self._transport.abort()


leasing: ContextVar[Lease] = ContextVar("dspex_lease")
"""The lease of the request that is being made.

aiohttp asks its connector within the task that sends, and has no other way to hand
something along that costs nothing.
"""


class CheckingConnector(aiohttp.TCPConnector):
    """A pool that looks at a connection before it is used again.

    aiohttp reuses what its loop has not yet seen end, and takes bytes that came while a
    connection was idle for the next answer. Here a connection with anything to read is
    closed instead. There is no limit on connections in use: the client decides how
    many requests are made at a time.

    Args:
        idle_max: The most connections that are kept for the next request.
        idle_seconds: How long one is kept.
    """

    def __init__(self, *, idle_max: int, idle_seconds: float) -> None:
        super().__init__(limit=0, keepalive_timeout=idle_seconds)
        self._idle_max = idle_max
        # Since when each is idle. One that ends meanwhile stays until it is counted.
        self._kept: dict[ResponseHandler, float] = {}

    @property
    def idle(self) -> int:
        """Connections that wait for their next request."""
        self._kept = {
            protocol: since
            for protocol, since in self._kept.items()
            if protocol.is_connected()
        }
        return len(self._kept)

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,
    ) -> Connection:
        """Return an idle connection that is as it was left, or a new one."""
        lease = leasing.get()
        while True:
            lease.reused = True  # unless `_create_connection` is called meanwhile
            connection = await super().connect(req, traces, timeout)
            protocol = cast("ResponseHandler", connection.protocol)
            since = self._kept.pop(protocol, None)
            if not lease.reused or not _has_news(protocol):
                break
            connection.close()
        connection.add_callback(functools.partial(self._on_release, protocol))
        if since is not None:
            lease.idle_for = self._loop.time() - since
        lease.take(connection.transport)
        return connection

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,
    ) -> ResponseHandler:
        leasing.get().reused = False
        return await super()._create_connection(req, traces, timeout)

    def _on_release(self, protocol: ResponseHandler) -> None:
        if protocol.should_close or not protocol.is_connected():
            return
        if len(self._kept) >= self._idle_max and self.idle >= self._idle_max:
            protocol.force_close()
        else:
            self._kept[protocol] = self._loop.time()


def _has_news(protocol: ResponseHandler) -> bool:
    """Say whether anything came while a connection was idle: bytes, or its end."""
    if protocol.should_close or protocol.transport is None:
        return True
    # The loop may not yet have had the time to see what the system knows.
    return _is_readable(protocol.transport.get_extra_info("socket"))


def _is_readable(sock: socket.socket) -> bool:
    if not hasattr(select, "poll"):  # Windows, whose `select` takes any descriptor
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))
