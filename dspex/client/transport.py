"""The one seam between dspex and HTTP.

Everything above sends an `HttpRequest` and gets an `HttpResponse` or an `LMError`;
only this module knows httpx. It keeps away from what the bodies mean, from retries
(with one exception, see `HttpxTransport`) and from total deadlines.
"""

from __future__ import annotations

import ssl
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, cast

import httpx

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.core.errors import (
    LMConnectionError,
    LMError,
    LMResponseError,
    LMTimeoutError,
)

__all__ = ["MAX_BYTES", "HttpRequest", "HttpResponse", "HttpxTransport", "Transport"]

MAX_BYTES = 8 * 1024 * 1024
"""The largest body that is read, packed or unpacked, unless told otherwise."""

_IDLE_MAX = 256
_IDLE_SECONDS = 30.0
_WRITE_SECONDS = 30.0
_URLS_MAX = 64
_DEFAULT_PORTS = {"http": 80, "https": 443}
_IDENTITY = {"Accept-Encoding": "identity"}
_ONE_CONNECTION = httpx.Limits(
    max_connections=1, max_keepalive_connections=1, keepalive_expiry=None
)

_Origin = tuple[str, str, int]
"""Scheme, host and port."""


class Transport(Protocol):
    """Sends one request at a time, any number of them side by side, on one loop."""

    async def send(
        self,
        request: HttpRequest,
        *,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int = MAX_BYTES,
    ) -> HttpResponse:
        """Send a request and read the whole response, whatever its status.

        Args:
            request: What to send.
            connect_timeout: Seconds for making a connection, TLS included.
            read_timeout: Seconds without a byte. There is no limit on the whole; the
                caller cancels when its deadline passes.
            max_bytes: The largest body to read.

        Raises:
            LMConnectionError: When there was no connection, or it broke.
            LMTimeoutError: When connecting took too long, or no byte came for too long.
            LMResponseError: When the response is no HTTP or is larger than `max_bytes`.
        """

    async def aclose(self) -> None:
        """Close every idle connection; those in use are closed when they end."""


class HttpxTransport:
    """A transport on httpx, with one connection per request in flight.

    httpx's own pool looks at all its connections for each request, which costs more
    than the request itself from some fifty connections on. So each request leases a
    pool of size one, the one that was returned last. A lease that ends in any
    exception, or is cancelled, is thrown away with its connection.

    A server may close an idle connection in the moment it is used again. When a
    connection that has served before ends before a response's head was whole, the
    request is sent once more on a fresh one, and `HttpResponse.sends` is 2. A
    connection that breaks on its first request, or after the head, is an error here;
    whether to send again is then the caller's decision.

    Proxy variables of the environment are not read, so they cannot redirect calls, and
    redirects are not followed. Packed bodies are not asked for; one that comes anyway
    (gzip, deflate) is unpacked within the same limit of bytes.

    Args:
        clock: Monotonic seconds, for the age of idle connections.
        make_context: Makes the SSL context, at the first `https` request. By default
            httpx's, which honours `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        make_context: Callable[[], ssl.SSLContext] = httpx.create_ssl_context,
    ) -> None:
        self._clock = clock
        self._make_context = make_context
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._urls: dict[str, httpx.URL] = {}
        # Oldest first; invariant: every line in it has a whole exchange behind it.
        self._idle: OrderedDict[_Line, None] = OrderedDict()
        self._closed = False

    async def send(
        self,
        request: HttpRequest,
        *,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int = MAX_BYTES,
    ) -> HttpResponse:
        """Send a request; see `Transport.send`."""
        call = _Call(
            url=self._url(request.url),
            request=request,
            timeouts={
                "connect": connect_timeout,
                "read": read_timeout,
                "write": _WRITE_SECONDS,
            },
            max_bytes=max_bytes,
        )
        line = self._lease(call.url)
        try:
            return await self._send_on(line, call)
        except _StaleConnectionError:
            response = await self._send_on(self._open(call.url), call)
            return replace(response, sends=2)

    @property
    def idle(self) -> int:
        """Connections that wait for their next request."""
        return len(self._idle)

    async def aclose(self) -> None:
        """Close the idle connections; see `Transport.aclose`."""
        self._closed = True
        while self._idle:
            line, _ = self._idle.popitem()
            await line.http.aclose()

    async def _send_on(self, line: _Line, call: _Call) -> HttpResponse:
        try:
            response = await _exchange(line, call)
        except BaseException as error:
            # A broken or half-read connection must never be used again.
            await line.http.aclose()
            if line.served and _is_stale(error):
                raise _StaleConnectionError from error
            translated = _translated(error, call)
            if translated is None:
                raise
            raise translated from error
        await self._release(line)
        return response

    def _lease(self, url: httpx.URL) -> _Line:
        origin = _origin(url)
        for line in reversed(self._idle):
            if line.origin == origin:
                del self._idle[line]
                return line
        return self._open(url)

    async def _release(self, line: _Line) -> None:
        now = self._clock()
        line.served = True
        line.idle_since = now
        self._idle[line] = None
        while self._idle:
            oldest = next(iter(self._idle))
            too_old = now - oldest.idle_since > _IDLE_SECONDS
            if not (too_old or self._closed or len(self._idle) > _IDLE_MAX):
                return
            del self._idle[oldest]
            await oldest.http.aclose()

    def _open(self, url: httpx.URL) -> _Line:
        http = httpx.AsyncHTTPTransport(
            verify=self._context(url.scheme),
            trust_env=False,
            limits=_ONE_CONNECTION,
        )
        return _Line(http, _origin(url))

    def _context(self, scheme: str) -> ssl.SSLContext:
        # httpx wants a context for plain http as well, and making the real one takes
        # 25 ms; a bare one trusts nobody, so it is safe even if it were used.
        if scheme not in self._contexts:
            bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            made = self._make_context() if scheme == "https" else bare
            self._contexts[scheme] = made
        return self._contexts[scheme]

    def _url(self, text: str) -> httpx.URL:
        # Parsing costs a tenth of a request, and a client has one or two URLs.
        url = self._urls.get(text)
        if url is None:
            if len(self._urls) >= _URLS_MAX:
                self._urls.clear()
            url = self._urls[text] = httpx.URL(text)
        return url


@dataclass(slots=True, eq=False)
class _Line:
    """A pool of one connection, leased by one request at a time."""

    http: httpx.AsyncHTTPTransport
    origin: _Origin
    served: bool = False
    idle_since: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One `send`, in httpx's terms."""

    url: httpx.URL
    request: HttpRequest
    timeouts: dict[str, float]
    max_bytes: int


