"""`HttpxTransport` on transports that answer in the process itself."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

import httpx
import pytest

from dspex.client import httpx_transport
from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.httpx_transport import HttpxTransport
from dspex.core import errors

PATIENT = 10.0
TIMEOUT, BROKEN = errors.LMTimeoutError, errors.LMConnectionError

Answer = (
    Callable[[httpx.Request], httpx.Response]
    | Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]
)


def ask(
    answer: Answer,
    *,
    headers: dict[str, str] | None = None,
    connect_timeout: float = PATIENT,
    read_timeout: float = PATIENT,
) -> HttpResponse:
    """Have one request answered, and close the transport."""

    async def scenario() -> HttpResponse:
        transport = HttpxTransport(httpx.MockTransport(answer))
        request = HttpRequest(
            method="POST",
            url="https://model.example/v1/chat",
            headers=headers or {},
            body=b"{}",
        )
        try:
            return await transport.send(
                request, connect_timeout=connect_timeout, read_timeout=read_timeout
            )
        finally:
            await transport.aclose()

    return asyncio.run(asyncio.wait_for(scenario(), PATIENT))


def raising(error: Exception) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


async def for_ever(request: httpx.Request) -> httpx.Response:
    """Answer never."""
    await asyncio.Event().wait()
    raise AssertionError


def test_request_is_handed_on_as_it_is_with_the_time_of_each_phase() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, content=b"done")

    response = ask(
        answer, headers={"X-Api-Key": "k"}, connect_timeout=1.0, read_timeout=2.0
    )

    assert (response.status, response.body, response.sends) == (201, b"done", 1)
    assert (seen[0].method, seen[0].content) == ("POST", b"{}")
    assert str(seen[0].url) == "https://model.example/v1/chat"
    assert dict(seen[0].headers) == {
        "host": "model.example",
        "accept-encoding": "identity",
        "x-api-key": "k",
        "content-length": "2",
    }
    assert seen[0].extensions["timeout"] == {
        "connect": 1.0,
        "pool": 1.0,
        "write": 30.0,
        "read": 2.0,
    }


def test_header_that_comes_twice_is_the_last_one() -> None:
    response = ask(lambda _: httpx.Response(200, headers=[("X-A", "1"), ("X-A", "2")]))

    assert response.headers["x-a"] == "2"


@pytest.mark.parametrize(
    ("error", "expected", "text", "was_sent"),
    [
        (httpx.ConnectTimeout(""), TIMEOUT, "no connection to .* 10 s", False),
        (httpx.PoolTimeout(""), TIMEOUT, "free.*max_connections=None", False),
        (httpx.WriteTimeout(""), TIMEOUT, "did not take", True),
        (httpx.ReadTimeout(""), TIMEOUT, "no byte", True),
        (httpx.ProxyError("407 No"), BROKEN, "proxy refused", False),
        (httpx.ConnectError("x"), BROKEN, "no connection .* x;", False),
        (httpx.ReadError(""), BROKEN, "broke: ReadError", True),
        (httpx.StreamClosed(), BROKEN, "broke", True),
        (OSError("gone"), BROKEN, "broke: gone", True),
    ],
)
def test_error_of_the_transport_is_one_of_ours_that_names_the_host(
    error: Exception, expected: type[errors.LMError], text: str, was_sent: bool
) -> None:
    with pytest.raises(expected, match=text) as caught:
        ask(raising(error))

    assert caught.value.was_sent is was_sent
    assert "model.example:443" in str(caught.value)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.LocalProtocolError("b'tell-nobody '"), errors.ConfigurationError),
        (httpx.RemoteProtocolError("b'tell-nobody'"), errors.LMConnectionError),
    ],
)
def test_error_that_quotes_what_went_over_the_wire_is_not_shown(
    error: Exception, expected: type[Exception]
) -> None:
    with pytest.raises(expected) as caught:
        ask(raising(error))

    assert "tell-nobody" not in "".join(traceback.format_exception(caught.value))


def test_key_that_ends_in_a_space_is_an_error_that_does_not_quote_it() -> None:
    async def scenario() -> None:
        transport = HttpxTransport(httpx.AsyncHTTPTransport(verify=False))
        server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        request = HttpRequest(
            method="POST",
            url=f"http://127.0.0.1:{port}/",
            headers={"X-Api-Key": "tell-nobody "},
        )
        try:
            await transport.send(request, connect_timeout=9, read_timeout=9)
        finally:
            server.close()
            await transport.aclose()

    with pytest.raises(errors.ConfigurationError, match="Check the key") as caught:
        asyncio.run(asyncio.wait_for(scenario(), PATIENT))

    assert "tell-nobody" not in "".join(traceback.format_exception(caught.value))


def test_transport_that_minds_no_timeout_is_cancelled_before_the_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(httpx_transport, "WRITE_SECONDS", 0.0)

    with pytest.raises(errors.LMTimeoutError, match="did not take"):
        ask(for_ever, connect_timeout=0.01, read_timeout=0.01)


def test_transport_that_minds_no_timeout_is_cancelled_within_the_body() -> None:
    async def silence() -> AsyncIterator[bytes]:
        yield b"part"
        await asyncio.Event().wait()

    with pytest.raises(errors.LMTimeoutError, match=r"no byte .* 0\.01 s"):
        ask(lambda _: httpx.Response(200, content=silence()), read_timeout=0.01)


def test_body_that_only_threads_can_read_is_an_error_that_says_so() -> None:
    def body() -> Iterator[bytes]:
        yield b"part"

    with pytest.raises(errors.ConfigurationError, match="AsyncByteStream was expected"):
        ask(lambda _: httpx.Response(200, content=body()))


def test_app_in_this_process_answers() -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        assert callable(send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"from the app"})

    async def scenario() -> HttpResponse:
        transport = HttpxTransport(httpx.ASGITransport(app=app))
        request = HttpRequest(method="POST", url="http://app/v1")
        return await transport.send(request, connect_timeout=9, read_timeout=9)

    assert asyncio.run(scenario()).body == b"from the app"
