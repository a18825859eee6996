"""A small HTTP/1.1 server on asyncio, fast enough to measure a client against.

It reads whole requests (with `Content-Length`, one at a time per connection) and hands
each to a callback as an `Exchange`, which can be answered well or badly. It is made for
loopback and tests, and keeps away from what the answers mean.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import cast

_ABORT_ON_CLOSE = struct.pack("ii", 1, 0)


class Exchange:
    """One request and the means to answer it. Lives on the server's loop."""

    def __init__(
        self,
        connection: Connection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.on_gone: Callable[[], None] = _nothing
        """Called once when the connection ends before the exchange is done."""
        self._connection = connection

    def send(self, data: bytes, *, then: Callable[[], None]) -> None:
        """Write bytes and call `then` when the socket has taken all of them."""
        self._connection.send(data, then)

    def done(self) -> None:
        """End the exchange; the connection waits for the next request."""
        self._connection.exchange_done()

    def close(self) -> None:
        """Close the connection after what was written."""
        self._connection.transport.close()

    def reset(self) -> None:
        """Make the client see a TCP reset."""
        transport = self._connection.transport
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT_ON_CLOSE)
        transport.abort()


class Connection(asyncio.Protocol):
    """One client's connection: requests in turn, kept alive."""

    def __init__(
        self,
        connections: set[Connection],
        on_request: Callable[[Exchange], None],
    ) -> None:
        self._connections = connections
        self._on_request = on_request
        self._buffer = bytearray()
        self._exchange: Exchange | None = None
        self._flushed: Callable[[], None] | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and ask to hear about every byte it could not send."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=0)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Collect bytes and start the next request when it is whole."""
        self._buffer += data
        self._take_request()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell the open exchange that nobody listens any more."""
        self._connections.discard(self)
        exchange, self._exchange = self._exchange, None
        self._flushed = None
        if exchange is not None:
            exchange.on_gone()

    def resume_writing(self) -> None:
        """Everything written has left the process."""
        flushed, self._flushed = self._flushed, None
        if flushed is not None:
            flushed()

    def send(self, data: bytes, then: Callable[[], None]) -> None:
        """Write, and call `then` once the operating system has it all."""
        self.transport.write(data)
        if self.transport.get_write_buffer_size():
            self._flushed = then
        elif not self.transport.is_closing():
            then()

    def exchange_done(self) -> None:
        """Go on with the next request, which may be in the buffer already."""
        exchange, self._exchange = self._exchange, None
        if exchange and exchange.headers.get("connection", "").lower() == "close":
            self.transport.close()
        else:
            self._take_request()

    def _take_request(self) -> None:
        if self._exchange is not None:
            return
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        method, path, headers = _parse_head(bytes(self._buffer[:end]))
        size = int(headers.get("content-length", "0"))
        start = end + 4
        if len(self._buffer) < start + size:
            return
        body = bytes(self._buffer[start : start + size])
        del self._buffer[: start + size]
        self._exchange = Exchange(self, method, path, headers, body)
        self._on_request(self._exchange)


def response(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """Put a whole HTTP response into bytes."""
    return response_head(status, headers, len(body)) + body


LAST_CHUNK = b"0\r\n\r\n"
"""What ends a body that comes in chunks."""


def chunk(data: bytes) -> bytes:
    """Frame a piece of a body that comes in chunks."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def response_head(status: int, headers: Mapping[str, str], size: int | None) -> bytes:
    """Put a response's head into bytes.

    Args:
        status: The HTTP status.
        headers: All headers but the one that says where the body ends.
        size: Bytes of the body; `None` announces chunks.
    """
    framing = (
        "Transfer-Encoding: chunked" if size is None else f"Content-Length: {size}"
    )
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", framing]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    request_line, *lines = head.decode("latin-1").split("\r\n")
    method, path, _version = request_line.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return method, path, headers


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _nothing() -> None:
    """Stand in for a callback nobody has set."""