class _StaleConnectionError(Exception):
    """An idle connection was closed by the server before it was used again."""


class _TooLargeError(Exception):
    """A body is larger than allowed."""


class _EncodingError(Exception):
    """A body is packed in a way that cannot be undone."""


async def _exchange(line: _Line, call: _Call) -> HttpResponse:
    response = await line.http.handle_async_request(
        httpx.Request(
            call.request.method,
            call.url,
            headers={**_IDENTITY, **call.request.headers},
            content=call.request.body,
            extensions={"timeout": call.timeouts},
        )
    )
    headers = {name.lower(): value for name, value in response.headers.multi_items()}
    packed = await _read_body(response, headers, call.max_bytes)
    await response.aclose()
    body = _unpacked(packed, headers.get("content-encoding", ""), call.max_bytes)
    return HttpResponse(status=response.status_code, headers=headers, body=body)


async def _read_body(
    response: httpx.Response, headers: Mapping[str, str], max_bytes: int
) -> bytes:
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _TooLargeError
    parts: list[bytes] = []
    size = 0
    # The raw stream; httpx would unpack a body without any limit.
    async for part in cast("httpx.AsyncByteStream", response.stream):
        size += len(part)
        if size > max_bytes:
            raise _TooLargeError
        parts.append(part)
    return b"".join(parts)


def _unpacked(packed: bytes, encoding: str, max_bytes: int) -> bytes:
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return packed
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise _EncodingError(encoding)
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        body = unpacker.decompress(packed, max_bytes + 1)
    except zlib.error:
        raise _EncodingError(encoding) from None
    if len(body) > max_bytes:
        raise _TooLargeError
    if not unpacker.eof:
        raise _EncodingError(encoding)
    return body


def _is_stale(error: BaseException) -> bool:
    if isinstance(error, httpx.RemoteProtocolError):
        # The same class stands for bytes that are no HTTP, which is not a closed
        # connection; only the text tells them apart.
        return str(error).startswith("Server disconnected")
    return isinstance(error, httpx.ReadError | httpx.WriteError)


def _translated(error: BaseException, call: _Call) -> LMError | None:
    """Turn what httpx raises into an `LMError`; `None` for anything else."""
    host = f"{call.url.host}:{_origin(call.url)[2]}"
    match error:
        case httpx.ConnectTimeout():
            return LMTimeoutError(
                f"no connection to {host} within {call.timeouts['connect']:g} s; a"
                " provider answers faster. Check the network and `api_base`."
            )
        case httpx.TimeoutException():
            return LMTimeoutError(
                f"no byte from {host} for {call.timeouts['read']:g} s; the attempt"
                " timeout allows no longer silence. Raise it for slow models."
            )
        case httpx.ConnectError():
            return LMConnectionError(
                f"no connection to {host}: {_reason(error)}; a server should be"
                " listening there. Start it, or check `api_base`."
            )
        case _TooLargeError():
            return LMResponseError(
                f"the body from {host} is too large: more than {call.max_bytes} bytes;"
                " a completion is far smaller. Check that `api_base` is a model's API."
            )
        case _EncodingError():
            return LMResponseError(
                f"the body from {host} is packed as {str(error)!r} and cannot be"
                " unpacked; plain, gzip or deflate was expected. Check for a proxy in"
                " between."
            )
        case httpx.HTTPError() | OSError():
            return LMConnectionError(
                f"the connection to {host} broke: {_reason(error)}; the whole response"
                " was expected. The same call may succeed again."
            )
        case _:
            return None


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _origin(url: httpx.URL) -> _Origin:
    return url.scheme, url.host, url.port or _DEFAULT_PORTS.get(url.scheme, 0)
