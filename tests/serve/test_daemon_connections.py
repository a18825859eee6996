"""A daemon takes so many connections, and hangs up on those that bring nothing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import pytest
from aiohttp import web

from dspex.serve.connections import Connections, most_connections
from dspex.serve.listening import Network
from tests.serve.lab import PATIENT, connected

ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Clock:
    """A clock that is wound by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Lab:
    """A server whose connections are looked after."""

    def __init__(self, most: int) -> None:
        self.clock = Clock()
        self.opened = asyncio.Event()
        app = web.Application()
        app.add_routes([web.get("/", self._hello), web.get("/slow", self._slow)])
        self.runner = web.AppRunner(app)
        self.connections = Connections(
            lambda: cast("web.Server", self.runner.server),
            most=most,
            monotonic=self.clock,
        )
        app.middlewares.append(self.connections.at_work())

    async def _hello(self, _request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def _slow(self, _request: web.Request) -> web.Response:
        await self.opened.wait()
        return web.Response(text="slow")

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect."""
        return await self._open.enter_async_context(connected(self.address))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve for the block."""
        await self.runner.setup()
        listening = await Network(port=0).open(self.connections)
        self.address = listening.address
        try:
            async with asyncio.timeout(PATIENT), AsyncExitStack() as self._open:
                yield
        finally:
            listening.close()
            await self.runner.cleanup()


async def is_cut(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


def test_one_more_than_there_may_be_is_told_at_once() -> None:
    async def main() -> None:
        lab = Lab(most=2)
        async with lab.running():
            (first, asks), (_, second) = [await lab.connect() for _ in range(2)]
            asks.write(ASK)
            assert await first.readuntil(b"hello")
            reader, _ = await lab.connect()
            assert (await reader.read()).startswith(b"HTTP/1.1 503 ")

            second.close()
            while len(cast("web.Server", lab.runner.server).connections) > 1:
                await asyncio.sleep(0)
            reader, writer = await lab.connect()
            writer.write(ASK)
            assert await reader.readuntil(b"hello")

    asyncio.run(main())


def test_of_many_that_come_at_once_no_more_are_let_in() -> None:
    async def main() -> None:
        lab = Lab(most=2)
        async with lab.running():
            came = await asyncio.gather(*(lab.connect() for _ in range(12)))
            for _, writer in came:
                writer.write(ASK)

            async def told(reader: asyncio.StreamReader) -> bytes:
                try:
                    return await reader.readexactly(12)
                except (ConnectionResetError, asyncio.IncompleteReadError):
                    return b"cut"

            answers = [await told(reader) for reader, _ in came]
            assert answers.count(b"HTTP/1.1 200") == 2

    asyncio.run(main())


def test_who_brings_no_whole_request_is_hung_up_on_and_who_waits_is_not() -> None:
    async def main() -> None:
        lab = Lab(most=10)
        async with lab.running():
            silent, _ = await lab.connect()
            dribbling, dribbles = await lab.connect()
            dribbles.write(ASK[:-2])
            asking, asks = await lab.connect()
            asks.write(ASK.replace(b"/ ", b"/slow "))
            again, writes = await lab.connect()
            writes.write(ASK)
            assert await again.readuntil(b"hello")

            lab.connections.look()
            lab.clock.now += 74.0
            writes.write(ASK)
            assert await again.readuntil(b"hello")
            lab.clock.now += 1.0
            lab.connections.look()

            assert await is_cut(silent)
            assert await is_cut(dribbling)
            lab.opened.set()
            assert await asking.readuntil(b"slow")
            writes.write(ASK)
            assert await again.readuntil(b"hello")

            lab.clock.now += 75.0
            lab.connections.look()
            assert await is_cut(again)
            assert await is_cut(asking)

    asyncio.run(main())


def test_looking_goes_on_until_it_is_cancelled() -> None:
    async def main() -> None:
        lab = Lab(most=10)
        async with lab.running():
            reader, _ = await lab.connect()
            tending = asyncio.create_task(lab.connections.tend())
            lab.connections.look()
            lab.clock.now += 75.0
            assert await is_cut(reader)
            tending.cancel()

    asyncio.run(main())


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of files")
@pytest.mark.parametrize(
    ("files", "expected"), [(64, 32), (1_024, 512), (2**40, 16_384), (4, 8)]
)
def test_files_of_requests_keep_their_share(
    files: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (files, files))

    assert most_connections() == expected
