"""A limit per minute that the user set: kept in every minute, and spread over it."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

MINUTE = 60.0
"""Seconds of the window."""

BURST = 5.0
"""Seconds' worth of the limit that may go at once after a pause."""

_TOLERANCE = 1e-9
"""Relative error of sums of floats that must not cost a wait."""


@dataclass(slots=True)
class _Spent:
    """What one request took."""

    expires: float
    cost: int


class MinuteLimit:
    """At most `limit` in any minute, of requests or of tokens.

    Two rules hold at once. A sliding log of what was taken keeps the promise exactly,
    which a token bucket alone cannot without giving up a part of the rate. A bucket of
    five seconds' worth in front of it spreads the rest: 30 requests a minute are two at
    once and then one every two seconds, not thirty in the first second and none for
    the next 59.

    What costs more than the whole limit passes alone, when nothing else was taken
    within the minute, and the next waits for as long as it takes to make up for it.

    Args:
        limit: Requests or tokens a minute, at least 1.
    """

    def __init__(self, limit: int) -> None:
        # Invariant: `_used` is the sum over `_log`, which is in order of time.
        self._log: OrderedDict[str, _Spent] = OrderedDict()
        self._used = 0
        # The bucket's level at the time `_at`; full at the first look.
        self._level = 0.0
        self._at = -math.inf
        self.limit = limit

    @property
    def _burst(self) -> float:
        return max(1.0, self.limit * BURST / MINUTE)

    def used(self, now: float) -> int:
        """What was taken within the last minute."""
        self._refresh(now)
        return self._used

    def wait(self, cost: int, now: float) -> float:
        """Seconds until `cost` may be taken; 0 is now."""
        self._refresh(now)
        return max(self._wait_for_window(cost, now), self._wait_for_pace(cost))

    def take(self, request_id: str, cost: int, now: float) -> None:
        """Take it, after `wait` has said 0."""
        self._refresh(now)
        self._log[request_id] = _Spent(now + MINUTE, cost)
        self._used += cost
        self._level -= cost

    def settle(self, request_id: str, cost: int) -> None:
        """Put what a request really took in the place of what was taken for it."""
        spent = self._log.get(request_id)
        if spent is not None:
            self._used += cost - spent.cost
            self._level = min(self._burst, self._level + spent.cost - cost)
            spent.cost = cost

    def resize(self, limit: int, now: float) -> None:
        """Change the limit; what was taken within the last minute still counts."""
        self._refresh(now)
        self.limit = limit

    def give_back(self, request_id: str, now: float) -> None:
        """Undo `take`: the request was never sent."""
        self._refresh(now)
        self.settle(request_id, 0)
        self._log.pop(request_id, None)

    def _refresh(self, now: float) -> None:
        while self._log:
            request_id = next(iter(self._log))
            if self._log[request_id].expires > now:
                break
            self._used -= self._log.pop(request_id).cost
        if not self._log:
            self._used = 0
        self._level += self.limit * (now - self._at) / MINUTE
        self._level = min(self._burst, self._level)
        self._at = now

    def _wait_for_window(self, cost: int, now: float) -> float:
        excess = self._used + min(cost, self.limit) - self.limit
        if excess <= 0:
            return 0.0
        for spent in self._log.values():
            excess -= spent.cost
            if excess <= 0:
                return spent.expires - now
        return 0.0

    def _wait_for_pace(self, cost: int) -> float:
        missing = min(cost, self._burst) - self._level
        if missing <= _TOLERANCE * self._burst:
            return 0.0
        return missing * MINUTE / self.limit
