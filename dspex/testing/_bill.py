"""The bill: every request a fake provider received, and what became of it.

It is the one thing the server's thread and the tests share; it has its own lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dspex.testing._http_server import Exchange

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
    status: int | None = None
    """The status that was sent, or `None` while or when there was none."""
    fate: Fate = "open"
    """How the exchange ended."""


class Bill:
    """Every request received, with its fate; safe to read from any thread."""

    def __init__(self) -> None:
        # Protects the entries and both counters, and wakes `wait`.
        self._changed = threading.Condition()
        self._entries: list[Billed] = []
        self._in_flight = 0
        self._in_flight_max = 0

    def snapshot(self) -> tuple[Billed, ...]:
        """Return the bill as it stands."""
        with self._changed:
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

    def open(self, exchange: Exchange, body: Mapping[str, Any], now: float) -> Billed:
        """Put a request on the bill."""
        with self._changed:
            entry = Billed(
                number=len(self._entries) + 1,
                request_id=exchange.headers.get("x-client-request-id"),
                idempotency_key=exchange.headers.get("idempotency-key"),
                path=exchange.path,
                headers=exchange.headers,
                body=body,
                received_at=now,
            )
            self._entries.append(entry)
            self._in_flight += 1
            self._in_flight_max = max(self._in_flight_max, self._in_flight)
            self._changed.notify_all()
            return entry

    def close(self, number: int, status: int | None, fate: Fate) -> None:
        """Write down how a request ended. The first ending counts."""
        with self._changed:
            entry = self._entries[number - 1]
            if entry.fate == "open":
                ended = replace(entry, status=status, fate=fate)
                self._entries[number - 1] = ended
                self._in_flight -= 1
                self._changed.notify_all()

    def wait(self, ready: Callable[[Bill], bool], timeout: float) -> bool:
        """Wait until `ready` is true of this bill, at most `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: ready(self), timeout)
