"""One exchange with a provider over HTTP: key, format, transport, reply."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from dspex.client.channel import Channel
from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.keys import GetKey, KeyRing
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Format, Sender
from dspex.client.providers.formats import format_of
from dspex.client.providers.refusals import is_success
from dspex.client.secrets import forget_locals
from dspex.client.streaming import read_stream
from dspex.client.transport import Transport
from dspex.client.wire import Facts, Send
from dspex.core.lm import Reply

CONNECT_TIMEOUT = 10.0
"""Seconds for making a connection, TLS included."""


class HttpExchange:
    """Sends requests in their endpoint's format; see `wire.Exchange`.

    Args:
        make_transport: Makes the HTTP transport.
        get_key: Returns the key, for endpoints whose key is not a fixed text.
        wall_clock: Seconds since 1970, for headers that hold a date.
    """

    def __init__(
        self,
        make_transport: Callable[[], Transport],
        *,
        get_key: GetKey | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._transport = make_transport()
        self._keys = KeyRing(get_key)
        self._wall_clock = wall_clock
        self._keyed: Endpoint | None = None

    async def make(self, send: Send, facts: Facts) -> Reply:
        """Send a request and read its reply; see `wire.Exchange.make`."""
        try:
            return await self._make(send, facts)
        except Exception as error:
            forget_locals(error)
            raise

    async def _make(self, send: Send, facts: Facts) -> Reply:
        # Until it is handed to the transport, nobody can bill it.
        facts.sends = 0
        endpoint = await self._with_key(send, facts)
        wire_format = format_of(endpoint)
        http = wire_format.build(
            send.request,
            endpoint,
            request_id=send.request_id,
            idempotency_key=send.idempotency_key,
            stream=send.channel is not None,
        )
        facts.sends = 1
        sender = Sender(
            endpoint=endpoint, label=send.label, wall_clock=self._wall_clock
        )
        if send.channel is not None:
            return await self._streamed(
                http, wire_format, sender, send, send.channel, facts
            )
        response = await self._transport.send(
            http, connect_timeout=CONNECT_TIMEOUT, read_timeout=send.read_timeout
        )
        facts.sends = response.sends
        facts.limits = wire_format.limits(response.headers, self._wall_clock)
        return wire_format.read(response, sender)

    async def aclose(self) -> None:
        """Close the idle connections."""
        self._keys.close()
        await self._transport.aclose()

    async def _with_key(self, send: Send, facts: Facts) -> Endpoint:
        endpoint = send.endpoint
        key = await self._keys.key(later_than=send.stale_key, fixed=endpoint.api_key)
        facts.key_number = key.number
        if key.secret is endpoint.api_key:
            return endpoint
        if self._keyed is None or self._keyed.api_key is not key.secret:
            # Made once for each key: an endpoint checks its URL, which takes time.
            self._keyed = replace(endpoint, api_key=key.secret)
        return self._keyed

    async def _streamed(
        self,
        http: HttpRequest,
        wire_format: Format,
        sender: Sender,
        send: Send,
        channel: Channel,
        facts: Facts,
    ) -> Reply:
        async with self._transport.open(
            http, connect_timeout=CONNECT_TIMEOUT, read_timeout=send.read_timeout
        ) as incoming:
            facts.sends = incoming.sends
            facts.limits = wire_format.limits(incoming.headers, self._wall_clock)
            if not is_success(incoming.status):
                response = HttpResponse(
                    status=incoming.status,
                    headers=incoming.headers,
                    body=await incoming.read(),
                )
                return wire_format.read(response, sender)
            reader = wire_format.reader(incoming.headers, sender)
            return await read_stream(incoming.parts(), reader, channel)
