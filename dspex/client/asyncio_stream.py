"""A network stream for httpcore on asyncio alone.

httpcore's own goes through anyio, whose cancel scopes and locks cost as much again as
reading the HTTP. This one does what a leased connection needs and no more: one reader
and one writer at a time, on the loop that connected it.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from typing import Any, cast

import httpcore

__all__ = ["AsyncioStream", "connect"]

_HELD_MAX = 64 * 1024
_UNREAD_MAX = 256 * 1024


async def connect(
    host: str, port: int, *, timeout: float, context: ssl.SSLContext | None
) -> AsyncioStream:
    """Connect, with TLS when there is a context.

    Args:
        host: The name or address, which a certificate has to be for.
        port: The port.
        timeout: Seconds for everything, TLS included.
        context: Whom to trust; `None` means plain text.

    Raises:
        httpcore.ConnectTimeout: When it took too long.
        httpcore.ConnectError: When there is no such host, nobody listens, or the
            certificate is not trusted.
    """
    try:
        async with asyncio.timeout(timeout):
            _, stream = await asyncio.get_running_loop().create_connection(
                AsyncioStream,
                host,
                port,
                ssl=context,
                # A cancelled handshake may live on unseen; this is its end.
                ssl_handshake_timeout=timeout if context else None,
            )
    except TimeoutError as error:
        raise httpcore.ConnectTimeout from error
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    return stream


class AsyncioStream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection. Made by `connect`, not by hand."""

    def __init__(self) -> None:
        self._held = b""
        self._unread = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._reading_paused = False
        self._read_waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, or wait for something; `b""` at the end."""
        self._send_held()
        if not self._unread and not self._ended:
            try:
                async with asyncio.timeout(timeout):
                    await self._next_event()
            except TimeoutError as error:
                raise httpcore.ReadTimeout from error
        if not self._unread and self._error is not None:
            raise httpcore.ReadError(str(self._error)) from self._error
        return self._take(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Hold the bytes until the answer is read; send at once when they are many.

        So a request's head and body leave in one piece. Many bytes are waited for
        until they have left; TLS keeps some kilobytes of them back.
        """
        self._held += buffer
        if len(self._held) <= _HELD_MAX:
            return
        self._send_held()
        try:
            async with asyncio.timeout(timeout):
                await self._writable.wait()
        except TimeoutError as error:
            raise httpcore.WriteTimeout from error
        if self._ended:
            raise httpcore.WriteError(str(self._error or "closed by the other side"))

    async def aclose(self) -> None:
        """Close at once, without TLS's goodbye; the other side may be gone."""
        self._transport.abort()
        # The loop closes the socket in its next turn, which may be its last.
        await asyncio.sleep(0)

    def get_extra_info(self, info: str) -> Any:
        """Answer `is_readable`: whether an idle connection is of no more use."""
        if info != "is_readable":
            return self._transport.get_extra_info(info)
        return bool(self._unread) or self._ended or self._has_news()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and ask to hear about every byte it could not send."""
        self._transport = cast("asyncio.Transport", transport)
        # Not 0: at that, asyncio's TLS would wait for less than nothing.
        self._transport.set_write_buffer_limits(high=1)

    def data_received(self, data: bytes) -> None:
        """Keep the bytes, and stop the flow when nobody takes them."""
        self._unread += data
        if len(self._unread) > _UNREAD_MAX and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Note that nothing more will come; asyncio then closes the transport."""
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note why the connection ended, and let go whoever waits."""
        self._ended = True
        self._error = exc
        self._writable.set()
        self._wake()

    def pause_writing(self) -> None:
        """Something written is still here."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Everything written has left."""
        self._writable.set()

    def _send_held(self) -> None:
        held, self._held = self._held, b""
        if held and not self._ended:
            self._transport.write(held)

    async def _next_event(self) -> None:
        self._read_waiter = asyncio.get_running_loop().create_future()
        try:
            await self._read_waiter
        finally:
            self._read_waiter = None

    def _wake(self) -> None:
        if self._read_waiter is not None and not self._read_waiter.done():
            self._read_waiter.set_result(None)

    def _take(self, max_bytes: int) -> bytes:
        taken = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        if self._reading_paused and len(self._unread) <= _UNREAD_MAX:
            self._reading_paused = False
            self._transport.resume_reading()
        return taken

    def _has_news(self) -> bool:
        # The loop may not yet have had the time to see that the other side closed.
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))
