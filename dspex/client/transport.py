"""The one seam between dspex and HTTP.

Everything above sends an `HttpRequest` and gets an `HttpResponse` or an `LMError`;
only this module and `asyncio_stream` know httpcore. It keeps away from what the bodies
mean, from retries (with one exception, see `HttpcoreTransport`) and from total
deadlines.
"""

from __future__ import annotations

import ssl
import time
from collections import OrderedDict
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Mapping,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol, cast

import httpcore
import httpx

from dspex.client import asyncio_stream
from dspex.client.http_body import EncodingError, TooLargeError, read_body
from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.core.errors import (
    ConfigurationError,
    DspexError,
    LMConnectionError,
    LMResponseError,
    LMTimeoutError,
)

__all__ = [
    "MAX_BYTES",
    "HttpRequest",
    "HttpResponse",
    "HttpcoreTransport",
    "Transport",
]

MAX_BYTES = 8 * 1024 * 1024
"""The largest body that is read, packed or unpacked, unless told otherwise."""

_IDLE_MAX = 256
_IDLE_SECONDS = 30.0
_WRITE_SECONDS = 30.0
_TARGETS_MAX = 64
_DEFAULT_PORTS = {"http": 80, "https": 443}
_IDENTITY = {"Accept-Encoding": "identity"}


