"""Every transport with responses that are read as they come, and with very many."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    aclosing,
    closing,
    contextmanager,
    suppress,
)

import pytest

from dspex.client import aiohttp_transport, httpx_transport
from dspex.client.aiohttp_transport import AiohttpTransport
from dspex.client.http_messages import HttpRequest, HttpResponse, OpenResponse
from dspex.client.transport import Transport
from dspex.core import errors
from tests.contracts.transports import TRANSPORTS, over_httpx

PATIENT = 20.0
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"

Script = Callable[["Line"], Awaitable[None]]
Use = Callable[[Transport, "Server"], Awaitable[None]]


@pytest.fixture(params=TRANSPORTS)
def make(request: pytest.FixtureRequest) -> Callable[[], Transport]:
    """The transports that keep the contract."""
    factory: Callable[[], Transport] = request.param
    return factory


class Line:
    """The server's end of a connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    async def take(self) -> None:
        """Read a request."""
        await self.reader.readuntil(b"\r\n\r\n{}")

    def head(self, more: bytes = b"") -> None:
        """Send the head of a response that comes in parts."""
        self.writer.write(CHUNKED + more + b"\r\n")

    def part(self, part: bytes) -> None:
        """Send a part; an empty one is the last."""
        self.writer.write(b"%x\r\n%b\r\n" % (len(part), part))

    async def gone(self) -> None:
        """Wait until the client is gone."""
        await self.reader.read()


class Server:
    """Follows a script on every connection."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.open = 0
        self.connections = 0
        self.empty = asyncio.Event()
        self.changed = asyncio.Condition()
        self.url = ""

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.open += 1
        self.connections += 1
        self.empty.clear()
        try:
            with (
                closing(writer),
                suppress(ConnectionError, asyncio.IncompleteReadError),
            ):
                await self._script(Line(reader, writer))
        finally:
            self.open -= 1
            if not self.open:
                self.empty.set()
            async with self.changed:
                self.changed.notify_all()

    async def until_open(self, count: int) -> None:
        """Wait until so many connections are left."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.open == count)


def run(make: Callable[[], Transport], script: Script, use: Use) -> None:
    """Run one scenario; at its end nothing of the client is left at the server."""

    async def scenario() -> None:
        server = Server(script)
        listening = await asyncio.start_server(
            server.serve, "127.0.0.1", 0, backlog=2048
        )
        port = listening.sockets[0].getsockname()[1]
        server.url = f"http://127.0.0.1:{port}/"
        transport = make()
        try:
            await use(transport, server)
        finally:
            await transport.aclose()
        if server.connections:
            await server.empty.wait()
        listening.close()

    async def bounded() -> None:
        await asyncio.wait_for(scenario(), PATIENT)

    asyncio.run(bounded())


def opening(
    transport: Transport,
    url: str,
    *,
    read_timeout: float = PATIENT,
    max_bytes: int = 1_000_000,
    body: bytes = b"{}",
    headers: Mapping[str, str] | None = None,
) -> AbstractAsyncContextManager[OpenResponse]:
    return transport.open(
        HttpRequest(method="POST", url=url, body=body, headers=headers or {}),
        connect_timeout=PATIENT,
        read_timeout=read_timeout,
        max_bytes=max_bytes,
    )


def test_parts_are_handed_on_as_they_come(make: Callable[[], Transport]) -> None:
    next_one = asyncio.Event()

    async def script(line: Line) -> None:
        await line.take()
        line.head(b"X-Name: value\r\n")
        for part in (b"one", b"two", b""):
            line.part(part)
            await next_one.wait()
            next_one.clear()
        await line.gone()

    async def use(transport: Transport, server: Server) -> None:
        async with opening(transport, server.url) as opened:
            parts = opened.parts()
            assert await anext(parts) == b"one"
            next_one.set()
            assert await anext(parts) == b"two"
            next_one.set()
            assert await anext(parts, None) is None
            next_one.set()
        assert (opened.status, opened.sends) == (200, 1)
        assert opened.headers["x-name"] == "value"

    run(make, script, use)


def test_packed_stream_is_unpacked_as_it_comes(make: Callable[[], Transport]) -> None:
    packer = zlib.compressobj(wbits=31)

    async def script(line: Line) -> None:
        await line.take()
        line.head(b"Content-Encoding: gzip\r\n")
        line.part(packer.compress(b"one") + packer.flush(zlib.Z_SYNC_FLUSH))
        await line.gone()

    async def use(transport: Transport, server: Server) -> None:
        async with opening(transport, server.url) as opened:
            assert await anext(opened.parts()) == b"one"

    run(make, script, use)


def test_stream_read_to_its_end_leaves_its_connection_to_the_next(
    make: Callable[[], Transport],
) -> None:
    async def script(line: Line) -> None:
        while True:
            await answer(line)

    async def use(transport: Transport, server: Server) -> None:
        for _ in range(3):
            async with opening(transport, server.url) as opened:
                assert await opened.read() == b"whole"
        assert server.connections == 1

    run(make, script, use)


async def answer(line: Line) -> None:
    """Answer one request whole."""
    await line.take()
    line.head()
    line.part(b"whole")
    line.part(b"")


