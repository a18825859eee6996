"""Providers with rate limits, and a client with callers, in virtual time.

Everything here is arithmetic over a heap of events: a minute of a provider's life takes
a fraction of a second, and a seed gives the same life again.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from dspex.client.dispatch import UNPROVEN
from dspex.client.limits import Limiter, LimitPolicy
from dspex.client.providers.format import Allowance, RateLimits

LATE = 0.002
"""Seconds by which a timer may be late, at most."""


class Meter(Protocol):
    """How a provider counts."""

    def take(self, now: float) -> bool:
        """Whether a request that arrives now is within the limit."""

    def told(self, now: float) -> Allowance:
        """What the headers say now."""

    def ideal(self, requests: int, fastest: float) -> float:
        """Seconds that so many requests need at least, at a `fastest` rate."""


class Bucket:
    """A token bucket, full at first.

    Args:
        rate: How many come back in a second.
        burst: How many it holds.
        limit: What the headers call the limit; `burst` unless given.
    """

    def __init__(self, rate: float, burst: int, limit: int | None = None) -> None:
        self._rate, self._burst = rate, burst
        self._limit = burst if limit is None else limit
        self._level, self._at = float(burst), 0.0

    def take(self, now: float) -> bool:
        self._fill(now)
        if self._level < 1:
            return False
        self._level -= 1
        return True

    def told(self, now: float) -> Allowance:
        self._fill(now)
        left = int(self._level)
        return Allowance(
            limit=self._limit,
            remaining=left,
            reset_in=(self._burst - self._level) / self._rate,
        )

    def ideal(self, requests: int, fastest: float) -> float:
        return max(requests / fastest, (requests - self._burst) / self._rate)

    def _fill(self, now: float) -> None:
        self._level += (now - self._at) * self._rate
        self._level = min(float(self._burst), self._level)
        self._at = now


class Window:
    """So many in each fixed window; the first began some time ago."""

    def __init__(self, limit: int, seconds: float, phase: float) -> None:
        self._limit, self._seconds, self._phase = limit, seconds, phase
        self._number, self._used = -1, 0

    def take(self, now: float) -> bool:
        self._turn(now)
        self._used += 1
        return self._used <= self._limit

    def told(self, now: float) -> Allowance:
        self._turn(now)
        end = (self._number + 1) * self._seconds - self._phase
        left = max(0, self._limit - self._used)
        return Allowance(limit=self._limit, remaining=left, reset_in=end - now)

    def ideal(self, requests: int, fastest: float) -> float:
        first = min(self._limit, fastest * (self._seconds - self._phase), requests)
        if first == requests:
            return requests / fastest
        each = min(self._limit, fastest * self._seconds)
        windows = math.ceil((requests - first) / each) - 1
        last = requests - first - windows * each
        return self._seconds - self._phase + windows * self._seconds + last / fastest

    def _turn(self, now: float) -> None:
        number = int((now + self._phase) // self._seconds)
        if number != self._number:
            self._number, self._used = number, 0


class Unlimited:
    """No limit at all."""

    def take(self, now: float) -> bool:
        return True

    def told(self, now: float) -> Allowance:
        return Allowance()

    def ideal(self, requests: int, fastest: float) -> float:
        return requests / fastest


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One life of a provider and its callers."""

    meter: Callable[[random.Random], Meter]
    """Makes its way of counting."""
    announced: bool
    """Whether headers tell of the limit."""
    told_late: bool = False
    """Whether headers are written when the reply is, not when the request came."""
    retry_after: bool = False
    """Whether a 429 says when to come back, in whole seconds."""
    latency: float = 0.2
    """Seconds of an answer, on average; a fifth more or less."""
    callers: int = 64
    """How many wait for an answer at once."""
    requests: int = 3000
    """How many there are in all."""
    arrivals: float | None = None
    """Requests per second that come by themselves, instead of from the callers."""
    seed: int = 0
    """Of all that is left to chance."""
    has_key: bool = True
    """Whether few are out, as in the dispatcher, until the key was taken once."""
    policy: LimitPolicy = field(default_factory=LimitPolicy)
    """What the client allows itself."""


