"""Whether a provider can be reached and takes the key, step by step and free of charge.

Each step is a finding. The first that fails ends the examination, because those after
it would only fail in other words.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import Enum
from urllib.parse import urlsplit

from dspex.client.http_exchange import CONNECT_TIMEOUT
from dspex.client.http_messages import HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import RateLimits, Sender
from dspex.client.providers.formats import format_of
from dspex.client.providers.listing import listed_models, listing_request
from dspex.client.providers.refusals import is_success
from dspex.client.proxies import Proxies
from dspex.client.tls import shared_context
from dspex.client.transport import Transport
from dspex.core.errors import (
    DspexError,
    LMAuthError,
    LMConnectionError,
    LMError,
    LMInvalidRequestError,
)

ANSWER_TIMEOUT = 30.0
"""Seconds without a byte after which a provider counts as silent."""
_LISTED_MOST = 3
"""Addresses and names that are shown of many."""


class State(Enum):
    """How a step went."""

    OK = "ok"
    """As it should be."""
    UNKNOWN = "unknown"
    """It could not be told; nothing need be wrong."""
    FAILED = "failed"
    """Something is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one step has shown."""

    name: str
    """What was looked at, in a word."""
    state: State
    """How it went."""
    text: str
    """What was found; for what failed, how to mend it too."""
    error: DspexError | None = None
    """Why it failed."""


def ok(name: str, text: str) -> Finding:
    """A step that went well."""
    return Finding(name=name, state=State.OK, text=text)


def unknown(name: str, text: str) -> Finding:
    """A step that told nothing."""
    return Finding(name=name, state=State.UNKNOWN, text=text)


def failed(name: str, error: DspexError) -> Finding:
    """A step that failed."""
    return Finding(name=name, state=State.FAILED, text=str(error), error=error)


async def examine(
    endpoint: Endpoint, transport: Transport, proxies: Proxies
) -> AsyncIterator[Finding]:
    """Look a provider up, connect to it, and ask for its models.

    Args:
        endpoint: Where it is.
        transport: What requests are sent with.
        proxies: Those of the transport.
    """
    try:
        async for finding in _reached(endpoint, proxies):
            yield finding
        async for finding in _asked(endpoint, transport):
            yield finding
    except _StepError as stopped:
        yield failed(stopped.name, stopped.error)


class _StepError(Exception):
    """The step `name` failed, so that no other is tried."""

    def __init__(self, name: str, error: DspexError) -> None:
        super().__init__(name)
        self.name = name
        self.error = error


# The way there.


async def _reached(endpoint: Endpoint, proxies: Proxies) -> AsyncIterator[Finding]:
    parts = urlsplit(endpoint.base_url)
    proxy = proxies.for_url(endpoint.base_url)
    if proxy is not None:
        yield ok("proxy", f"requests go through {_host_of(proxy)}")
        return
    host, is_https = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_https else 80)
    addresses = await _addresses(host, port)
    if addresses != [host]:
        yield ok("name", f"{host} is {_some(addresses)}")
    started = time.monotonic()
    await _connect(host, port, None)
    yield ok("connection", f"port {port} in {_milliseconds(started)}")
    if is_https:
        yield ok("TLS", await _connect(host, port, shared_context()))


async def _addresses(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        raise _StepError(
            "name",
            LMConnectionError(
                f"no address was found for {host!r}: {_reason(error)}; a name that the "
                "network knows was expected. Check api_base and the network."
            ),
        ) from error
    return list(dict.fromkeys(str(address[4][0]) for address in found))


async def _connect(host: str, port: int, context: ssl.SSLContext | None) -> str:
    """Connect and hang up; what was agreed on."""
    name = "connection" if context is None else "TLS"
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError) as error:
        expected = (
            "a server that listens there was expected. Start it, or check api_base"
            if context is None
            else "a certificate that is trusted here was expected. Set SSL_CERT_FILE "
            "to your own authority's, or check api_base"
        )
        raise _StepError(
            name,
            LMConnectionError(
                f"no {name} to {host}:{port}: {_reason(error)}; {expected}."
            ),
        ) from error
    agreed = writer.get_extra_info("ssl_object")
    writer.transport.abort()
    return "" if agreed is None else f"{agreed.version()}, certificate trusted"


# What it says.


async def _asked(endpoint: Endpoint, transport: Transport) -> AsyncIterator[Finding]:
    response = await _listing(endpoint, transport)
    limits = format_of(endpoint).limits(response.headers, time.time)
    try:
        _refuse(response, endpoint)
    except LMInvalidRequestError as error:
        # Not every server has such a list.
        yield unknown(
            "key",
            f"there is no list of models to try it on (status {error.status}); --ask "
            "makes a call instead",
        )
    except LMError as error:
        raise _StepError(
            "key" if isinstance(error, LMAuthError) else "answer", error
        ) from error
    else:
        yield await _key(endpoint, transport)
        yield _model(endpoint, response)
    yield limits_found(limits, "none are announced here; --ask looks at an answer")


async def _listing(endpoint: Endpoint, transport: Transport) -> HttpResponse:
    try:
        return await transport.send(
            listing_request(endpoint),
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=ANSWER_TIMEOUT,
        )
    except DspexError as error:
        raise _StepError("answer", error) from error


def _refuse(response: HttpResponse, endpoint: Endpoint) -> None:
    """Raise what a refusal means, in the provider's own words."""
    if is_success(response.status):
        return
    label = f"{endpoint.provider} at {endpoint.base_url}"
    sender = Sender(endpoint=endpoint, label=label, wall_clock=time.time)
    format_of(endpoint).read(response, sender)


