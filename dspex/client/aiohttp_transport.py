"""The transport on aiohttp, the library whose client costs least for each request."""

from __future__ import annotations

import asyncio
import base64
import functools
import io
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import yarl

from dspex.client.aiohttp_connector import CheckingConnector, Lease, leasing
from dspex.client.aiohttp_errors import FOREIGN, HeadTimeoutError, translated
from dspex.client.http_body import (
    EncodingError,
    TooLargeError,
    read_plain,
    unpacked,
)
from dspex.client.http_messages import HttpRequest, HttpResponse, OpenResponse
from dspex.client.proxies import NO_PROXIES, Proxies
from dspex.client.tls import shared_context
from dspex.client.transport import MAX_BYTES, WRITE_SECONDS, Transport
from dspex.client.transport_errors import Circumstances, check_headers, no_http_url

__all__ = ["AiohttpTransport"]

_IDLE_MAX = 256
_IDLE_SECONDS = 30.0
_FRESH_SECONDS = 1.0
_HEADER_MAX = 64 * 1024
_TARGETS_MAX = 64
_WRITTEN_AT_ONCE_MAX = 512 * 1024
_IDENTITY = {"Accept-Encoding": "identity"}
_NOT_ADDED = ("Accept", "Content-Type", "User-Agent")
# RuntimeError is what reading on after `aclose` ends in.
_BROKEN = (*FOREIGN, TooLargeError, EncodingError, RuntimeError)


class AiohttpTransport(Transport):
    """A transport on aiohttp's client, without cookies, redirects and netrc.

    A server may close an idle connection in the moment it is used again. When a
    connection that was idle for a while ends before any byte of a response, the request
    is sent once more on a fresh one, and `sends` is 2. A connection that breaks on its
    first request, or soon after another, or later in a response, is an error here;
    whether to send again is then the caller's decision. A server that goes down cuts
    off all that is out, and would get each of those requests twice.

    Packed bodies are not asked for; one that comes anyway (gzip, deflate) is unpacked
    within the same limit of bytes. It may be made anywhere, and belongs to the loop
    that first sends with it.

    Args:
        proxies: Which requests go through a proxy. The environment is not read here.
        make_context: Makes the TLS context, at the first `https` request. By default
            it is the process's, which honours `SSL_CERT_FILE` and `SSL_CERT_DIR`.
        idle_max: The most connections kept for the next request.
        idle_seconds: How long one is kept.
        fresh_seconds: How long one is idle until it may be taken for stale; no server
            gives up a connection sooner that it keeps at all.
    """

    def __init__(
        self,
        *,
        proxies: Proxies = NO_PROXIES,
        make_context: Callable[[], ssl.SSLContext] = shared_context,
        idle_max: int = _IDLE_MAX,
        idle_seconds: float = _IDLE_SECONDS,
        fresh_seconds: float = _FRESH_SECONDS,
    ) -> None:
        self._proxies = proxies
        self._fresh_seconds = fresh_seconds
        self._make_context = make_context
        self._idle_max = idle_max
        self._idle_seconds = idle_seconds
        self._sessions: _Sessions | None = None
        self._closed = False
        self._targets: dict[str, _Target] = {}

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
        call = self._call(request, connect_timeout, read_timeout, max_bytes)
        exchange = await self._exchange(call)
        try:
            yield exchange.opened
        finally:
            exchange.end()

    async def send(
        self,
        request: HttpRequest,
        *,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int = MAX_BYTES,
    ) -> HttpResponse:
        """Send a request and read the whole response; see `Transport.send`.

        Not through `open`: what it takes to hand a body over in pieces costs a fifth
        of a request.
        """
        call = self._call(request, connect_timeout, read_timeout, max_bytes)
        exchange = await self._exchange(call)
        try:
            body = await exchange.body()
        finally:
            exchange.end()
        opened = exchange.opened
        return HttpResponse(
            status=opened.status, headers=opened.headers, body=body, sends=opened.sends
        )

    def _call(
        self,
        request: HttpRequest,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int,
    ) -> _Call:
        target = self._target(request.url)
        headers = {**_IDENTITY, **target.headers, **request.headers}
        # aiohttp would put other characters into UTF-8.
        check_headers(headers, target.host)
        return _Call(
            target=target,
            request=request,
            headers=headers,
            around=Circumstances(
                host=target.host,
                proxy=target.proxy.host,
                connect_timeout=connect_timeout,
                read_timeout=read_timeout,
                max_bytes=max_bytes,
            ),
        )

    @property
    def idle(self) -> int:
        """Connections that wait for their next request."""
        return self._sessions.connector.idle if self._sessions else 0

    async def aclose(self) -> None:
        """Close every connection; see `Transport.aclose`."""
        self._closed = True
        if self._sessions is not None:
            await self._sessions.aclose()

    async def _exchange(self, call: _Call) -> _Exchange:
        sessions = self._running_sessions()
        lease = Lease()
        try:
            try:
                response = await _head(sessions.keeping, call, lease)
            except FOREIGN as error:
                if not (self._may_be_stale(lease) and _says_nothing(error)):
                    raise
                lease = Lease()
                response = await _head(sessions.single_use, call, lease)
                return _Exchange(response, lease, call, sends=2)
        except (*FOREIGN, HeadTimeoutError) as error:
            raise translated(error, call.around) from _shown(error)
        return _Exchange(response, lease, call, sends=1)

    def _may_be_stale(self, lease: Lease) -> bool:
        return lease.reused and lease.idle_for >= self._fresh_seconds

    def _running_sessions(self) -> _Sessions:
        if self._closed:
            raise RuntimeError("the transport is closed and sends nothing any more")
        if self._sessions is None:
            self._sessions = _Sessions(self._idle_max, self._idle_seconds)
        return self._sessions

    def _target(self, url: str) -> _Target:
        # Parsing costs a tenth of a request, and a client has one or two URLs.
        target = self._targets.get(url)
        if target is None:
            if len(self._targets) >= _TARGETS_MAX:
                self._targets.clear()
            target = self._targets[url] = self._parsed(url)
        return target

    def _parsed(self, text: str) -> _Target:
        try:
            url = yarl.URL(text)
        except ValueError:
            url = yarl.URL()
        if url.scheme not in {"http", "https"} or not url.host or url.user:
            raise no_http_url(url.scheme, url.host)
        proxy = _proxy(self._proxies.for_url(text))
        is_https = url.scheme == "https"
        return _Target(
            url=url,
            host=_place(url),
            headers={} if is_https else proxy.headers,
            context=self._make_context() if is_https else None,
            proxy=proxy,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proxy:
    """A proxy as aiohttp takes it, or the lack of one."""

    url: yarl.URL | None = None
    """Without user and password, which aiohttp would show in its errors."""
    host: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A URL, and how to get there."""

    url: yarl.URL
    host: str
    headers: Mapping[str, str]
    """What a proxy that reads the request has to be told in it."""
    context: ssl.SSLContext | None
    proxy: _Proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One `open`."""

    target: _Target
    request: HttpRequest
    headers: Mapping[str, str]
    around: Circumstances


class _Exchange:
    """A response whose head is here, with the connection it comes on."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        lease: Lease,
        call: _Call,
        *,
        sends: int,
    ) -> None:
        self._response = response
        self._lease = lease
        self._around = call.around
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.opened = OpenResponse(
            status=response.status,
            headers=headers,
            sends=sends,
            parts=_parts(response, headers, call.around),
        )

    async def body(self) -> bytes:
        """Return the whole body, unpacked; see `OpenResponse.parts` for its errors."""
        opened, around = self.opened, self._around
        take = self._response.content.readany
        try:
            plain = await read_plain(take, opened.headers, around.max_bytes)
        except _BROKEN as error:
            raise translated(error, around) from _shown(error)
        return await opened.read() if plain is None else plain

    def end(self) -> None:
        """Close the connection, unless the body came whole and left it to others."""
        if not self._response.content.is_eof():
            self._lease.abort()
        self._response.close()


class _Sessions:
    """aiohttp's clients: one that keeps connections, and one that never does."""

    def __init__(self, idle_max: int, idle_seconds: float) -> None:
        self.connector = CheckingConnector(idle_max=idle_max, idle_seconds=idle_seconds)
        self.keeping = _session(self.connector)
        # Its connections are all fresh: what a stale one broke must not meet another.
        self.single_use = _session(aiohttp.TCPConnector(limit=0, force_close=True))

    async def aclose(self) -> None:
        await self.keeping.close()
        await self.single_use.close()


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=_NOT_ADDED,
        max_line_size=_HEADER_MAX,
        max_field_size=_HEADER_MAX,
        trust_env=False,
    )


