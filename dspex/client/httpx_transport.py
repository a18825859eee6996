"""The transport on anything that implements httpx's transport interface.

httpx's client is left out: what it adds (cookies, redirects, the environment, its
defaults) is either not wanted here or done elsewhere, and it costs the most.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from dspex.client.http_body import EncodingError, TooLargeError, unpacked
from dspex.client.http_messages import HttpRequest, OpenResponse
from dspex.client.transport import MAX_BYTES, WRITE_SECONDS, Transport
from dspex.client.transport_errors import (
    Circumstances,
    broke,
    check_headers,
    never_sent,
    no_http,
    no_http_url,
    not_connected,
    not_connected_in_time,
    not_taken,
    reason_of,
    silent,
    unreadable,
    unsendable,
    untrusted,
)
from dspex.core.errors import (
    ConfigurationError,
    DspexError,
    LMConnectionError,
    LMTimeoutError,
)

__all__ = ["HttpxTransport"]

_FOREIGN = (httpx.HTTPError, httpx.StreamError, OSError)
"""What may be raised on the way of a request, our own errors aside."""
_ENDED = "without sending"
"""What httpx says of a connection that ended too early, and of nothing else."""

_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
"""OpenSSL's name for that; httpx does not hand on which error it was."""


class _HeadTimeoutError(Exception):
    """Connecting, sending and waiting for a head took longer than all may together."""


class HttpxTransport(Transport):
    """A transport on another one, of httpx's kind.

    When to use it: to answer calls in the process itself (`httpx.MockTransport`,
    `httpx.ASGITransport`), or to send them as a company's own transport does. When
    not: to reach a provider; what dspex uses by default costs less for each call, and
    sends again what an idle connection swallowed that the server had closed. Here that
    is an error, which the client tries again, so `sends` is always 1.

    Packed bodies are not asked for; one that comes anyway (gzip, deflate) is unpacked
    within the same limit of bytes. Timeouts are handed on as httpx's extension; they
    hold for a transport that does not look at them as well, but it is cancelled then.
    Proxies and certificates are the other transport's.

    Example:
        >>> def answer(request: httpx.Request) -> httpx.Response:
        ...     return httpx.Response(200, text=f"{request.method} {request.url.path}")
        >>> async def ask() -> bytes:
        ...     transport = HttpxTransport(httpx.MockTransport(answer))
        ...     request = HttpRequest(method="POST", url="https://model.example/v1")
        ...     response = await transport.send(
        ...         request, connect_timeout=1.0, read_timeout=1.0
        ...     )
        ...     return response.body
        >>> asyncio.run(ask())
        b'POST /v1'

    Args:
        transport: What to send with; it is closed with this one. Give its pool room
            for as many connections as there may be requests out at a time
            (`httpx.Limits(max_connections=None)` for any number).
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._closed = False

    @asynccontextmanager
    async def open(
        self,
        request: HttpRequest,
        *,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int = MAX_BYTES,
    ) -> AsyncIterator[OpenResponse]:
        """Send a request and hand over its response; see `Transport.open`."""
        if self._closed:
            raise RuntimeError("the transport is closed and sends nothing any more")
        url = _checked_url(request.url)
        around = Circumstances(
            host=_place(url),
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_bytes=max_bytes,
        )
        try:
            response = await self._head(request, url, around)
        except (*_FOREIGN, _HeadTimeoutError) as error:
            raise _translated(error, around) from _shown(error)
        stream = _checked_stream(response)
        # The last wins when one came twice, where `items()` would join them.
        headers = {
            name.lower(): value for name, value in response.headers.multi_items()
        }
        try:
            yield OpenResponse(
                status=response.status_code,
                headers=headers,
                sends=1,
                parts=_parts(stream, headers, around),
            )
        finally:
            await stream.aclose()

    async def aclose(self) -> None:
        """Close every connection; see `Transport.aclose`."""
        self._closed = True
        await self._transport.aclose()

    async def _head(
        self, request: HttpRequest, url: httpx.URL, around: Circumstances
    ) -> httpx.Response:
        """Send a request and wait for the response's head."""
        headers = {"Accept-Encoding": "identity", **request.headers}
        check_headers(headers, around.host)
        sent = httpx.Request(
            request.method,
            url,
            headers=headers,
            content=request.body,
            extensions={
                "timeout": {
                    "connect": around.connect_timeout,
                    "pool": around.connect_timeout,
                    "write": WRITE_SECONDS,
                    "read": around.read_timeout,
                },
                "trace": _Handshake().trace,
            },
        )
        # Each phase has its time, but a head that drips keeps within all of them.
        whole = asyncio.timeout(
            around.connect_timeout + WRITE_SECONDS + around.read_timeout
        )
        try:
            async with whole:
                return await self._transport.handle_async_request(sent)
        except TimeoutError as error:
            if whole.expired():
                raise _HeadTimeoutError from error
            raise