async def whole(transport: Transport, server: Server) -> HttpResponse:
    request = HttpRequest(method="POST", url=server.url, body=b"{}")
    return await transport.send(
        request, connect_timeout=PATIENT, read_timeout=PATIENT, max_bytes=1_000_000
    )


def test_connection_that_is_stale_is_replaced_by_a_fresh_one_and_no_other_idle_one(
    make: Callable[[], Transport],
) -> None:
    everybody = asyncio.Barrier(2)

    async def script(line: Line) -> None:
        await line.take()
        if server_of[0].connections <= 2:
            await everybody.wait()
        line.head()
        line.part(b"")
        await line.take()  # and close without a byte

    server_of: list[Server] = []

    async def use(transport: Transport, server: Server) -> None:
        server_of.append(server)
        await asyncio.gather(whole(transport, server), whole(transport, server))
        if make is over_httpx:
            # Nothing is replaced there, and no other idle one is tried either.
            with pytest.raises(errors.LMConnectionError, match="broke"):
                await whole(transport, server)
            assert server.connections == 2
            return
        assert (await whole(transport, server)).sends == 2
        assert server.connections == 3

    run(make, script, use)


def test_half_a_head_on_a_used_connection_is_never_tried_again(
    make: Callable[[], Transport],
) -> None:
    async def script(line: Line) -> None:
        await answer(line)
        await line.take()
        line.writer.write(b"HTTP/1.1 200 OK\r\nContent-")

    async def use(transport: Transport, server: Server) -> None:
        await whole(transport, server)
        with pytest.raises(errors.LMConnectionError, match="broke"):
            await whole(transport, server)
        assert server.connections == 1

    run(make, script, use)


def test_bytes_that_came_unasked_and_were_read_are_not_the_next_answer(
    make: Callable[[], Transport],
) -> None:
    lines: list[Line] = []

    async def script(line: Line) -> None:
        lines.append(line)
        await answer(line)
        await line.gone()

    async def use(transport: Transport, server: Server) -> None:
        other = Server(script)
        listening = await asyncio.start_server(other.serve, "127.0.0.1", 0)
        other.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        await whole(transport, server)
        lines[0].head(b"X-Late: yes\r\n")
        await whole(transport, other)  # meanwhile the loop reads what came
        assert "x-late" not in (await whole(transport, server)).headers
        assert server.connections == 2
        await transport.aclose()
        await other.empty.wait()
        listening.close()

    run(make, script, use)


def test_no_more_connections_are_kept_than_allowed() -> None:
    everybody = asyncio.Barrier(8)
    transport = AiohttpTransport(idle_max=3)

    async def script(line: Line) -> None:
        await line.take()
        await everybody.wait()
        line.head()
        line.part(b"")
        await line.gone()

    async def use(used: Transport, server: Server) -> None:
        await asyncio.gather(*(whole(used, server) for _ in range(8)))
        await server.until_open(3)
        assert transport.idle == 3

    run(lambda: transport, script, use)


async def endless(line: Line) -> None:
    """Send a part, and never the last."""
    await line.take()
    line.head()
    line.part(b"part")
    await line.gone()


@pytest.mark.parametrize("parts_read", [0, 1])
def test_reader_that_leaves_ends_the_request_at_the_provider(
    make: Callable[[], Transport], parts_read: int
) -> None:
    async def use(transport: Transport, server: Server) -> None:
        async with opening(transport, server.url) as opened:
            for _ in range(parts_read):
                assert await anext(opened.parts()) == b"part"
        await server.empty.wait()
        assert server.connections == 1

    run(make, endless, use)


def test_reader_that_raises_sees_its_own_error(make: Callable[[], Transport]) -> None:
    async def use(transport: Transport, server: Server) -> None:
        with pytest.raises(OSError, match="my own"):
            async with opening(transport, server.url):
                raise OSError("my own")
        await server.empty.wait()

    run(make, endless, use)


def test_reader_that_is_cancelled_ends_the_request(
    make: Callable[[], Transport],
) -> None:
    async def use(transport: Transport, server: Server) -> None:
        has_part = asyncio.Event()

        async def read() -> None:
            async with (
                opening(transport, server.url) as opened,
                aclosing(opened.parts()) as parts,
            ):
                async for _ in parts:
                    has_part.set()

        task = asyncio.create_task(read())
        await has_part.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.empty.wait()

    run(make, endless, use)


def test_silence_within_a_stream_is_a_timeout(make: Callable[[], Transport]) -> None:
    async def use(transport: Transport, server: Server) -> None:
        with pytest.raises(errors.LMTimeoutError, match=r"no byte .* 0\.05 s"):
            async with opening(transport, server.url, read_timeout=0.05) as opened:
                await opened.read()
        await server.empty.wait()

    run(make, endless, use)


def test_stream_that_breaks_hands_on_what_came_and_is_a_connection_error(
    make: Callable[[], Transport],
) -> None:
    async def script(line: Line) -> None:
        await line.take()
        line.head()
        line.part(b"part")

    async def use(transport: Transport, server: Server) -> None:
        async with opening(transport, server.url) as opened:
            parts = opened.parts()
            assert await anext(parts) == b"part"
            with pytest.raises(errors.LMConnectionError, match="broke"):
                await anext(parts)
        assert server.connections == 1

    run(make, script, use)


