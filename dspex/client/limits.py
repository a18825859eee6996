"""What one key may send to one provider: may this request go, and if not, when?

Three things hold a request back: what the user set, what the provider's headers
announce, and what its refusals (429) teach. A request goes when none of them does.

A limiter lives in the client's ledger, so it outlives the actor: a request that was
admitted stays reserved until it is settled, released or refused, and `reserved` names
those whose holder may be gone. One thread owns it; the clock is an argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from dspex.client.announced import AnnouncedLimit, Moment
from dspex.client.minute import MinuteLimit
from dspex.client.pace import Pace
from dspex.client.providers.format import RateLimits
from dspex.core.errors import ConfigurationError

SHORTEST_WAIT = 0.001
"""Seconds; asking again sooner would be spinning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPolicy:
    """What the user allows a client to send."""

    max_in_flight: int = 256
    """Requests that may be out at once."""
    requests_per_minute: int | None = None
    """Requests in any minute; `None` for no limit of ours."""
    tokens_per_minute: int | None = None
    """Tokens in any minute, sent and received; `None` for no limit of ours."""

    def __post_init__(self) -> None:
        """Check every figure."""
        figures = (
            self.max_in_flight,
            self.requests_per_minute,
            self.tokens_per_minute,
        )
        if any(figure is not None and figure < 1 for figure in figures):
            raise ConfigurationError(
                f"the limits make no sense: {self!r}; each is at least 1. Leave a limit"
                " per minute out, or give None, to have none."
            )


class WaitReason(Enum):
    """What holds a request back."""

    IN_FLIGHT = "in_flight"
    """As many are out as may be."""
    PAUSED = "paused"
    """The provider asked for a pause (Retry-After)."""
    REQUESTS_PER_MINUTE = "requests_per_minute"
    """The user's limit of requests."""
    TOKENS_PER_MINUTE = "tokens_per_minute"
    """The user's limit of tokens."""
    ANNOUNCED_REQUESTS = "announced_requests"
    """The provider's limit of requests, by its headers."""
    ANNOUNCED_TOKENS = "announced_tokens"
    """The provider's limit of tokens, by its headers."""
    PACE = "pace"
    """The pace that earlier refusals taught."""


_REASONS = (
    WaitReason.PAUSED,
    WaitReason.PACE,
    WaitReason.ANNOUNCED_REQUESTS,
    WaitReason.ANNOUNCED_TOKENS,
    WaitReason.REQUESTS_PER_MINUTE,
    WaitReason.TOKENS_PER_MINUTE,
)
"""What may take time, in the order in which a limiter looks."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The request must not go now."""

    seconds: float
    """Until asking again is worth it; infinite means when something returns."""
    reason: WaitReason
    """What holds it back for longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedView:
    """What is known of one announced limit."""

    limit: int
    """How many there are in all."""
    left: float
    """How many are left now, what is on its way taken off."""
    per_second: float | None
    """How many come back in a second, if that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsView:
    """A limiter at one moment, for people."""

    policy: LimitPolicy
    """What the user set."""
    in_flight: int
    """Requests that are out."""
    requests_last_minute: int | None
    """Requests of the last minute; `None` without a limit on them."""
    tokens_last_minute: int | None
    """Tokens of the last minute; `None` without a limit on them."""
    announced_requests: AnnouncedView | None
    """The provider's limit of requests; `None` when it announces none."""
    announced_tokens: AnnouncedView | None
    """The provider's limit of tokens; `None` when it announces none."""
    pace: float | None
    """Requests per second that refusals have taught; `None` before the first."""
    paused_for: float
    """Seconds of the pause the provider asked for which are left."""
    refusals: int
    """How many requests met a 429."""
    refused_since: float | None
    """When the first refusal came after which nothing was answered; `None` when the
    latest request was answered."""


class _Reservation(NamedTuple):
    """A request that is out, or about to be."""

    tokens: int
    sent: Moment
    tokens_before: int


