"""Limits a fake provider holds its callers to, as values and a pure machine.

The clock is an argument; the provider's service carries out what is decided here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Literal

from dspex.core.errors import ConfigurationError
from dspex.testing.faults import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """How much a provider allows, and what it tells its callers about it.

    A request above the limit is refused at once with status 429: it waits for no slot
    and takes nothing of the limit.

    Raises:
        ConfigurationError: When nothing is limited, or a number makes no sense.
    """

    requests: int | None = None
    """Requests allowed in each span; `None` is no limit."""
    tokens: int | None = None
    """Tokens allowed in each span; `None` is no limit. A request counts with the words
    of its prompt and its `max_tokens`."""
    per: float = 60.0
    """The span, in seconds."""
    kind: Literal["bucket", "window"] = "bucket"
    """"bucket" gives back what was taken evenly over the span; "window" gives
    everything back at the end of each span, the first of which starts at once."""
    burst: float | None = None
    """How many requests a bucket holds at most, so how many may come at one time;
    a whole span's unless given."""
    announce: bool = True
    """Whether every answer says what is left, in the headers of the API's maker.
    Gemini's API has no such headers."""
    retry_after: Literal["seconds", "ms", "date"] | None = "seconds"
    """How a refusal says when to come back: whole seconds, rounded up; exact
    milliseconds beside them; a date; or not at all."""

    def __post_init__(self) -> None:
        """Refuse a limit that limits nothing or cannot be."""
        limits = [limit for limit in (self.requests, self.tokens) if limit is not None]
        if not limits or min(limits) < 1 or self.per <= 0:
            raise ConfigurationError(
                f"a rate limit got requests={self.requests!r}, tokens={self.tokens!r},"
                f" per={self.per!r}; expected at least one request or token in a span"
                " above 0 seconds. Give requests=, tokens= or both."
            )
        is_sound = self.burst is None or (
            self.burst >= 1 and self.kind == "bucket" and self.requests is not None
        )
        if not is_sound:
            raise ConfigurationError(
                f"a rate limit got burst={self.burst!r}; expected 1 or more, for a"
                " bucket of requests. Leave burst out, or give kind='bucket' and"
                " requests=."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What is left of one limit at one moment."""

    limit: int
    """What a whole span allows."""
    remaining: int
    """What could be taken now."""
    full_in: float
    """Seconds until everything is there again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a limit says of one request."""

    wait: float | None
    """Seconds until it would be let through; `None` when it is let through now."""
    requests: Allowed | None
    """What is left of the requests; `None` when they are not limited."""
    tokens: Allowed | None
    """What is left of the tokens; `None` when they are not limited."""


class Limiter:
    """Holds requests to one `RateLimit`. The caller gives the time.

    Example:
        >>> limiter = Limiter(RateLimit(requests=2, per=10.0), now=0.0)
        >>> [limiter.judge(tokens=1, now=0.0).wait for _ in range(3)]
        [None, None, 5.0]
    """

    def __init__(self, limit: RateLimit, *, now: float) -> None:
        self.limit = limit
        self._requests = _counter(limit, limit.requests, limit.burst, now)
        self._tokens = _counter(limit, limit.tokens, None, now)

    def judge(self, *, tokens: int, now: float) -> Verdict:
        """Let one request through and count it, or say how long it must wait."""
        needs = ((self._requests, 1), (self._tokens, tokens))
        counted = [(counter, need) for counter, need in needs if counter is not None]
        wait = max(counter.wait(need, now) for counter, need in counted)
        if wait <= 0:
            for counter, need in counted:
                counter.take(need)
        return Verdict(
            wait=wait if wait > 0 else None,
            requests=self._requests.allowed(now) if self._requests else None,
            tokens=self._tokens.allowed(now) if self._tokens else None,
        )


def too_many(limit: RateLimit, wait: float, wall_clock: float) -> Status:
    """Say that a request is above a limit.

    Args:
        limit: The limit.
        wait: Seconds until the request would be let through.
        wall_clock: Seconds since 1970.
    """
    asked = (("requests", limit.requests), ("tokens", limit.tokens))
    allowed = " and ".join(f"{count} {kind}" for kind, count in asked if count)
    return Status(
        429,
        _retry_headers(limit, wait, wall_clock),
        message=f"too much: {allowed} are allowed in {limit.per:g} seconds",
        kind="requests" if limit.requests else "tokens",
        code="rate_limit_exceeded",
    )


def _retry_headers(
    limit: RateLimit, wait: float, wall_clock: float
) -> Mapping[str, str]:
    match limit.retry_after:
        case None:
            return {}
        case "seconds":
            return {"Retry-After": str(math.ceil(wait))}
        case "ms":
            milliseconds = str(math.ceil(wait * 1000))
            return {"Retry-After": str(math.ceil(wait)), "retry-after-ms": milliseconds}
        case "date":
            moment = math.ceil(wall_clock + wait)
            return {"Retry-After": formatdate(moment, usegmt=True)}


_TOLERANCE = 1e-9
"""What adding up fractions may lose: far below one request and one second."""


class _Bucket:
    """Gives back what was taken, evenly."""

    def __init__(self, limit: int, size: float, per: float, now: float) -> None:
        self._limit = limit
        self._size = size
        self._rate = limit / per
        self._level = size
        self._at = now

    def wait(self, need: float, now: float) -> float:
        self._refill(now)
        # More than the bucket ever holds is let through when it is full.
        missing = min(need, self._size) - self._level
        return missing / self._rate if missing > _TOLERANCE else 0.0

    def take(self, need: float) -> None:
        self._level -= need

    def allowed(self, now: float) -> Allowed:
        self._refill(now)
        return Allowed(
            limit=self._limit,
            remaining=max(0, int(self._level + _TOLERANCE)),
            full_in=(self._size - self._level) / self._rate,
        )

    def _refill(self, now: float) -> None:
        gained = max(0.0, now - self._at) * self._rate
        self._level = min(self._size, self._level + gained)
        self._at = max(self._at, now)


class _Window:
    """Gives everything back at the end of each span."""

    def __init__(self, limit: int, per: float, now: float) -> None:
        self._limit = limit
        self._per = per
        self._left = float(limit)
        self._start = now
        # Which span it is, from 0. Counted, so that ends do not drift.
        self._span = 0

    def wait(self, need: float, now: float) -> float:
        self._turn(now)
        fits = min(need, self._limit) <= self._left
        return 0.0 if fits else max(self._ends_in(now), _TOLERANCE)

    def take(self, need: float) -> None:
        self._left -= need

    def allowed(self, now: float) -> Allowed:
        self._turn(now)
        return Allowed(
            limit=self._limit,
            remaining=max(0, int(self._left)),
            full_in=max(self._ends_in(now), 0.0),
        )

    def _ends_in(self, now: float) -> float:
        return self._start + (self._span + 1) * self._per - now

    def _turn(self, now: float) -> None:
        span = int((now - self._start) / self._per)
        if span > self._span:
            self._span = span
            self._left = float(self._limit)


def _counter(
    limit: RateLimit, allowed: int | None, burst: float | None, now: float
) -> _Bucket | _Window | None:
    if allowed is None:
        return None
    if limit.kind == "window":
        return _Window(allowed, limit.per, now)
    return _Bucket(allowed, allowed if burst is None else burst, limit.per, now)
