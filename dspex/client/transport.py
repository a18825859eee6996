"""The one seam between dspex and HTTP.

Everything above sends an `HttpRequest` and gets an `HttpResponse`, an `OpenResponse` or
an `LMError`. Which library moves the bytes is known to the module that implements
`Transport`, and to no other. A transport keeps away from what the bodies mean, from
retries (but for a stale connection), from redirects and from total deadlines.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from dspex.client.http_messages import HttpRequest, HttpResponse, OpenResponse
from dspex.client.proxies import NO_PROXIES, Proxies

__all__ = [
    "MAX_BYTES",
    "WRITE_SECONDS",
    "HttpRequest",
    "HttpResponse",
    "OpenResponse",
    "Transport",
    "make_transport",
]

MAX_BYTES = 8 * 1024 * 1024
"""The largest body that is read, packed or unpacked, unless told otherwise."""

WRITE_SECONDS = 30.0
"""Seconds a server may take to read what it is sent."""


class Transport(Protocol):
    """Sends requests, any number of them side by side, on one loop.

    One that derives from it needs only `open` and `aclose`.
    """

    def open(
        self,
        request: HttpRequest,
        *,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int = MAX_BYTES,
    ) -> AbstractAsyncContextManager[OpenResponse]:
        """Send a request, and hand over the response as soon as its head is here.

        Args:
            request: What to send.
            connect_timeout: Seconds for making a connection, TLS and proxy included.
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

    async def send(
        self,
        request: HttpRequest,
        *,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int = MAX_BYTES,
    ) -> HttpResponse:
        """Send a request and read the whole response, whatever its status.

        Arguments and errors are those of `open`.
        """
        async with self.open(
            request,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_bytes=max_bytes,
        ) as opened:
            body = await opened.read()
        return HttpResponse(
            status=opened.status,
            headers=opened.headers,
            body=body,
            sends=opened.sends,
        )

    async def aclose(self) -> None:
        """Close every connection. Requests that still use one break."""


def make_transport(*, proxies: Proxies = NO_PROXIES) -> Transport:
    """Make the transport that dspex uses.

    Its library is loaded here, so a program that makes no call does without.

    Args:
        proxies: Which requests go through a proxy; by default none does.
    """
    from dspex.client.aiohttp_transport import AiohttpTransport

    return AiohttpTransport(proxies=proxies)
