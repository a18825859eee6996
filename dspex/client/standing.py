"""Where a client's open calls stand at one moment, for whoever asks why it takes long.

Made from the client's ledger by its own thread; nothing here changes anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from dspex.client.gate import GateState
from dspex.client.ledger import Ledger, OpenCall, Stage


class HeldBy(Enum):
    """What an open call waits for."""

    ANSWER = "answer"
    """Its request is out."""
    RETRY = "retry"
    """Its last request failed; it is made again after a pause."""
    BREAKER = "breaker"
    """The provider's breaker is open."""
    DOUBT = "doubt"
    """Others have failed, and it is not known yet whether the provider is well."""
    LIMIT = "limit"
    """A rate limit, the user's, the provider's, or learned from refusals."""
    SERVER = "server"
    """The local model server is not ready."""
    PLACE = "place"
    """As many requests are out as may be, or a budget has no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStanding:
    """One open call at one moment."""

    tags: Mapping[str, Any]
    """What it belongs to (run, example, trial, attempt)."""
    held_by: HeldBy
    """What it waits for."""
    model: str = ""
    """Whom it is for, by the provider's name for the model."""
    since: float | None = None
    """Seconds for which that has been so, where it is known."""
    left: float | None = None
    """Seconds until that changes, where it is known."""
    sent: int = 0
    """Requests sent for it so far."""
    lost: int = 0
    """How many of those failed, besides looks whether the provider was back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBreaker:
    """A breaker that lets no call through."""

    model: str
    """Whose it is, by the provider's name for the model."""
    open_for: float
    """Seconds since it opened first."""
    retry_in: float
    """Seconds until it lets one call through; 0 while that one may go or is out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStanding:
    """What holds the calls of one client up, at one moment."""

    label: str
    """The provider as errors name it."""
    breakers: tuple[OpenBreaker, ...] = ()
    """Those that are not closed."""
    calls: tuple[CallStanding, ...] = ()
    """Every open call, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What all clients of a tree said when they were asked at once."""

    standings: tuple[ClientStanding, ...] = ()
    """Of those that answered."""
    silent: tuple[str, ...] = ()
    """The names of those that are there and did not answer in time."""


def standing_of(ledger: Ledger, label: str, now: float) -> ClientStanding:
    """Say what holds calls up.

    Args:
        ledger: The client's memory.
        label: The provider as errors name it.
        now: Monotonic seconds.
    """
    return ClientStanding(
        label=label,
        breakers=tuple(_open_breakers(ledger, now)),
        calls=tuple(_standing(ledger, entry, now) for entry in ledger.calls.values()),
    )


def _open_breakers(ledger: Ledger, now: float) -> Iterator[OpenBreaker]:
    for lane in ledger.lanes.values():
        view = lane.gate.view(now)
        if view.state is not GateState.CLOSED:
            began = now if view.open_since is None else view.open_since
            retry_in = view.retry_in or 0.0
            yield OpenBreaker(model=lane.model, open_for=now - began, retry_in=retry_in)


def _standing(ledger: Ledger, entry: OpenCall, now: float) -> CallStanding:
    held_by, since, left = _held(ledger, entry, now)
    return CallStanding(
        tags=entry.call.tags,
        held_by=held_by,
        model=entry.lane.model,
        since=since,
        left=left,
        sent=entry.sent,
        lost=entry.charged,
    )


def _held(
    ledger: Ledger, entry: OpenCall, now: float
) -> tuple[HeldBy, float | None, float | None]:
    """What holds a call, for how long already, and for how long still."""
    if entry.attempt is not None:
        return HeldBy.ANSWER, now - entry.attempt.started, None
    if entry.stage is Stage.BACKING_OFF:
        return HeldBy.RETRY, None, max(0.0, entry.not_before - now)
    if ledger.needs_server and ledger.server_address is None:
        return HeldBy.SERVER, None, None
    gate = entry.lane.gate.view(now)
    if gate.state is not GateState.CLOSED:
        began = gate.open_since
        return HeldBy.BREAKER, None if began is None else now - began, gate.retry_in
    pause = entry.lane.caution.wait(now)
    if pause:
        return HeldBy.DOUBT, None, pause
    wait = entry.lane.limiter.wait(entry.tokens, now)
    # Infinite is "when something returns": the place of a request that is out.
    if wait is None or math.isinf(wait.seconds):
        return HeldBy.PLACE, None, None
    return HeldBy.LIMIT, None, wait.seconds