@dataclass(slots=True)
class Life:
    """What came of it."""

    ideal: float
    """Seconds that were needed at least."""
    seconds: float = 0.0
    """Seconds it took."""
    answered: int = 0
    """Requests that were answered."""
    refused: int = 0
    """How many 429s there were."""
    most_refusals: int = 0
    """How many 429s the unluckiest request met that count."""
    wakes: int = 0
    """How often the client looked again because of a timer."""
    sent: list[float] = field(default_factory=list)
    """When each request was sent."""

    @property
    def ratio(self) -> float:
        """The time it took, in ideal times."""
        return self.seconds / self.ideal if self.ideal else math.inf

    @property
    def waste(self) -> float:
        """429s for each answer."""
        return self.refused / max(1, self.answered)


class World:
    """A client with its limiter, its callers, and the provider."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._chance = random.Random(case.seed)
        self._meter = case.meter(self._chance)
        self._limiter = Limiter(case.policy)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._ids = itertools.count()
        self._queue: deque[int] = deque()
        self._refusals = [0] * case.requests
        self._fresh = iter(range(case.requests))
        self._wake_at = math.inf
        self._is_proven = False
        self.now = 1000.0
        self._began = self.now
        fastest = case.arrivals or case.callers / case.latency
        self.life = Life(ideal=self._meter.ideal(case.requests, fastest))

    def live(self, longest: float = 3600.0) -> Life:
        """Run until every request is answered, or for so many seconds."""
        if self._case.arrivals is None:
            for _ in range(self._case.callers):
                self._arrive()
        else:
            self._arrive_later()
        self._pump()
        while self._events and self.life.answered < self._case.requests:
            self.now, _, act = heapq.heappop(self._events)
            if self.now > self._began + longest:
                break
            act()
        self.life.seconds = self.now - self._began
        return self.life

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), act))

    def _arrive(self) -> bool:
        one = next(self._fresh, None)
        if one is not None:
            self._queue.append(one)
        return one is not None

    def _arrive_later(self) -> None:
        if self._arrive():
            rate = self._case.arrivals or 1.0
            self._later(self._chance.expovariate(rate), self._arrive_later)
            self._pump()

    def _pump(self) -> None:
        while self._queue and self._limiter.in_flight < self._places():
            request_id = str(next(self._ids))
            wait = self._limiter.admit(request_id, 100, self.now)
            if wait is not None:
                self._look_again_in(wait.seconds)
                return
            self._send(request_id, self._queue.popleft())

    def _places(self) -> float:
        is_unproven = self._case.has_key and not self._is_proven
        return UNPROVEN if is_unproven else math.inf

    def _look_again_in(self, seconds: float) -> None:
        if self.now + seconds < self._wake_at:
            wake_at = self._wake_at = self.now + seconds
            late = self._chance.uniform(0, LATE)
            self._later(seconds + late, lambda: self._wake(wake_at))

    def _wake(self, due: float) -> None:
        # A timer that was overtaken by an earlier one does nothing, or each would
        # start another.
        if due == self._wake_at:
            self.life.wakes += 1
            self._wake_at = math.inf
            self._pump()

    def _send(self, request_id: str, one: int) -> None:
        self.life.sent.append(self.now)
        latency = self._case.latency * self._chance.uniform(0.8, 1.2)
        way = min(latency / 4, 0.02) * self._chance.uniform(0.5, 1.5)

        def come() -> None:
            good = self._meter.take(self.now - self._began)
            told = self._meter.told(self.now - self._began)
            stay = max(0.0, latency - 2 * way) if good else 0.0
            self._later(
                stay + way, lambda: self._come_back(request_id, one, good, told)
            )

        self._later(way, come)

    def _come_back(
        self, request_id: str, one: int, good: bool, told: Allowance
    ) -> None:
        if self._case.told_late and good:
            told = self._meter.told(self.now - self._began)
        self._is_proven = True
        if self._case.announced:
            self._limiter.learn(request_id, RateLimits(requests=told), self.now)
        if good:
            self._limiter.settle(request_id, self.now, tokens=100)
            self.life.answered += 1
            if self._case.arrivals is None:
                self._arrive()
        else:
            wait = 1.0 if self._case.retry_after else None
            is_news = self._limiter.refused(request_id, self.now, retry_after=wait)
            self.life.refused += 1
            self._refusals[one] += is_news or not self._refusals[one]
            self.life.most_refusals = max(self._refusals[one], self.life.most_refusals)
            self._queue.appendleft(one)
        self._pump()