async def _key(endpoint: Endpoint, transport: Transport) -> Finding:
    if endpoint.api_key is None:
        return ok("key", "none is sent, and none was asked for")
    # A list that is open to everybody says nothing of the key.
    keyless = await _listing(replace(endpoint, api_key=None), transport)
    if is_success(keyless.status):
        return unknown(
            "key", "not needed for the list of models, so it was not tried; --ask does"
        )
    return ok("key", "accepted")


def _model(endpoint: Endpoint, response: HttpResponse) -> Finding:
    listed = listed_models(response.body, endpoint)
    model = endpoint.model
    if not listed:
        return unknown("model", f"no list says whether {model!r} is there; --ask does")
    if model in listed:
        return ok("model", f"{model!r} is one of {len(listed)} that are listed")
    near = get_close_matches(model, sorted(listed), n=_LISTED_MOST, cutoff=0.4)
    hint = f"; near to it are: {', '.join(near)}" if near else ""
    return unknown(
        "model", f"{model!r} is none of the {len(listed)} that are listed{hint}"
    )


def limits_found(limits: RateLimits, otherwise: str) -> Finding:
    """What the headers of a response announced.

    Args:
        limits: What is in them.
        otherwise: What to say when there is nothing.
    """
    told = [
        f"{allowance.limit:,} {what} ({allowance.remaining:,} left)"
        if allowance.remaining is not None
        else f"{allowance.limit:,} {what}"
        for what, allowance in (
            ("requests", limits.requests),
            ("tokens", limits.tokens),
        )
        if allowance.limit is not None
    ]
    if told:
        return ok("limits", "announced: " + ", ".join(told))
    return unknown("limits", otherwise)


def _some(words: list[str]) -> str:
    more = len(words) - _LISTED_MOST
    shown = ", ".join(words[:_LISTED_MOST])
    return f"{shown} and {more} more" if more > 0 else shown


def _host_of(proxy: str) -> str:
    """A proxy without user and password."""
    parts = urlsplit(proxy)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _milliseconds(started: float) -> str:
    return f"{(time.monotonic() - started) * 1000:.0f} ms"


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing within {CONNECT_TIMEOUT:g} s"
    return str(error) or type(error).__name__
