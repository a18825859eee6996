"""A real HTTP proxy on loopback, for tests: it forwards, tunnels and writes down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class Proxy:
    """What a proxy is to do, and what it has seen."""

    address: str = ""
    """Host and port."""
    refusal: str | None = None
    """A status line to answer `CONNECT` with, instead of a tunnel."""
    requests: list[str] = field(default_factory=list)
    """The request lines it was sent."""
    authorizations: list[str | None] = field(default_factory=list)
    """`Proxy-Authorization` of each request."""
    connections: set[asyncio.Task[None]] = field(default_factory=set)
    """Those it has open."""

    def accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Take a connection."""
        task = asyncio.ensure_future(self._serve(reader, writer))
        self.connections.add(task)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve the first request of a connection, and whatever follows it."""
        with suppress(asyncio.IncompleteReadError, ConnectionError), closing(writer):
            await self._first(reader, writer)

    async def _first(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *headers = head.removesuffix("\r\n\r\n").split("\r\n")
        self.requests.append(line)
        self.authorizations.append(
            next(
                (
                    header.partition(": ")[2]
                    for header in headers
                    if header.lower().startswith("proxy-authorization:")
                ),
                None,
            )
        )
        method, target, _ = line.split(" ")
        if method != "CONNECT":
            await self._forward(target, head, reader, writer)
        elif self.refusal:
            writer.write(f"HTTP/1.1 {self.refusal}\r\n\r\n".encode())
        else:
            host, _, port = target.rpartition(":")
            there = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await join((reader, writer), there)

    async def _forward(
        self,
        target: str,
        head: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        url = urlsplit(target)
        there = await asyncio.open_connection(url.hostname, url.port)
        there[1].write(head.replace(target, url.path or "/", 1).encode("latin-1"))
        await join((reader, writer), there)


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def join(one: End, other: End) -> None:
    """Copy bytes both ways until either end closes, then close the other."""
    copying = [
        asyncio.ensure_future(copy(one[0], other[1])),
        asyncio.ensure_future(copy(other[0], one[1])),
    ]
    with closing(other[1]):
        try:
            await asyncio.wait(copying, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in copying:
                task.cancel()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end."""
    with suppress(ConnectionError):
        while part := await reader.read(65_536):
            writer.write(part)


@asynccontextmanager
async def proxying(refusal: str | None = None) -> AsyncIterator[Proxy]:
    """A proxy that listens."""
    proxy = Proxy(refusal=refusal)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in proxy.connections:
            task.cancel()
        await asyncio.gather(*proxy.connections, return_exceptions=True)