class Limiter:
    """The limits of one (provider, address, key).

    Every request is asked for with `admit` and ends in exactly one of `settle`,
    `refused` and `release`. What is not reserved is ignored there, so a late word
    about a request of an earlier life does no harm.

    Args:
        policy: What the user allows.

    Example:
        >>> limiter = Limiter(LimitPolicy(max_in_flight=1))
        >>> limiter.admit("one", 100, now=0.0) is None
        True
        >>> limiter.admit("two", 100, now=0.0)
        Wait(seconds=inf, reason=<WaitReason.IN_FLIGHT: 'in_flight'>)
        >>> limiter.settle("one", now=0.3, tokens=80)
        >>> limiter.admit("two", 100, now=0.3) is None
        True
    """

    def __init__(self, policy: LimitPolicy | None = None) -> None:
        self._policy = policy or LimitPolicy()
        self._reserved: dict[str, _Reservation] = {}
        self._requests = _minute_limit(self._policy.requests_per_minute)
        self._tokens = _minute_limit(self._policy.tokens_per_minute)
        self._announced_requests = AnnouncedLimit()
        self._announced_tokens = AnnouncedLimit()
        self._pace = Pace()
        self._sent = 0
        self._tokens_sent = 0
        self._refusals = 0
        self._refused_since: float | None = None

    @property
    def in_flight(self) -> int:
        """Requests that are out."""
        return len(self._reserved)

    @property
    def reserved(self) -> tuple[str, ...]:
        """Ids of the requests that are out, oldest first."""
        return tuple(self._reserved)

    def admit(self, request_id: str, tokens: int, now: float) -> Wait | None:
        """Ask whether a request may go.

        Args:
            request_id: An id that is never used again.
            tokens: How many it may cost, sent and received, as an estimate.
            now: Monotonic seconds, never less than at the call before.

        Returns:
            `None` when it may: its place and its tokens are reserved then. Else how
            long to wait before asking again; nothing has changed. A request that is
            larger than a whole limit of tokens goes alone rather than never.
        """
        wait = self.wait(tokens, now)
        if wait is None:
            self._reserve(request_id, tokens, now)
        return wait

    def wait(self, tokens: int, now: float) -> Wait | None:
        """Say what `admit` would say, and reserve nothing."""
        if len(self._reserved) >= self._policy.max_in_flight:
            return Wait(math.inf, WaitReason.IN_FLIGHT)
        waits = self._waits(tokens, now)
        longest = max(waits)
        if longest <= 0:
            return None
        return Wait(max(SHORTEST_WAIT, longest), _REASONS[waits.index(longest)])

    def settle(self, request_id: str, now: float, *, tokens: int | None) -> None:
        """End a request that was answered, or that failed after it was sent.

        Args:
            request_id: Which one.
            now: Monotonic seconds.
            tokens: What it really cost; `None` leaves it at the estimate.
        """
        reservation = self._reserved.pop(request_id, None)
        if reservation is None:
            return
        if self._tokens is not None and tokens is not None:
            self._tokens.settle(request_id, tokens)
        sent = reservation.sent
        self._pace.answered(sent.number, now - sent.at, now)
        self._refused_since = None

    def release(self, request_id: str, now: float) -> None:
        """End a request that was never written: all of it is given back."""
        reservation = self._reserved.pop(request_id, None)
        if reservation is None:
            return
        for limit in (self._requests, self._tokens):
            if limit is not None:
                limit.give_back(request_id, now)
        self._give_back_announced(reservation)

    def refused(
        self, request_id: str, now: float, *, retry_after: float | None
    ) -> bool:
        """End a request that met a rate limit (429).

        It counts as a request of the minute, as providers count it, with no tokens.

        Args:
            request_id: Which one.
            now: Monotonic seconds.
            retry_after: Seconds the provider asked to wait: nothing goes until then,
                however long that is, but for the rounding where an announced limit
                says the same exactly. A caller with less patience looks at a `Wait`
                whose reason is `PAUSED`.

        Returns:
            Whether it was news: not when it belongs to a jam that is known.
        """
        reservation = self._reserved.pop(request_id, None)
        if reservation is None:
            return False
        if self._tokens is not None:
            self._tokens.settle(request_id, 0)
        self._give_back_announced(reservation)
        if retry_after is not None and self._announces(retry_after, reservation, now):
            retry_after = None
        self._refusals += 1
        if self._refused_since is None:
            self._refused_since = now
        number = reservation.sent.number
        return self._pace.refused(number, self._sent, now, retry_after)

    def learn(self, request_id: str, limits: RateLimits, now: float) -> None:
        """Take in what the headers of a reply or a refusal say.

        Call it before `settle` or `refused` of the same request: they forget when it
        was sent, and the headers tell of that moment.
        """
        reservation = self._reserved.get(request_id)
        if reservation is None:
            return
        sent = reservation.sent
        requests_after = self._sent - sent.number - 1
        tokens_after = (
            self._tokens_sent - reservation.tokens_before - reservation.tokens
        )
        self._announced_requests.hear(limits.requests, sent, requests_after, now)
        self._announced_tokens.hear(limits.tokens, sent, tokens_after, now)

    def reconfigure(self, policy: LimitPolicy, now: float) -> None:
        """Change what the user allows; what is out stays out.

        A limit that is changed remembers the last minute; one that is new knows
        nothing of what went before it.
        """
        self._requests = _resized(self._requests, policy.requests_per_minute, now)
        self._tokens = _resized(self._tokens, policy.tokens_per_minute, now)
        self._policy = policy

    def state(self, now: float) -> LimitsView:
        """What is known now, for people."""
        return LimitsView(
            policy=self._policy,
            in_flight=len(self._reserved),
            requests_last_minute=_used(self._requests, now),
            tokens_last_minute=_used(self._tokens, now),
            announced_requests=_view(self._announced_requests, now),
            announced_tokens=_view(self._announced_tokens, now),
            pace=self._pace.rate,
            paused_for=self._pace.paused_for(now),
            refusals=self._refusals,
            refused_since=self._refused_since,
        )

    def _waits(self, tokens: int, now: float) -> tuple[float, ...]:
        """Seconds each of `_REASONS` holds a request back."""
        waits = (
            self._pace.paused_for(now),
            self._pace.wait(now),
            self._announced_requests.wait(1, now),
            self._announced_tokens.wait(tokens, now),
            0.0 if self._requests is None else self._requests.wait(1, now),
            0.0 if self._tokens is None else self._tokens.wait(tokens, now),
        )
        if self._reserved:
            return waits
        # What only a header can end is not waited for when none is on its way.
        return tuple(0.0 if math.isinf(seconds) else seconds for seconds in waits)

    def _reserve(self, request_id: str, tokens: int, now: float) -> None:
        sent = Moment(number=self._sent, at=now)
        self._reserved[request_id] = _Reservation(tokens, sent, self._tokens_sent)
        self._sent += 1
        self._tokens_sent += tokens
        self._pace.take(now)
        self._announced_requests.take(1, now)
        self._announced_tokens.take(tokens, now)
        if self._requests is not None:
            self._requests.take(request_id, 1, now)
        if self._tokens is not None:
            self._tokens.take(request_id, tokens, now)

    def _announces(self, retry_after: float, refused: _Reservation, now: float) -> bool:
        """Whether an announced limit says the same as a pause, but to the fraction.

        `Retry-After` counts in whole seconds: 0.02 s until the next request may come
        are 1 there, and a pause of that would waste 49 of 50 requests a second.
        """
        exact = max(
            self._announced_requests.wait(1, now),
            self._announced_tokens.wait(refused.tokens, now),
        )
        is_whole = retry_after == int(retry_after)
        return is_whole and retry_after - 1 < exact <= retry_after

    def _give_back_announced(self, reservation: _Reservation) -> None:
        self._announced_requests.give_back(1, reservation.sent)
        self._announced_tokens.give_back(reservation.tokens, reservation.sent)


def _minute_limit(limit: int | None) -> MinuteLimit | None:
    return None if limit is None else MinuteLimit(limit)


def _resized(
    known: MinuteLimit | None, limit: int | None, now: float
) -> MinuteLimit | None:
    if known is None or limit is None:
        return _minute_limit(limit)
    known.resize(limit, now)
    return known


def _used(limit: MinuteLimit | None, now: float) -> int | None:
    return None if limit is None else limit.used(now)


def _view(known: AnnouncedLimit, now: float) -> AnnouncedView | None:
    if known.limit is None:
        return None
    return AnnouncedView(limit=known.limit, left=known.left(now), per_second=known.rate)
