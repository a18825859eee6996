"""The wire: an asyncio loop that makes the exchanges of one provider branch.

It knows no limit and no retry. What it has finished it keeps until the client has
taken it, so a client that restarts meanwhile finds everything here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, assert_never

from dspex.client.channel import Channel
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import RateLimits
from dspex.core.errors import (
    ConfigurationError,
    LMConnectionError,
    LMError,
    LMInvalidRequestError,
)
from dspex.core.lm import Reply, Request
from supervisors import EventLoopActor, Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A request to send."""

    request_id: str
    idempotency_key: str
    request: Request
    endpoint: Endpoint
    label: str
    read_timeout: float
    channel: Channel | None = None
    """Where the pieces of the answer go; `None` for a whole one."""
    stale_key: int = 0
    """The number of a key that was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAll:
    """Send requests. Cast by the client; what comes of each is cast back, `SentAll`."""

    sends: tuple[Send, ...] = ()
    """Those that may go now."""
    taken: tuple[str, ...] = ()
    """Ids of requests whose outcomes the client has booked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakOff:
    """Break a request off. Cast; there is no answer."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Say again what was not taken, then what is open. Cast by a client that is new."""

    up_to: int
    """Handed back in `Standing`, so that the client knows how old the report is."""


Message = SendAll | BreakOff | Report


@dataclass(slots=True, kw_only=True)
class Facts:
    """What an exchange finds out on its way, whether it ends well or not."""

    sends: int = 1
    """How often the request was written: 0 when it could not be put into bytes."""
    limits: RateLimits | None = None
    """What the provider said of its limits."""
    latency: float = 0.0
    """Seconds the exchange took."""
    key_number: int = 0
    """Which key was sent, if keys may change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request that is over."""

    request_id: str
    outcome: Reply | LMError
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentAll:
    """Requests that were over at one moment. Cast to the client."""

    sent: tuple[Sent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the wire has open. Cast to the client."""

    open: frozenset[str]
    up_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WireUp:
    """A new wire is here and has nothing open. Cast to the client."""


class Exchange(Protocol):
    """Makes one request and returns its reply: over HTTP, or by code of the user's.

    It lives on the wire's loop and makes many at a time. Cancelled, it lets go of what
    it holds.
    """

    async def make(self, send: Send, facts: Facts, /) -> Reply:
        """Make a request, and note what is found out on the way.

        Raises:
            LMError: It ended without an answer.
            ConfigurationError: It can never be sent.
        """

    async def aclose(self) -> None:
        """Close what is idle."""


class WireActor(EventLoopActor):
    """Sends and reports. Every request is a task, cancelled when this actor ends."""

    def __init__(self, client_name: str, make_exchange: Callable[[], Exchange]) -> None:
        super().__init__()
        self._client_name = client_name
        self._make_exchange = make_exchange
        self._open: dict[str, Any] = {}
        self._not_taken: dict[str, Sent] = {}
        self._to_report: list[Sent] = []

    def on_start(self) -> None:
        """Make the exchange and say that this wire is here."""
        self._client = Handle(self.surroundings.registry, self._client_name)
        self._exchange = self._make_exchange()
        self._client.cast(WireUp())

    def on_receive(self, message: Message) -> None:
        """Hand each message to its method."""
        match message:
            case SendAll():
                self._send_all(message)
            case BreakOff():
                task = self._open.pop(message.request_id, None)
                if task is not None:
                    task.cancel()
            case Report():
                self._report(message)
            case _:
                assert_never(message)

    async def on_close(self) -> None:
        """Close the idle connections."""
        await self._exchange.aclose()

    def _send_all(self, message: SendAll) -> None:
        for request_id in message.taken:
            self._not_taken.pop(request_id, None)
        for send in message.sends:
            self._open[send.request_id] = self.spawn(self._send(send))

    def _report(self, message: Report) -> None:
        if self._not_taken:
            self._client.cast(SentAll(sent=tuple(self._not_taken.values())))
        standing = frozenset(self._open) | frozenset(self._not_taken)
        self._client.cast(Standing(open=standing, up_to=message.up_to))

    async def _send(self, message: Send) -> None:
        started = time.monotonic()
        facts = Facts()
        outcome = await self._outcome(message, facts)
        facts.latency = time.monotonic() - started
        sent = Sent(request_id=message.request_id, outcome=outcome, facts=facts)
        if self._open.pop(message.request_id, None) is not None:
            self._not_taken[message.request_id] = sent
            self._report_soon(sent)

    def _report_soon(self, sent: Sent) -> None:
        # Answers that are here at the same moment make one message: to wake the client
        # costs more than to read an answer.
        if not self._to_report:
            asyncio.get_running_loop().call_soon(self._report_sent)
        self._to_report.append(sent)

    def _report_sent(self) -> None:
        sent, self._to_report = tuple(self._to_report), []
        self._client.cast(SentAll(sent=sent))

    async def _outcome(self, message: Send, facts: Facts) -> Reply | LMError:
        try:
            return await self._exchange.make(message, facts)
        except LMError as error:
            return error
        except ConfigurationError as error:
            facts.sends = 0
            refused = LMInvalidRequestError(str(error), model=message.label)
            refused.__cause__ = error
            return refused
        except Exception as error:  # noqa: BLE001 - one bad request must not end the wire
            text = f"the request could not be made: {type(error).__name__}"
            failure = LMConnectionError(text, model=message.label)
            failure.__cause__ = error
            return failure