async def _head(
    session: aiohttp.ClientSession, call: _Call, lease: Lease
) -> aiohttp.ClientResponse:
    """Send a request and wait for the response's head."""
    around, target = call.around, call.target
    token = leasing.set(lease)
    # aiohttp has no limit for a server that does not read what it is sent.
    whole = asyncio.timeout(
        around.connect_timeout + WRITE_SECONDS + around.read_timeout
    )
    try:
        async with whole:
            return await session.request(
                call.request.method,
                target.url,
                data=_payload(call.request.body),
                headers=call.headers,
                allow_redirects=False,
                proxy=target.proxy.url,
                proxy_headers=target.proxy.headers,
                ssl=target.context or True,
                timeout=_limits(around.connect_timeout, around.read_timeout),
            )
    except BaseException as error:
        lease.abort()
        if isinstance(error, TimeoutError) and whole.expired():
            raise HeadTimeoutError from error
        raise
    finally:
        leasing.reset(token)


async def _parts(
    response: aiohttp.ClientResponse, headers: Mapping[str, str], around: Circumstances
) -> AsyncGenerator[bytes, None]:
    body = unpacked(response.content.iter_any(), headers, around.max_bytes)
    try:
        async for part in body:
            yield part
    except _BROKEN as error:
        raise translated(error, around) from _shown(error)


@functools.lru_cache(maxsize=64)
def _limits(connect: float, read: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=connect, sock_read=read)


def _payload(body: bytes) -> bytes | io.BytesIO:
    # A large body (a prompt with pictures) is written in pieces.
    return body if len(body) <= _WRITTEN_AT_ONCE_MAX else io.BytesIO(body)


def _says_nothing(error: BaseException) -> bool:
    """Say whether a connection ended without a byte of a response."""
    match error:
        case aiohttp.ServerDisconnectedError(message=message):
            # Otherwise it is what came of a head.
            return isinstance(message, str)
        case aiohttp.ClientConnectorError():
            return False
        case aiohttp.ClientOSError() | aiohttp.ClientConnectionResetError():
            return True
        case _:
            return False


def _shown(error: Exception) -> Exception | None:
    """Return what may be chained: what quotes the request or the response may not."""
    return None if isinstance(error, aiohttp.ClientResponseError) else error


def _proxy(text: str | None) -> _Proxy:
    if text is None:
        return _Proxy()
    url = yarl.URL(text)
    headers = {}
    if url.user is not None:
        word = f"{url.user}:{url.password or ''}".encode()
        basic = base64.b64encode(word).decode("ascii")
        headers["Proxy-Authorization"] = f"Basic {basic}"
    return _Proxy(url=url.with_user(None), host=_place(url), headers=headers)


def _place(url: yarl.URL) -> str:
    return f"{url.host}:{url.port}"
