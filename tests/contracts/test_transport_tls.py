"""Every transport against servers that speak TLS, well and badly."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.transport import Transport
from dspex.core import errors
from tests.contracts.transports import TRANSPORTS

HERE = Path(__file__).parent / "tls"
CERTIFICATE = HERE / "certificate.pem"
PATIENT = 10.0

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(params=TRANSPORTS)
def make(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Transport]:
    """The transports that keep the contract; they trust the test's certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    factory: Callable[[], Transport] = request.param
    return factory


class Server:
    """What a server does, and what it saw."""

    def __init__(self) -> None:
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.protocols: set[str | None] = set()
        self.gone = asyncio.Event()

    async def echo(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        self.writers.append(writer)
        agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        self.protocols.add(agreed)
        try:
            while True:
                body = await read_request(reader)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def hang(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            await reader.read()
        finally:
            self.gone.set()
            writer.close()

    def close_all(self) -> None:
        for writer in self.writers:
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    size = next(
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    return await reader.readexactly(size)


@asynccontextmanager
async def listening(
    serve: Serve, *, tls: bool = True, host: str = "127.0.0.1"
) -> AsyncIterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.load_cert_chain(CERTIFICATE, HERE / "key.pem")
    server = await asyncio.start_server(serve, host, 0, ssl=context if tls else None)
    try:
        yield f"https://{host}:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def ask(
    transport: Transport,
    url: str,
    *,
    body: bytes = b"{}",
    connect_timeout: float = PATIENT,
    read_timeout: float = PATIENT,
) -> HttpResponse:
    return await transport.send(
        HttpRequest(method="POST", url=url, body=body),
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
    )


def run(
    make: Callable[[], Transport],
    use: Callable[[Transport, Server], Awaitable[None]],
) -> None:
    async def scenario() -> None:
        transport = make()
        try:
            await asyncio.wait_for(use(transport, Server()), PATIENT)
        finally:
            await transport.aclose()

    asyncio.run(scenario())


def test_requests_share_a_tls_connection(make: Callable[[], Transport]) -> None:
    async def thrice(transport: Transport, server: Server) -> None:
        async with listening(server.echo) as url:
            bodies = [
                (await ask(transport, url, body=body)).body
                for body in (b"a", b"b", b"")
            ]
            await transport.aclose()
        assert bodies == [b"a", b"b", b""]
        assert server.connections == 1
        assert server.protocols == {"http/1.1"}

    run(make, thrice)


@pytest.mark.parametrize("size", [100_000, 3_000_000])
def test_large_bodies_come_whole_both_ways_over_tls(
    make: Callable[[], Transport], size: int
) -> None:
    async def large(transport: Transport, server: Server) -> None:
        body = b"x" * size
        async with listening(server.echo) as url:
            response = await ask(transport, url, body=body)
            await transport.aclose()
        assert response.body == body

    run(make, large)


def test_certificate_nobody_trusts_is_a_connection_error(
    make: Callable[[], Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    async def distrust(transport: Transport, server: Server) -> None:
        async with listening(server.echo) as url:
            with pytest.raises(
                errors.LMConnectionError, match=r"CERTIFICATE_VERIFY.*trusted"
            ):
                await ask(transport, url)
        assert server.connections == 0

    run(make, distrust)


def test_certificate_for_another_host_is_a_connection_error(
    make: Callable[[], Transport],
) -> None:
    async def elsewhere(transport: Transport, server: Server) -> None:
        async with listening(server.echo, host="127.0.0.2") as url:
            with pytest.raises(
                errors.LMConnectionError, match=r"CERTIFICATE_VERIFY.*trusted"
            ):
                await ask(transport, url)
        assert server.connections == 0

    run(make, elsewhere)


def test_server_without_tls_is_a_connection_error(
    make: Callable[[], Transport],
) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def mistake(transport: Transport, server: Server) -> None:
        async with listening(plain, tls=False) as url:
            with pytest.raises(errors.LMConnectionError, match="no connection"):
                await ask(transport, url)

    run(make, mistake)


def test_server_that_never_finishes_the_handshake_is_a_timeout(
    make: Callable[[], Transport],
) -> None:
    async def wait(transport: Transport, server: Server) -> None:
        async with listening(server.hang, tls=False) as url:
            with pytest.raises(errors.LMTimeoutError, match=r"within 0\.05 s"):
                await ask(transport, url, connect_timeout=0.05)
            await server.gone.wait()

    run(make, wait)


def test_server_that_hangs_over_tls_is_a_timeout(make: Callable[[], Transport]) -> None:
    async def wait(transport: Transport, server: Server) -> None:
        async with listening(server.hang) as url:
            with pytest.raises(errors.LMTimeoutError, match=r"no byte .* 0\.05 s"):
                await ask(transport, url, read_timeout=0.05)
            await server.gone.wait()

    run(make, wait)


@pytest.mark.parametrize("tls", [True, False], ids=["in-request", "in-handshake"])
def test_cancellation_ends_a_tls_connection(
    make: Callable[[], Transport], *, tls: bool
) -> None:
    async def cancel(transport: Transport, server: Server) -> None:
        arrived = asyncio.Event()

        async def hang(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            if not tls:
                await reader.readexactly(1)  # the handshake has begun
            arrived.set()
            await server.hang(reader, writer)

        async with listening(hang, tls=tls) as url:
            task = asyncio.create_task(ask(transport, url))
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.gone.wait()

    run(make, cancel)


@pytest.mark.parametrize("has_head", [True, False], ids=["in-body", "before-head"])
def test_leaving_closes_the_socket_of_a_server_that_says_no_goodbye(
    make: Callable[[], Transport], *, has_head: bool
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE, HERE / "key.pem")
    arrived = asyncio.Event()

    def serve(listener: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        connection, _ = listener.accept()
        connection.settimeout(PATIENT / 2)
        tls = context.wrap_socket(connection, server_side=True)
        tls.recv(65_536)
        if has_head:
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        loop.call_soon_threadsafe(arrived.set)
        # From here on it speaks TCP only, and waits for its end.
        with socket.socket(fileno=tls.detach()) as plain:
            plain.settimeout(PATIENT / 2)
            with suppress(ConnectionResetError):
                while plain.recv(65_536):
                    pass

    async def leave(transport: Transport, server: Server) -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = asyncio.create_task(asyncio.to_thread(serve, listener, loop))
            url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
            opening = transport.open(
                HttpRequest(method="POST", url=url, body=b"{}"),
                connect_timeout=PATIENT,
                read_timeout=PATIENT,
            )
            if has_head:
                async with opening:
                    pass
            else:
                asking = asyncio.create_task(opening.__aenter__())
                await arrived.wait()
                asking.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asking
            await serving

    run(make, leave)


def test_idle_tls_connection_the_server_closed_is_replaced(
    make: Callable[[], Transport],
) -> None:
    async def across_an_outage(transport: Transport, server: Server) -> None:
        async with listening(server.echo) as url:
            await ask(transport, url)
            server.close_all()
            response = await ask(transport, url)
            await transport.aclose()
        assert response.status == 200
        assert server.connections == 2

    run(make, across_an_outage)
