"""What the stream does that no well-behaved exchange shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpcore
import pytest

from dspex.client.asyncio_stream import AsyncioStream, connect

PATIENT = 10.0
MANY = bytes(20_000_000)


class Peer:
    """The other side of one connection; it does nothing by itself."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


def run(use: Callable[[AsyncioStream, Peer], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with connected() as (stream, peer):
            await asyncio.wait_for(use(stream, peer), PATIENT)

    asyncio.run(scenario())


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[AsyncioStream, Peer]]:
    peer, accepted = Peer(), asyncio.Event()

    async def accept(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        peer.reader, peer.writer = reader, writer
        accepted.set()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    stream = await connect("127.0.0.1", port, timeout=PATIENT, context=None)
    await accepted.wait()
    try:
        yield stream, peer
    finally:
        await stream.aclose()
        peer.writer.transport.abort()
        server.close()


def test_writes_leave_in_one_piece_when_the_answer_is_read() -> None:
    async def use(stream: AsyncioStream, peer: Peer) -> None:
        await stream.write(b"head ")
        await stream.write(b"body")
        reading = asyncio.create_task(stream.read(100, PATIENT))

        assert await peer.reader.read(100) == b"head body"
        peer.writer.write(b"answer")
        assert await reading == b"answer"

    run(use)


def test_bytes_are_returned_in_the_pieces_asked_for() -> None:
    async def use(stream: AsyncioStream, peer: Peer) -> None:
        peer.writer.write(b"abcde")
        peer.writer.close()

        assert [await stream.read(2) for _ in range(4)] == [b"ab", b"cd", b"e", b""]

    run(use)


def test_other_side_that_takes_nothing_is_a_write_timeout() -> None:
    async def use(stream: AsyncioStream, peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a socket's

        with pytest.raises(httpcore.WriteTimeout):
            await stream.write(MANY, timeout=0.05)

    run(use)


def test_other_side_that_goes_away_ends_a_write() -> None:
    async def use(stream: AsyncioStream, peer: Peer) -> None:
        writing = asyncio.create_task(stream.write(MANY, timeout=PATIENT))
        await peer.reader.readexactly(1)
        peer.writer.transport.abort()

        with pytest.raises(httpcore.WriteError):
            await writing

    run(use)


def test_bytes_nobody_reads_stop_the_flow_and_none_are_lost() -> None:
    async def use(stream: AsyncioStream, peer: Peer) -> None:
        peer.writer.write(MANY)
        draining = asyncio.create_task(peer.writer.drain())
        done, _ = await asyncio.wait([draining], timeout=0.1)
        assert not done

        received = 0
        while received < len(MANY):
            received += len(await stream.read(65_536, PATIENT))
        await draining

    run(use)


def test_idle_stream_is_readable_once_the_other_side_spoke_or_went() -> None:
    async def use(stream: AsyncioStream, peer: Peer) -> None:
        assert not stream.get_extra_info("is_readable")
        peer.writer.write(b"x")
        assert stream.get_extra_info("is_readable")  # the loop has not seen it yet
        assert await stream.read(1, PATIENT) == b"x"
        assert not stream.get_extra_info("is_readable")
        peer.writer.close()
        assert await stream.read(1, PATIENT) == b""
        assert stream.get_extra_info("is_readable")

    run(use)