def test_stream_above_the_limit_is_cut_there(make: Callable[[], Transport]) -> None:
    async def script(line: Line) -> None:
        await line.take()
        line.head()
        while True:
            line.part(b"x" * 1000)
            await line.writer.drain()

    async def use(transport: Transport, server: Server) -> None:
        taken = 0
        with pytest.raises(errors.LMResponseError, match="too large"):
            async with opening(transport, server.url, max_bytes=100_000) as opened:
                async for part in opened.parts():
                    taken += len(part)
        assert taken <= 100_000
        await server.empty.wait()

    run(make, script, use)


def test_server_has_to_wait_for_a_reader_that_does_not_read(
    make: Callable[[], Transport],
) -> None:
    sent = 0
    waits = asyncio.Event()

    async def script(line: Line) -> None:
        nonlocal sent
        await line.take()
        line.head()
        while True:
            line.part(b"x" * 65_536)
            sent += 65_536
            try:
                async with asyncio.timeout(0.2):
                    await line.writer.drain()
            except TimeoutError:
                break
        waits.set()
        await line.gone()

    async def use(transport: Transport, server: Server) -> None:
        async with opening(transport, server.url, max_bytes=10**9):
            await waits.wait()
        assert sent < 64_000_000

    run(make, script, use)


def test_server_that_does_not_read_the_request_is_a_timeout(
    make: Callable[[], Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (aiohttp_transport, httpx_transport):
        monkeypatch.setattr(module, "WRITE_SECONDS", 0.1)
    over = asyncio.Event()

    async def script(line: Line) -> None:
        await over.wait()

    async def use(transport: Transport, server: Server) -> None:
        request = HttpRequest(method="POST", url=server.url, body=bytes(30_000_000))
        with pytest.raises(errors.LMTimeoutError, match="did not take the request"):
            await transport.send(request, connect_timeout=1.0, read_timeout=0.1)
        over.set()

    run(make, script, use)


@pytest.mark.parametrize("status", [b"302 Found", b"307 Temporary Redirect"])
def test_redirect_is_not_followed_and_carries_no_key_elsewhere(
    make: Callable[[], Transport], status: bytes
) -> None:
    followed: list[bytes] = []
    places: list[bytes] = []

    async def script(line: Line) -> None:
        await line.take()
        head = b"HTTP/1.1 %b\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n"
        line.writer.write(head % (status, places[0]))
        await line.gone()

    async def elsewhere(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with closing(writer):
            followed.append(await reader.read(1))

    async def use(transport: Transport, server: Server) -> None:
        other = await asyncio.start_server(elsewhere, "127.0.0.1", 0)
        places.append(b"http://127.0.0.1:%d/" % other.sockets[0].getsockname()[1])
        key = {"x-api-key": "tell-nobody"}
        async with opening(transport, server.url, headers=key) as opened:
            await opened.read()
        other.close()
        assert opened.status == int(status[:3])
        assert opened.headers["location"] == places[0].decode()

    run(make, script, use)

    assert followed == []


def test_closing_ends_idle_connections_and_breaks_those_in_use(
    make: Callable[[], Transport],
) -> None:
    async def script(line: Line) -> None:
        await line.take()
        line.head()
        line.part(b"")
        await line.take()
        line.head()
        line.part(b"part")
        await line.gone()

    async def use(transport: Transport, server: Server) -> None:
        await asyncio.gather(whole(transport, server), whole(transport, server))
        async with opening(transport, server.url) as opened:
            parts = opened.parts()
            await anext(parts)
            await transport.aclose()
            with pytest.raises(errors.LMConnectionError, match="broke"):
                await anext(parts)
        assert server.connections == 2
        await server.empty.wait()
        with pytest.raises(RuntimeError, match="closed"):
            await whole(transport, server)

    run(make, script, use)


def test_far_more_than_a_thousand_requests_are_in_flight_at_once(
    make: Callable[[], Transport],
) -> None:
    # httpcore looks at each connection for each request: so many take half a minute.
    count = 100 if make is over_httpx else 1200
    arrived = 0
    everybody = asyncio.Event()

    async def script(line: Line) -> None:
        nonlocal arrived
        await line.take()
        arrived += 1
        if arrived == count:
            everybody.set()
        await everybody.wait()
        line.head()
        line.part(b"ok")
        line.part(b"")
        await line.gone()

    async def use(transport: Transport, server: Server) -> None:
        async def one() -> bytes:
            async with opening(transport, server.url) as opened:
                return await opened.read()

        bodies = await asyncio.gather(*(one() for _ in range(count)))
        assert bodies == [b"ok"] * count
        assert server.connections == count

    with files_allowed(2 * count + 200):
        run(make, script, use)


@contextmanager
def files_allowed(count: int) -> Iterator[None]:
    """Let the process have so many files open, or skip the test."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"this machine allows {hard} open files, and {count} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