class _Handshake:
    """Closes the socket of a TLS handshake that is cancelled.

    httpcore does so when one fails, and forgets it here.
    """

    def __init__(self) -> None:
        self._socket: Any = None

    async def trace(self, event: str, facts: Mapping[str, Any]) -> None:
        """Told what happens on the way; see httpcore's extension of that name."""
        if event.endswith("connect_tcp.complete"):
            self._socket = facts["return_value"]
        elif event.endswith("start_tls.failed") and self._socket is not None:
            await self._socket.aclose()


async def _parts(
    stream: httpx.AsyncByteStream, headers: Mapping[str, str], around: Circumstances
) -> AsyncGenerator[bytes, None]:
    body = unpacked(_timed(stream, around.read_timeout), headers, around.max_bytes)
    try:
        async for part in body:
            yield part
    except (*_FOREIGN, TooLargeError, EncodingError) as error:
        raise _translated(error, around) from _shown(error)


async def _timed(
    stream: httpx.AsyncByteStream, read_timeout: float
) -> AsyncGenerator[bytes, None]:
    parts = aiter(stream)
    while True:
        async with asyncio.timeout(read_timeout):
            part = await anext(parts, None)
        if part is None:
            return
        yield part


def _checked_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise no_http_url(url.scheme, url.host)
    return url


def _checked_stream(response: httpx.Response) -> httpx.AsyncByteStream:
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise ConfigurationError(
            f"the transport answered with a body of {type(response.stream).__name__!r};"
            " it is read on an event loop, so httpx.AsyncByteStream was expected. Make"
            " the response of bytes or of an asynchronous iterator."
        )
    return response.stream


def _translated(error: Exception, around: Circumstances) -> DspexError:
    """Turn what httpx and the system raise into an error of ours."""
    match error:
        case TooLargeError() | EncodingError():
            return unreadable(error, around)
        case httpx.TimeoutException() | _HeadTimeoutError() | TimeoutError():
            return _timed_out(error, around)
        case httpx.ProxyError():
            refusal = LMConnectionError(
                f"no connection to {around.host}: the transport's proxy refused; it"
                " should open a tunnel. Check its user and password, and whether it"
                " lets this host through."
            )
            return never_sent(refusal)
        case httpx.ConnectError() if _UNTRUSTED in str(error):
            return untrusted(reason_of(error), around)
        case httpx.ConnectError():
            return not_connected(reason_of(error), around)
        case httpx.LocalProtocolError():
            return unsendable(around.host)
        case httpx.ProtocolError() if not _is_shown(error):
            return no_http(around)
        case _:
            return broke(error, around)


def _timed_out(error: Exception, around: Circumstances) -> LMTimeoutError:
    match error:
        case httpx.ConnectTimeout():
            return not_connected_in_time(around)
        case httpx.PoolTimeout():
            shortage = LMTimeoutError(
                f"no connection to {around.host} was free within"
                f" {around.connect_timeout:g} s; the pool should have one for each"
                " request that may be out. Pass httpx.Limits(max_connections=None), or"
                " lower max_in_flight."
            )
            return never_sent(shortage)
        case httpx.WriteTimeout() | _HeadTimeoutError():
            return not_taken(around)
        case _:
            return silent(around)


def _is_shown(error: Exception) -> bool:
    """Say whether an error may be quoted and chained.

    One about the protocol quotes the request or the response, unless the connection
    has ended.
    """
    return not isinstance(error, httpx.ProtocolError) or _ENDED in str(error)


def _shown(error: Exception) -> Exception | None:
    return error if _is_shown(error) else None


def _place(url: httpx.URL) -> str:
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    return f"{url.host}:{port}"
