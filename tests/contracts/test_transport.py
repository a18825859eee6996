"""Every transport against a real server that misbehaves."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from dspex.client.aiohttp_transport import AiohttpTransport
from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.transport import Transport
from dspex.core import errors
from dspex.testing import (
    BAD_JSON,
    OVERLOADED,
    RATE_LIMITED,
    CloseBeforeAnswer,
    Drip,
    FakeProvider,
    GzipBomb,
    HalfBody,
    Hang,
    HugeBody,
    Reset,
    Status,
)
from tests.contracts.transports import TRANSPORTS, over_httpx

T = TypeVar("T")
BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
PATIENT = 10.0


@pytest.fixture(params=TRANSPORTS)
def make(request: pytest.FixtureRequest) -> Callable[[], Transport]:
    """The transports that keep the contract."""
    factory: Callable[[], Transport] = request.param
    return factory


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


def run(make: Callable[[], Transport], use: Callable[[Transport], Awaitable[T]]) -> T:
    """Run one scenario on its own loop, and close the transport after it."""

    async def scenario() -> T:
        transport = make()
        try:
            return await asyncio.wait_for(use(transport), PATIENT)
        finally:
            await transport.aclose()

    return asyncio.run(scenario())


async def ask(
    transport: Transport,
    provider: FakeProvider,
    *,
    read_timeout: float = PATIENT,
    max_bytes: int = 8 * 1024 * 1024,
    request_id: str = "r",
) -> HttpResponse:
    request = HttpRequest(
        method="POST",
        url=f"{provider.base_url}/chat/completions",
        headers={"X-Client-Request-Id": request_id},
        body=BODY,
    )
    return await transport.send(
        request,
        connect_timeout=PATIENT,
        read_timeout=read_timeout,
        max_bytes=max_bytes,
    )


def test_response_comes_whole_with_headers_in_lower_case(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    response = run(make, lambda transport: ask(transport, provider))

    assert response.status == 200
    assert response.headers["x-request-id"] == "req-1"
    assert b'"content": "ok"' in response.body
    assert response.sends == 1
    assert provider.bill[0].request_id == "r"
    assert "gzip" not in provider.bill[0].headers["accept-encoding"]


@pytest.mark.parametrize("fault", [RATE_LIMITED, OVERLOADED, Status(302), Status(404)])
def test_refusal_is_a_response_and_no_error(
    make: Callable[[], Transport], provider: FakeProvider, fault: Status
) -> None:
    provider.misbehave(fault)

    response = run(make, lambda transport: ask(transport, provider))

    assert response.status == fault.status
    assert b"told to refuse" in response.body or response.status == 503
    assert len(provider.bill) == 1


def test_body_that_is_no_json_is_not_the_transports_concern(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    provider.misbehave(BAD_JSON)

    assert run(make, lambda transport: ask(transport, provider)).body == BAD_JSON.body


@pytest.mark.parametrize("fault", [CloseBeforeAnswer(), Reset(), HalfBody()])
def test_broken_first_connection_is_a_connection_error_and_not_tried_again(
    make: Callable[[], Transport],
    provider: FakeProvider,
    fault: CloseBeforeAnswer | Reset | HalfBody,
) -> None:
    provider.misbehave(fault)

    with pytest.raises(errors.LMConnectionError, match="broke") as caught:
        run(make, lambda transport: ask(transport, provider))

    assert caught.value.__cause__ is not None
    assert [billed.fate for billed in provider.bill] == ["cut"]


@pytest.mark.parametrize("fault", [CloseBeforeAnswer(), Reset()])
def test_used_connection_that_ends_without_a_byte_is_replaced_once(
    make: Callable[[], Transport],
    provider: FakeProvider,
    fault: CloseBeforeAnswer | Reset,
) -> None:
    provider.misbehave(fault, on=2)

    async def twice(transport: Transport) -> int:
        await ask(transport, provider)
        try:
            return (await ask(transport, provider)).sends
        except errors.LMConnectionError:
            return 1

    sends = run(make, twice)

    # httpx hides whether a connection had served, so there the caller decides.
    assert sends == (1 if make is over_httpx else 2)
    fates = [billed.fate for billed in provider.bill]
    assert fates == ["answered", "cut", "answered"][: 1 + sends]


def test_connection_that_was_used_a_moment_ago_is_not_taken_for_stale(
    provider: FakeProvider,
) -> None:
    provider.misbehave(CloseBeforeAnswer(), on=2)

    async def twice(transport: Transport) -> None:
        await ask(transport, provider)
        with pytest.raises(errors.LMConnectionError, match="broke"):
            await ask(transport, provider)

    run(lambda: AiohttpTransport(fresh_seconds=60.0), twice)

    assert [billed.fate for billed in provider.bill] == ["answered", "cut"]


def test_replaced_connection_that_ends_too_is_an_error(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    provider.misbehave(CloseBeforeAnswer(), on=lambda billed: billed.number > 1)

    async def twice(transport: Transport) -> None:
        await ask(transport, provider)
        with pytest.raises(errors.LMConnectionError):
            await ask(transport, provider)

    run(make, twice)

    # Over httpx nothing is replaced.
    assert len(provider.bill) == (2 if make is over_httpx else 3)


def test_half_a_body_on_a_used_connection_is_never_tried_again(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    provider.misbehave(HalfBody(), on=2)

    async def twice(transport: Transport) -> None:
        await ask(transport, provider)
        with pytest.raises(errors.LMConnectionError):
            await ask(transport, provider)

    run(make, twice)

    assert len(provider.bill) == 2


def test_reset_within_a_body_on_a_used_connection_is_never_tried_again(
    make: Callable[[], Transport],
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    with scripted_server([head + b"ok", head + b"o"], abort=True) as (url, served):

        async def twice(transport: Transport) -> None:
            await ask_url(transport, url)
            with pytest.raises(errors.LMConnectionError, match="broke"):
                await ask_url(transport, url)

        run(make, twice)

    assert len(served) == 2


def test_bytes_nobody_asked_for_are_not_taken_for_the_next_answer(
    make: Callable[[], Transport],
) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def twice(transport: Transport) -> HttpResponse:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await ask_url(transport, url)
        late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
        writers[0].write(late)
        response = await ask_url(transport, url)
        for writer in writers:
            writer.close()
        server.close()
        return response

    assert run(make, twice).status == 200
    assert len(writers) == 2


def test_bytes_that_are_no_http_on_a_used_connection_are_never_tried_again(
    make: Callable[[], Transport],
) -> None:
    with scripted_server(
        [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"\x00\r\n\r\n"]
    ) as (
        url,
        served,
    ):

        async def twice(transport: Transport) -> None:
            await ask_url(transport, url)
            with pytest.raises(errors.LMConnectionError):
                await ask_url(transport, url)

        run(make, twice)

    assert len(served) == 2


def test_what_is_chained_to_an_error_holds_no_key(
    make: Callable[[], Transport],
) -> None:
    with scripted_server([b"no HTTP\r\n\r\n"]) as (url, _):
        request = HttpRequest(
            method="POST", url=url, headers={"x-api-key": "tell-nobody"}, body=b"{}"
        )

        async def once(transport: Transport) -> None:
            with pytest.raises(errors.LMConnectionError, match="no HTTP") as caught:
                await transport.send(request, connect_timeout=9, read_timeout=9)
            assert "tell-nobody" not in repr(caught.value.__cause__)

        run(make, once)


def test_idle_connection_the_server_closed_is_noticed_before_it_is_used(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    async def across_an_outage(transport: Transport) -> HttpResponse:
        await ask(transport, provider)
        provider.stop()
        provider.start()
        return await ask(transport, provider)

    response = run(make, across_an_outage)

    assert response.status == 200
    assert [billed.fate for billed in provider.bill] == ["answered", "answered"]


def test_hanging_server_is_a_timeout(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    provider.misbehave(Hang())

    with pytest.raises(errors.LMTimeoutError, match=r"no byte .* 0\.05 s"):
        run(make, lambda transport: ask(transport, provider, read_timeout=0.05))

    # On a slow machine the provider reads the request after its client has left.
    provider.wait_for_bill(1, PATIENT)
    provider.wait_for_idle(PATIENT)
    assert provider.bill[0].fate == "gone"


def test_read_timeout_is_about_silence_and_not_about_the_whole(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    # The whole takes longer than the timeout, whatever the machine.
    provider.misbehave(Drip(0.005))

    response = run(make, lambda transport: ask(transport, provider, read_timeout=1.0))

    assert len(response.body) * 0.005 > 1.0
    assert provider.bill[0].fate == "answered"


def test_cancellation_ends_the_request_at_the_provider_too(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    provider.misbehave(Hang(), on=1)

    async def cancel(transport: Transport) -> HttpResponse:
        task = asyncio.create_task(ask(transport, provider))
        await asyncio.to_thread(provider.wait_for_in_flight, 1, PATIENT)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(provider.wait_for_idle, PATIENT)
        return await ask(transport, provider)

    response = run(make, cancel)

    assert response.status == 200
    assert [billed.fate for billed in provider.bill] == ["gone", "answered"]


def test_server_that_is_down_is_a_connection_error_that_names_it(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    provider.stop()

    with pytest.raises(errors.LMConnectionError, match=r"127\.0\.0\.1:\d+"):
        run(make, lambda transport: ask(transport, provider))


def test_server_that_goes_down_during_a_request_is_a_connection_error(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    provider.pause()

    async def go_down(transport: Transport) -> None:
        task = asyncio.create_task(ask(transport, provider))
        await asyncio.to_thread(provider.wait_for_in_flight, 1, PATIENT)
        provider.stop()
        with pytest.raises(errors.LMConnectionError):
            await task

    run(make, go_down)

    assert provider.bill[0].fate == "cut"


def test_connection_the_server_closes_after_its_answer_is_not_kept(
    provider: FakeProvider,
) -> None:
    transport = AiohttpTransport()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    with scripted_server([head + b"ok"]) as (url, _):

        async def once(used: Transport) -> int:
            await ask_url(used, url)
            return transport.idle

        assert run(lambda: transport, once) == 0


def test_large_request_and_large_response_come_whole(
    make: Callable[[], Transport],
) -> None:
    size = 3_000_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    body = b"x" * size
    with scripted_server([head + body]) as (url, served):
        response = run(
            make,
            lambda transport: ask_url(
                transport, url, body=body + b"\r\n\r\n{}", max_bytes=size
            ),
        )

    assert response.body == body
    assert served[0].endswith(body + b"\r\n\r\n{}")


def test_header_that_cannot_be_sent_is_an_error_that_does_not_quote_it(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    async def with_key(transport: Transport, key: str) -> None:
        request = HttpRequest(
            method="POST", url=provider.base_url, headers={"Authorization": key}
        )
        with pytest.raises(errors.ConfigurationError, match="key") as caught:
            await transport.send(request, connect_timeout=1, read_timeout=1)
        shown = "".join(traceback.format_exception(caught.value))
        assert "tell-nobody" not in shown

    async def with_keys(transport: Transport) -> None:
        await with_key(transport, "tell-nobody\n")
        await with_key(transport, "tell-nobody\u20ac")

    run(make, with_keys)

    assert provider.bill == ()


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "127.0.0.1", "http://", "http://a:b"]
)
def test_url_that_is_no_http_url_is_an_error(
    make: Callable[[], Transport], url: str
) -> None:
    with pytest.raises(errors.ConfigurationError, match="expected an http"):
        run(make, lambda transport: ask_url(transport, url))


@pytest.mark.parametrize("fault", [HugeBody(200_000), GzipBomb(200_000)])
def test_body_above_the_limit_is_an_error(
    make: Callable[[], Transport],
    provider: FakeProvider,
    fault: HugeBody | GzipBomb,
) -> None:
    provider.misbehave(fault)

    with pytest.raises(errors.LMResponseError, match="too large"):
        run(make, lambda transport: ask(transport, provider, max_bytes=100_000))


@pytest.mark.parametrize("fault", [HugeBody(), GzipBomb()])
def test_default_limit_holds_against_bombs(
    make: Callable[[], Transport],
    provider: FakeProvider,
    fault: HugeBody | GzipBomb,
) -> None:
    provider.misbehave(fault)

    with pytest.raises(errors.LMResponseError, match="too large"):
        run(make, lambda transport: ask(transport, provider))


def test_endless_body_without_a_length_is_cut_at_the_limit(
    make: Callable[[], Transport],
) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    with (
        scripted_server([head + b"x" * 300_000]) as (url, _),
        pytest.raises(errors.LMResponseError, match="too large"),
    ):
        run(make, lambda transport: ask_url(transport, url, max_bytes=100_000))


def test_packed_body_is_unpacked(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    provider.misbehave(GzipBomb(70_000))

    response = run(make, lambda transport: ask(transport, provider, max_bytes=70_000))

    assert response.body == bytes(70_000)


@pytest.mark.parametrize(
    "head", [b"Content-Encoding: br", b"Content-Encoding: gzip", b"Content-Encoding: x"]
)
def test_body_that_cannot_be_unpacked_is_an_error(
    make: Callable[[], Transport], head: bytes
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" + head + b"\r\n\r\nabc"
    with (
        scripted_server([answer]) as (url, _),
        pytest.raises(errors.LMResponseError, match="unpacked"),
    ):
        run(make, lambda transport: ask_url(transport, url))


def test_requests_side_by_side_do_not_wait_for_each_other(
    make: Callable[[], Transport], provider: FakeProvider
) -> None:
    provider.pause()

    async def many(transport: Transport) -> list[HttpResponse]:
        sending = [
            ask(transport, provider, request_id=f"r{number}") for number in range(64)
        ]
        tasks = [asyncio.create_task(one) for one in sending]
        await asyncio.to_thread(provider.wait_for_in_flight, 64, PATIENT)
        provider.resume()
        return await asyncio.gather(*tasks)

    responses = run(make, many)

    assert [response.status for response in responses] == [200] * 64
    ids = {billed.request_id for billed in provider.bill}
    assert ids == {f"r{number}" for number in range(64)}


def test_proxy_variables_do_not_redirect_calls(
    make: Callable[[], Transport],
    provider: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert run(make, lambda transport: ask(transport, provider)).status == 200


def test_no_certificates_are_loaded_for_plain_http(provider: FakeProvider) -> None:
    def refuse() -> object:
        raise AssertionError

    transport = AiohttpTransport(make_context=refuse)  # type: ignore[arg-type] # never called

    assert run(lambda: transport, lambda used: ask(used, provider)).status == 200


def test_connection_that_was_idle_for_long_is_closed() -> None:
    transport = AiohttpTransport(idle_seconds=0.01)

    async def grow_old(used: Transport) -> int:
        gone = asyncio.Event()

        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await reader.readuntil(b"{}")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await reader.read()
            gone.set()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        await ask_url(used, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await gone.wait()
        server.close()
        return transport.idle

    assert run(lambda: transport, grow_old) == 0


def test_connection_is_used_again(provider: FakeProvider) -> None:
    transport = AiohttpTransport()

    async def in_turn(used: Transport) -> int:
        for _ in range(5):
            await ask(used, provider)
        return transport.idle

    assert run(lambda: transport, in_turn) == 1


async def ask_url(
    transport: Transport,
    url: str,
    *,
    body: bytes = b"{}",
    max_bytes: int = 1_000_000,
) -> HttpResponse:
    return await transport.send(
        HttpRequest(method="POST", url=url, body=body),
        connect_timeout=PATIENT,
        read_timeout=PATIENT,
        max_bytes=max_bytes,
    )


@contextmanager
def scripted_server(
    answers: list[bytes], *, abort: bool = False
) -> Iterator[tuple[str, list[bytes]]]:
    """One connection that answers in turn with exactly these bytes, then closes.

    With `abort` it closes by a TCP reset.
    """
    served: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENT)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                for answer in answers:
                    served.append(receive_request(connection))
                    try:
                        connection.sendall(answer)
                    except OSError:
                        return
                if abort:
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", served
        thread.join(PATIENT)


def receive_request(connection: socket.socket) -> bytes:
    """Read until the two bytes of the body, which may come apart from the head."""
    received = b""
    while not received.endswith(b"\r\n\r\n{}"):
        part = connection.recv(65_536)
        if not part:
            break
        received += part
    return received
