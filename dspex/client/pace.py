"""The pace of requests to a provider whose limit nobody knows, found by 429s.

As TCP does it: nothing is held back until the first refusal; then the pace is cut and
grows again, fast up to the last good one and slowly beyond it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

FIRST_PACE = 4.0
"""Requests per second after the first refusal, when less than that got through."""

SLOWEST = 1 / 60
"""Requests per second that are tried however many are refused."""

CUT = 0.5
"""What a refusal leaves of the pace."""

TARGET = 0.9
"""Share of the last good pace up to which it grows fast."""

FASTEST_DOUBLING = 0.5
"""Seconds of latency below which fast growth is no faster."""

STEADY_GROWTH = 0.03
"""Growth beyond the target in a second, as a share of the target."""

BEYOND = 1.5
"""A pace of so many times the target says that the limit has moved: grow fast again."""

CATCH_UP = 0.05
"""Seconds of the pace that may be made up for at once, when a timer was late."""

_SLOT = 0.25
"""Seconds that are counted together."""

_LOOK_BACK = 10.0
"""Seconds over which answers are counted."""


@dataclass(slots=True)
class _Slot:
    number: int
    answers: int = 0


class _Meter:
    """How many answers came lately."""

    def __init__(self) -> None:
        self._slots: deque[_Slot] = deque()

    def count(self, now: float) -> None:
        number = int(now // _SLOT)
        if not self._slots or self._slots[-1].number != number:
            self._slots.append(_Slot(number))
        self._slots[-1].answers += 1
        while self._slots[0].number < number - _LOOK_BACK / _SLOT:
            self._slots.popleft()

    def rate(self, now: float, span: float) -> float:
        """Answers per second over the last `span` seconds."""
        oldest = (now - span) // _SLOT
        return sum(slot.answers for slot in self._slots if slot.number > oldest) / span


class Pace:
    """How fast requests may follow each other."""

    def __init__(self) -> None:
        self._meter = _Meter()
        self._rate = math.inf
        self._target = math.inf
        self._next = -math.inf
        self._cut_at = -math.inf
        self._cut_number = -1
        self._paused_until = -math.inf

    @property
    def rate(self) -> float | None:
        """Requests per second; `None` while nothing has been refused."""
        return None if math.isinf(self._rate) else self._rate

    def paused_for(self, now: float) -> float:
        """Seconds of the pause that a provider asked for which are left."""
        return max(0.0, self._paused_until - now)

    def wait(self, now: float) -> float:
        """Seconds until the pace lets a request go; 0 is now."""
        return max(0.0, self._next - now)

    def take(self, now: float) -> None:
        """Note that a request goes."""
        self._next = max(self._next, now - CATCH_UP) + 1 / self._rate

    def answered(self, number: int, latency: float, now: float) -> None:
        """Let the pace grow: a request was not refused.

        Args:
            number: How many were sent before it.
            latency: Seconds until it was answered.
            now: Monotonic seconds.
        """
        self._meter.count(now)
        if number < self._cut_number or math.isinf(self._rate):
            return
        if self._target <= self._rate < BEYOND * self._target:
            self._rate += STEADY_GROWTH * self._target / self._rate
        else:
            self._rate += 1 / max(latency, FASTEST_DOUBLING)

    def refused(
        self, number: int, next_number: int, now: float, retry_after: float | None
    ) -> None:
        """Cut the pace, once for all that were out when it was cut.

        Args:
            number: How many were sent before the refused one.
            next_number: How many have been sent in all.
            now: Monotonic seconds.
            retry_after: Seconds for which the provider wants nothing, if it said so.
        """
        if retry_after is not None:
            self._paused_until = max(self._paused_until, now + retry_after)
        if number >= self._cut_number:
            self._cut(now)
            self._cut_number = next_number
        self._next = max(now + 1 / self._rate, self._paused_until)

    def _cut(self, now: float) -> None:
        span = min(_LOOK_BACK, max(1.0, now - self._cut_at))
        good = self._meter.rate(now, span)
        if math.isinf(self._rate):
            # What came through until now was not a steady flow, and says little.
            self._rate = max(FIRST_PACE, CUT * good)
        else:
            last_good = min(self._rate, max(good, self._rate / 4))
            self._target = TARGET * last_good
            self._rate = max(SLOWEST, CUT * last_good)
        self._cut_at = now
