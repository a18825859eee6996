"""Clients that are slow, gone or hostile cost a service little, and others nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiohttp import ClientSession, web

from dspex.core.errors import ConfigurationError
from dspex.runtime.runtime import Runtime
from dspex.serve.delivery import hand_over, write_events
from dspex.serve.doorkeeper import Doorkeeper
from dspex.serve.refusals import LONGEST_TEXT, Refused
from dspex.serve.requests import Wish
from dspex.serve.service import Service
from dspex.serve.terms import Terms
from tests.serve.lab import (
    PATIENT,
    STURDY,
    Client,
    Gate,
    connected,
    deployed,
    kill_requests,
    serve,
)

STREAMED = {"Accept": "text/event-stream"}
MORE_THAN_BUFFERS_HOLD = 32 * 1024 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture(autouse=True)
def runtime() -> Iterator[Runtime]:
    with Runtime(STURDY) as running:
        yield running


def call(text: str = "x", n: int = 0) -> dict[str, Any]:
    """Say it again."""
    return {"text": text, "n": n}


# Who does not read.


def unread(handler: Handler) -> None:
    """Ask on a connection from which nothing is read, until the service has cut it."""

    async def main() -> None:
        cut = asyncio.Event()

        async def handled(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            finally:
                cut.set()

        app = web.Application()
        app.add_routes([web.get("/", handled)])
        async with (
            asyncio.timeout(PATIENT),
            deployed(app) as url,
            connected(url, limit=1) as (reader, writer),
        ):
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await cut.wait()
            came = 0
            while some := await reader.read(2**20):
                came += len(some)
            assert came < MORE_THAN_BUFFERS_HOLD

    asyncio.run(main())


def test_who_does_not_take_an_answer_is_hung_up_on() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.Response(body=bytes(MORE_THAN_BUFFERS_HOLD))
        return await hand_over(request, response, within=0.05)

    unread(handler)


def test_who_does_not_take_an_event_is_hung_up_on_and_the_program_given_up() -> None:
    ended: list[str] = []

    async def events() -> AsyncGenerator[str, None]:
        try:
            while True:
                yield "x" * MORE_THAN_BUFFERS_HOLD
        finally:
            ended.append("events")

    async def handler(request: web.Request) -> web.StreamResponse:
        told = events()
        try:
            return await write_events(request, told, web.StreamResponse(), within=0.05)
        except Refused as error:
            ended.append(error.refusal.type)
            raise web.HTTPBadRequest from error
        finally:
            await told.aclose()

    unread(handler)

    assert ended == ["client_left", "events"]


@pytest.mark.parametrize("kind", [ConnectionResetError, ConnectionError, TimeoutError])
def test_a_program_whose_own_connection_breaks_is_told_in_a_stream(
    kind: type[OSError],
) -> None:
    def broken() -> None:
        raise kind("of mine")

    async def use(client: Client) -> None:
        reply = await client.post("/broken", {}, headers=STREAMED)

        assert reply.status in {500, 504}
        assert "of mine" in reply.error["message"]

    serve(Service({"broken": broken}), use)


def test_a_reader_that_breaks_off_is_no_mistake_of_the_program(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        service = Service({"much": lambda: "x" * MORE_THAN_BUFFERS_HOLD})
        async with asyncio.timeout(PATIENT), deployed(service.app()) as url:
            async with connected(url, limit=1) as (reader, writer):
                writer.write(
                    b"POST /much?stream=1 HTTP/1.1\r\nHost: localhost\r\n"
                    b"Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
                )
                await reader.readexactly(1_000)
                # Closed so, the other end is told that the connection was reset.
                linger = b"\x01\0\0\0\0\0\0\0"
                found: socket.socket = writer.get_extra_info("socket")
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            service.begin_draining()
            await service.drained()

    asyncio.run(main())

    assert "a request failed" not in caplog.text


@pytest.mark.parametrize("stream", [b"", b"?stream=1"])
def test_who_leaves_in_silence_is_seen_to_have_left(
    stream: bytes, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dspex.serve.delivery.PING_EVERY", float("inf"))
    gate = Gate()

    async def main() -> None:
        service = Service({"gate": gate})
        # Other than a server of tests, this one does not cancel what it handles.
        async with asyncio.timeout(PATIENT), deployed(service.app()) as url:
            async with connected(url) as (_, writer):
                writer.write(
                    b"POST /gate" + stream + b" HTTP/1.1\r\nHost: localhost\r\n"
                    b"Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
                )
                await gate.arrived()
            service.begin_draining()
            await service.drained()
            assert kill_requests(runtime) == 0
        gate.opened.set()

    asyncio.run(main())


@pytest.mark.parametrize("linger", [b"\0" * 8, b"\x01\0\0\0\0\0\0\0"])
def test_who_breaks_a_body_off_is_no_mistake_of_the_program(
    linger: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        service = Service({"call": call})
        async with asyncio.timeout(PATIENT), deployed(service.app()) as url:
            async with connected(url) as (_, writer):
                writer.write(
                    b"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
                    b"Content-Type: application/json\r\n\r\n{"
                )
                while service.in_flight == 0:
                    await asyncio.sleep(0)
                found: socket.socket = writer.get_extra_info("socket")
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            service.begin_draining()
            await service.drained()

    asyncio.run(main())

    assert "a request failed" not in caplog.text


# Who sends much.


def test_a_body_of_faults_is_told_of_the_first_few() -> None:
    inputs = {f"tex{number}": 1 for number in range(1_000)} | {"t" * 100_000: 1}

    async def use(client: Client) -> None:
        reply = await client.post("/call", inputs)

        assert reply.status == 422
        assert len(reply.error["fields"]) == 10
        assert len(reply.text) < 10 * LONGEST_TEXT

    serve(Service({"call": call}), use)


@pytest.mark.parametrize("inputs", [{"t" * 100_000: 1}, {"n": {"k" * 100_000: 1}}])
def test_a_long_name_is_not_repeated_whole(inputs: dict[str, Any]) -> None:
    def program(n: dict[str, dict[str, int]]) -> str:
        return f"{n}"

    async def use(client: Client) -> None:
        reply = await client.post("/program", inputs)

        assert reply.status == 422
        assert len(reply.text) < 5 * LONGEST_TEXT

    serve(Service({"program": program}), use)


@pytest.mark.parametrize("how", ["gzip", "br", "nonsense"])
def test_a_packed_body_is_refused(how: str) -> None:
    async def main() -> None:
        service = Service({"call": call})
        # As `dspex serve` runs it: what is packed is not unpacked on the way, either.
        async with (
            deployed(service.app(), auto_decompress=False) as url,
            ClientSession() as session,
        ):
            headers = {"Content-Encoding": how, "Content-Type": "application/json"}
            client = Client(session, url)
            reply = await client.post("/call", data=b"{}", headers=headers)
        assert (reply.status, reply.error["type"]) == (415, "unsupported_media_type")

    asyncio.run(main())


def test_a_body_that_says_that_it_is_not_packed_is_read() -> None:
    async def use(client: Client) -> None:
        headers = {"Content-Encoding": "identity", "Content-Type": "application/json"}
        reply = await client.post("/call", data=b"{}", headers=headers)
        assert reply.status == 200

    serve(Service({"call": call}), use)


@pytest.mark.parametrize("given", ["5.5", "99", "1e300"])
def test_no_client_gets_more_time_than_there_is(given: str) -> None:
    assert Wish.of({"Dspex-Timeout": given}, {}, most=5.0).timeout == 5.0


# Tokens.


def test_a_token_that_is_no_text_is_refused_as_any_other() -> None:
    service = Service({"call": call}, token="sesame")

    async def use(client: Client) -> None:
        async with connected(client.url) as (reader, writer):
            writer.write(
                b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff\xfe\r\n"
                b"Connection: close\r\n\r\n"
            )
            assert (await reader.read()).startswith(b"HTTP/1.1 401 ")

    serve(service, use)


@pytest.mark.parametrize("token", ["", " ", "$EMPTY_TOKEN"])
def test_an_empty_token_is_none(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY_TOKEN", " \n")

    with pytest.raises(ConfigurationError, match="token"):
        Service({"call": call}, token=token)


@pytest.mark.parametrize("given", ["sesame", "Basic sesame", "Bearer", "Bearer x", ""])
def test_a_token_has_to_be_said_to_be_one(given: str) -> None:
    door = Terms.of(token="sesame").doorkeeper

    door.check_token("bearer sesame")
    with pytest.raises(Refused):
        door.check_token(given)


def test_the_end_of_a_line_is_no_part_of_a_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FILE_TOKEN", "sesame\n")

    door = Terms.of(token="$FILE_TOKEN").doorkeeper

    door.check_token("Bearer sesame")
    with pytest.raises(Refused):
        Doorkeeper(token=door.token).check_token(None)