class Incoming(Protocol):
    """A response that is being read."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, names in lower case."""

    @property
    def sends(self) -> int:
        """How often the request was written."""

    def parts(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes, unpacked."""

    async def read(self) -> bytes:
        """The whole body."""


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
            LMResponseError: When the body is larger than `max_bytes`, or cannot be
                unpacked.
            ConfigurationError: When the URL or a header can never be sent.
        """

    def open(
        self,
        request: HttpRequest,
        *,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int = MAX_BYTES,
    ) -> AbstractAsyncContextManager[Incoming]:
        """Send a request and read its response piece by piece; see `send`."""

    async def aclose(self) -> None:
        """Close every idle connection; those in use are closed when they end."""


class HttpcoreTransport:
    """A transport on httpcore, with one connection per request in flight.

    httpcore is what httpx stands on. Its pool looks at all its connections for each
    request, which costs more than the request itself from some fifty connections on,
    so there is no pool: each request leases a connection, the one that was returned
    last. A lease that ends in any exception, or is cancelled, is thrown away with its
    connection. What httpx adds above (cookies, redirects, auth) is of no use here.

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
        self._context: ssl.SSLContext | None = None
        self._targets: dict[str, _Target] = {}
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
            target=self._target(request.url),
            request=request,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_bytes=max_bytes,
        )
        line = await self._lease(call.target)
        try:
            return await self._send_on(line, call)
        except _StaleConnectionError:
            response = await self._send_on(_Line(call.target.origin), call)
            return replace(response, sends=2)

    @asynccontextmanager
    async def open(
        self,
        request: HttpRequest,
        *,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int = MAX_BYTES,
    ) -> AsyncIterator[Incoming]:
        """Send a request and hand its body on; see `Transport.open`."""
        response = await self.send(
            request,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_bytes=max_bytes,
        )
        yield _Whole(response.status, response.headers, response.sends, response.body)

    @property
    def idle(self) -> int:
        """Connections that wait for their next request."""
        return len(self._idle)

    async def aclose(self) -> None:
        """Close the idle connections; see `Transport.aclose`."""
        self._closed = True
        while self._idle:
            line, _ = self._idle.popitem()
            await line.aclose()

    async def _send_on(self, line: _Line, call: _Call) -> HttpResponse:
        try:
            response = await self._exchange(line, call)
        except BaseException as error:
            # A broken or half-read connection must never be used again.
            await line.aclose()
            translated = _translated(error, call)
            if translated is None:
                raise
            # What httpcore says of a header quotes it, and it may be the key.
            quotes = isinstance(translated, ConfigurationError)
            raise translated from (None if quotes else error)
        await self._release(line)
        return response

    async def _exchange(self, line: _Line, call: _Call) -> HttpResponse:
        if line.http is None:
            line.http = await self._connect(call)
        try:
            head = await line.http.handle_async_request(_http_request(call))
        except httpcore.NetworkError as error:
            if line.served:
                raise _StaleConnectionError from error
            raise
        except httpcore.RemoteProtocolError as error:
            # The same class stands for bytes that are no HTTP, which is not a closed
            # connection; only the text tells them apart.
            if line.served and str(error).startswith("Server disconnected"):
                raise _StaleConnectionError from error
            raise
        headers = {_text(name).lower(): _text(value) for name, value in head.headers}
        body = await read_body(_parts(head), headers, call.max_bytes)
        await head.aclose()
        return HttpResponse(status=head.status, headers=headers, body=body)

    async def _connect(self, call: _Call) -> httpcore.AsyncHTTP11Connection:
        stream = await asyncio_stream.connect(
            call.target.host,
            call.target.port,
            timeout=call.connect_timeout,
            context=self._context_for(call.target),
        )
        return httpcore.AsyncHTTP11Connection(call.target.origin, stream)

    async def _lease(self, target: _Target) -> _Line:
        while (line := self._take_idle(target.origin)) is not None:
            if not line.is_closed_by_server():
                return line
            await line.aclose()
        return _Line(target.origin)

    def _take_idle(self, origin: httpcore.Origin) -> _Line | None:
        for line in reversed(self._idle):
            if line.origin == origin:
                del self._idle[line]
                return line
        return None

    async def _release(self, line: _Line) -> None:
        if not line.is_reusable():
            await line.aclose()
            return
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
            await oldest.aclose()

    def _context_for(self, target: _Target) -> ssl.SSLContext | None:
        if target.origin.scheme != b"https":
            return None
        if self._context is None:
            self._context = self._make_context()
            self._context.set_alpn_protocols(["http/1.1"])
        return self._context

    def _target(self, url: str) -> _Target:
        # Parsing costs a tenth of a request, and a client has one or two URLs.
        target = self._targets.get(url)
        if target is None:
            if len(self._targets) >= _TARGETS_MAX:
                self._targets.clear()
            target = self._targets[url] = _parsed(url)
        return target


@dataclass(frozen=True, slots=True)
class _Whole:
    """A response that has been read already."""

    status: int
    headers: Mapping[str, str]
    sends: int
    body: bytes

    async def parts(self) -> AsyncGenerator[bytes, None]:
        yield self.body

    async def read(self) -> bytes:
        return self.body


@dataclass(slots=True, eq=False)
class _Line:
    """A connection, leased by one request at a time; made by its first one."""

    origin: httpcore.Origin
    http: httpcore.AsyncHTTP11Connection | None = None
    served: bool = False
    idle_since: float = 0.0

    def is_closed_by_server(self) -> bool:
        return self.http is None or self.http.has_expired()

    def is_reusable(self) -> bool:
        return self.http is not None and self.http.is_idle()

    async def aclose(self) -> None:
        if self.http is not None:
            await self.http.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A URL, taken apart for httpcore."""

    host: str
    port: int
    url: httpcore.URL
    origin: httpcore.Origin
    host_header: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One `send`."""

    target: _Target
    request: HttpRequest
    connect_timeout: float
    read_timeout: float
    max_bytes: int


class _StaleConnectionError(Exception):
    """An idle connection was closed by the server before it was used again."""


def _parsed(text: str) -> _Target:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in _DEFAULT_PORTS or not url.host:
        raise ConfigurationError(
            f"a request cannot be sent to scheme {url.scheme!r} and host {url.host!r};"
            " expected an http or https URL with a host. Check `api_base`."
        )
    host, port = url.raw_host, url.port or _DEFAULT_PORTS[url.scheme]
    return _Target(
        host=host.decode("ascii"),
        port=port,
        url=httpcore.URL(
            scheme=url.raw_scheme, host=host, port=port, target=url.raw_path
        ),
        origin=httpcore.Origin(url.raw_scheme, host, port),
        host_header=url.netloc,
    )


def _http_request(call: _Call) -> httpcore.Request:
    request = call.request
    given = {**_IDENTITY, **request.headers}
    headers = [
        (b"Host", call.target.host_header),
        (b"Content-Length", b"%d" % len(request.body)),
        *(
            (name.encode("ascii"), value.encode("ascii"))
            for name, value in given.items()
        ),
    ]
    timeouts = {"read": call.read_timeout, "write": _WRITE_SECONDS}
    return httpcore.Request(
        request.method,
        call.target.url,
        headers=headers,
        content=request.body,
        extensions={"timeout": timeouts},
    )


def _parts(head: httpcore.Response) -> AsyncGenerator[bytes, None]:
    # httpcore's annotation is wider: it also covers bodies of its blocking twin.
    stream = cast("AsyncIterable[bytes]", head.stream)
    return cast("AsyncGenerator[bytes, None]", aiter(stream))


def _text(header: bytes) -> str:
    return header.decode("latin-1")


def _translated(error: BaseException, call: _Call) -> DspexError | None:
    """Turn what httpcore raises into an error of ours; `None` for anything else."""
    host = f"{call.target.host}:{call.target.port}"
    match error:
        case httpcore.ConnectTimeout():
            return LMTimeoutError(
                f"no connection to {host} within {call.connect_timeout:g} s; a"
                " provider answers faster. Check the network and `api_base`."
            )
        case httpcore.WriteTimeout():
            return LMTimeoutError(
                f"{host} did not take the request for {_WRITE_SECONDS:g} s; a server"
                " reads what it is sent. The same call may succeed again."
            )
        case httpcore.TimeoutException():
            return LMTimeoutError(
                f"no byte from {host} for {call.read_timeout:g} s; the attempt"
                " timeout allows no longer silence. Raise it for slow models."
            )
        case httpcore.ConnectError():
            return LMConnectionError(
                f"no connection to {host}: {_reason(error)}; a server should be"
                " listening there. Start it, or check `api_base`."
            )
        case TooLargeError():
            return LMResponseError(
                f"the body from {host} is too large: more than {call.max_bytes} bytes;"
                " a completion is far smaller. Check that `api_base` is a model's API."
            )
        case EncodingError():
            return LMResponseError(
                f"the body from {host} is packed as {str(error)!r} and cannot be"
                " unpacked; plain, gzip or deflate was expected. Check for a proxy in"
                " between."
            )
        case httpcore.LocalProtocolError() | UnicodeError():
            return ConfigurationError(
                f"the request to {host} cannot be put into HTTP; headers hold visible"
                " ASCII characters only. Check the key for spaces and line breaks."
            )
        case httpcore.NetworkError() | httpcore.ProtocolError() | OSError():
            return LMConnectionError(
                f"the connection to {host} broke: {_reason(error)}; the whole response"
                " was expected. The same call may succeed again."
            )
        case _:
            return None


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
