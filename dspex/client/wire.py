"""The wire: an asyncio loop that owns the sockets of one provider branch.

It knows no limit and no retry. What it has finished it keeps until the client has
taken it, so a client that restarts meanwhile finds everything here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, assert_never

from dspex.client.providers import openai_chat
from dspex.client.providers.endpoint import Endpoint
from dspex.client.transport import Transport, make_transport
from dspex.core.errors import (
    ConfigurationError,
    LMConnectionError,
    LMError,
    LMInvalidRequestError,
)
from dspex.core.lm import Reply, Request
from supervisors import EventLoopActor, Handle

CONNECT_TIMEOUT = 10.0
"""Seconds for making a connection, TLS included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send a request. Cast by the client; the answer is cast back as `Sent`."""

    request_id: str
    idempotency_key: str
    request: Request
    endpoint: Endpoint
    label: str
    read_timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakOff:
    """Break a request off. Cast; there is no answer."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The client has booked this outcome. Cast."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Say again what was not taken, then what is open. Cast by a client that is new."""

    up_to: int
    """Handed back in `Standing`, so that the client knows how old the report is."""


Message = Send | BreakOff | Taken | Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request is over. Cast to the client."""

    request_id: str
    outcome: Reply | LMError
    sends: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the wire has open. Cast to the client."""

    open: frozenset[str]
    up_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WireUp:
    """A new wire is here and has nothing open. Cast to the client."""


class WireActor(EventLoopActor):
    """Sends and reports. Every request is a task, cancelled when this actor ends."""

    def __init__(
        self,
        client_name: str,
        make_transport: Callable[[], Transport] = make_transport,
    ) -> None:
        super().__init__()
        self._client_name = client_name
        self._make_transport = make_transport
        self._open: dict[str, Any] = {}
        self._not_taken: dict[str, Sent] = {}

    def on_start(self) -> None:
        """Make the transport and say that this wire is here."""
        self._client = Handle(self.surroundings.registry, self._client_name)
        self._transport = self._make_transport()
        self._client.cast(WireUp())

    def on_receive(self, message: Message) -> None:
        """Hand each message to its method."""
        match message:
            case Send():
                task = self.spawn(self._send(message))
                self._open[message.request_id] = task
            case BreakOff():
                task = self._open.pop(message.request_id, None)
                if task is not None:
                    task.cancel()
            case Taken():
                self._not_taken.pop(message.request_id, None)
            case Report():
                self._report(message)
            case _:
                assert_never(message)

    async def on_close(self) -> None:
        """Close the idle connections."""
        await self._transport.aclose()

    def _report(self, message: Report) -> None:
        for sent in self._not_taken.values():
            self._client.cast(sent)
        standing = frozenset(self._open) | frozenset(self._not_taken)
        self._client.cast(Standing(open=standing, up_to=message.up_to))

    async def _send(self, message: Send) -> None:
        started = time.monotonic()
        outcome, sends = await self._exchange(message)
        if isinstance(outcome, Reply):
            outcome = replace(outcome, latency=time.monotonic() - started)
        sent = Sent(request_id=message.request_id, outcome=outcome, sends=sends)
        if self._open.pop(message.request_id, None) is not None:
            self._not_taken[message.request_id] = sent
            self._client.cast(sent)

    async def _exchange(self, message: Send) -> tuple[Reply | LMError, int]:
        try:
            http = openai_chat.build(
                message.request,
                message.endpoint,
                request_id=message.request_id,
                idempotency_key=message.idempotency_key,
            )
            response = await self._transport.send(
                http,
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=message.read_timeout,
            )
            reply = openai_chat.read(
                response.status,
                response.headers,
                response.body,
                model=message.label,
                secret=message.endpoint.api_key,
            )
        except LMError as error:
            return error, 1
        except ConfigurationError as error:
            refused = LMInvalidRequestError(str(error), model=message.label)
            refused.__cause__ = error
            return refused, 0
        except Exception as error:  # noqa: BLE001 - one bad request must not end the wire
            text = f"the request could not be made: {type(error).__name__}"
            failure = LMConnectionError(text, model=message.label)
            failure.__cause__ = error
            return failure, 1
        return reply, response.sends
