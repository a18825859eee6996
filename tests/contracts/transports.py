"""The transports that keep the contract, each as a test makes it."""

from __future__ import annotations

import httpx

from dspex.client.aiohttp_transport import AiohttpTransport
from dspex.client.httpx_transport import HttpxTransport
from dspex.client.tls import shared_context
from dspex.client.transport import Transport


def over_httpx() -> Transport:
    """httpx's own transport, with room for any number of requests."""
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=256, keepalive_expiry=30.0
    )
    # Its own certificates, unless a test says otherwise; loading them takes a while.
    return HttpxTransport(
        httpx.AsyncHTTPTransport(verify=shared_context(), limits=limits)
    )


def over_aiohttp() -> Transport:
    """dspex's own transport, which takes any used connection for stale."""
    return AiohttpTransport(fresh_seconds=0.0)


TRANSPORTS = (over_aiohttp, over_httpx)
