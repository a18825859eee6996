"""The bill: every request a fake provider received, and what became of it.

It is the one thing the server's thread and the tests share; it has its own lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dspex.client.price import Price, cost_of
from dspex.core.lm import Usage
from dspex.testing._http_server import Exchange
from dspex.testing.faults import Fault

_NO_TOKENS = Usage()

Fate = Literal["open", "answered", "cut", "gone"]
"""How an exchange ended: not yet; with its whole answer (a refusal is an answer too);
broken off by the provider; given up by the client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """One request the provider received."""

    number: int
    """Counted from 1, in the order received."""
    request_id: str | None
    """The `X-Client-Request-Id` header."""
    idempotency_key: str | None
    """The `Idempotency-Key` header."""
    path: str
    """The path that was asked for."""
    headers: Mapping[str, str] = field(repr=False)
    """All headers, names in lower case. Not part of the `repr`: it holds the key."""
    body: Mapping[str, Any]
    """The request's JSON; empty when it was not a JSON object."""
    received_at: float
    """The provider's monotonic clock when the request was whole."""
    attempt: int = 1
    """The how manieth request with this idempotency key it is; 1 without a key."""
    streamed: bool = False
    """Whether the answer was wanted in pieces."""
    status: int | None = None
    """The status that was sent, or `None` while or when there was none."""
    fate: Fate = "open"
    """How the exchange ended."""
    ended_at: float | None = None
    """The provider's monotonic clock when it ended, such as when the client left."""
    fault: Fault | None = None
    """What was done instead of answering, a refused key or limit included; known when
    the exchange has ended."""
    limited: bool = False
    """Whether the provider's rate limit refused it; known when it has ended."""
    usage: Usage = _NO_TOKENS
    """Tokens the provider counts, known when the exchange has ended. Of an answer
    broken off in the middle of a stream: those that were sent."""
    cost: float = 0.0
    """What the usage costs in US dollars, by the provider's price; 0 without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is written down when an exchange ends."""

    fate: Fate
    """How it ended."""
    at: float
    """When, on the provider's monotonic clock."""
    status: int | None = None
    """The status that was sent."""
    fault: Fault | None = None
    """What was done instead of answering."""
    limited: bool = False
    """Whether the rate limit refused it."""
    usage: Usage = _NO_TOKENS
    """The tokens to be paid."""


class Bill:
    """Every request received, with its fate; safe to read from any thread."""

    def __init__(self, price: Price) -> None:
        self._price = price
        # Protects everything below, and wakes `wait`.
        self._changed = threading.Condition()
        self._entries: list[Billed] = []
        # Endings that are not in their entries yet. Whoever reads the bill puts them
        # there, so that the server's thread does not.
        self._endings: dict[int, Ending] = {}
        self._attempts: dict[str, int] = {}
        self._in_flight = 0
        self._in_flight_max = 0

    def snapshot(self) -> tuple[Billed, ...]:
        """Return the bill as it stands."""
        with self._changed:
            for number, ending in self._endings.items():
                entry = self._entries[number - 1]
                self._entries[number - 1] = self._ended(entry, ending)
            self._endings.clear()
            return tuple(self._entries)

    @property
    def received(self) -> int:
        """Requests received so far."""
        with self._changed:
            return len(self._entries)

    @property
    def in_flight(self) -> int:
        """Requests received and not yet ended."""
        with self._changed:
            return self._in_flight

    @property
    def in_flight_max(self) -> int:
        """The most requests that were in flight at one time."""
        with self._changed:
            return self._in_flight_max

    def open(
        self,
        exchange: Exchange,
        body: Mapping[str, Any],
        now: float,
        *,
        streamed: bool = False,
    ) -> Billed:
        """Put a request on the bill."""
        with self._changed:
            key = exchange.headers.get("idempotency-key")
            attempt = 1
            if key is not None:
                attempt = self._attempts[key] = self._attempts.get(key, 0) + 1
            entry = Billed(
                number=len(self._entries) + 1,
                request_id=exchange.headers.get("x-client-request-id"),
                idempotency_key=key,
                path=exchange.path,
                headers=exchange.headers,
                body=body,
                received_at=now,
                attempt=attempt,
                streamed=streamed,
            )
            self._entries.append(entry)
            self._in_flight += 1
            self._in_flight_max = max(self._in_flight_max, self._in_flight)
            self._changed.notify_all()
            return entry

    def close(self, number: int, ending: Ending) -> None:
        """Write down how a request ended; the caller does so once for each."""
        with self._changed:
            self._endings[number] = ending
            self._in_flight -= 1
            self._changed.notify_all()

    def wait(self, ready: Callable[[Bill], bool], timeout: float) -> bool:
        """Wait until `ready` is true of this bill, at most `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: ready(self), timeout)

    def _ended(self, entry: Billed, ending: Ending) -> Billed:
        return replace(
            entry,
            status=ending.status,
            fate=ending.fate,
            ended_at=ending.at,
            fault=ending.fault,
            limited=ending.limited,
            usage=ending.usage,
            cost=cost_of(ending.usage, self._price),
        )
