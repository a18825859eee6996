"""The pace of requests to a provider whose limit nobody knows, found by its 429s.

As TCP does it (slow start, multiplicative decrease, and the growth of CUBIC): nothing
is held back until the first refusal. Then the pace is cut and grows again, fast up to
the last good one, hardly around it, and faster the longer nothing is refused. It is a
pace and not a number of requests in flight, because 50 requests a second of 20 ms each
are one request in flight.
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

TARGET = 0.97
"""Share of the last good pace up to which it grows fast."""

LEAST_GOOD = 0.25
"""Share of a refused pace that is taken for good, however little came through."""

AGAIN = 0.9
"""What is left of the target when a refusal comes soon after the last."""

SOON = 1.0
"""Seconds of flow that are too few to tell a good pace by."""

FASTEST_DOUBLING = 0.5
"""Seconds of latency below which fast growth is no faster."""

STEADY_FOR = 20.0
"""Seconds after which the pace is one and a half times its target, if not refused."""

ONE_JAM = 0.25
"""Seconds after a cut in which further refusals are still the same jam."""

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
        self._paused_until = -math.inf
        # The last cut: when, how many had been sent, and what happened since.
        self._cut_at = -math.inf
        self._cut_number = 0
        self._answered_since = False
        self._flowing_since = -math.inf
        self._steady_since = -math.inf

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

        Only answers make it grow, and only to requests sent since the last cut, so a
        slow provider is not overrun before it could refuse.

        Args:
            number: How many were sent before it.
            latency: Seconds until it was answered.
            now: Monotonic seconds.
        """
        self._meter.count(now)
        if number < self._cut_number or math.isinf(self._rate):
            return
        self._answered_since = True
        if self._rate < self._target:
            self._rate += 1 / max(latency, FASTEST_DOUBLING)
            self._steady_since = now
        else:
            span = max(STEADY_FOR, 3 * latency)
            growth = 1 + 0.5 * ((now - self._steady_since) / span) ** 3
            self._rate = max(self._rate, growth * self._target)

    def refused(
        self, number: int, sent: int, now: float, retry_after: float | None
    ) -> bool:
        """Cut the pace, once for all that were out when it was cut.

        Args:
            number: How many were sent before the refused one.
            sent: How many have been sent in all.
            now: Monotonic seconds.
            retry_after: Seconds for which the provider wants nothing, if it said so.

        Returns:
            Whether it was news, so that the pace was cut.
        """
        if retry_after is not None:
            self._paused_until = max(self._paused_until, now + retry_after)
        is_news = number >= self._cut_number and now - self._cut_at >= ONE_JAM
        if is_news:
            self._cut(now)
            self._cut_number = sent
        self._flowing_since = max(now, self._paused_until)
        self._next = max(now + 1 / self._rate, self._paused_until)
        return is_news

    def _cut(self, now: float) -> None:
        flow = now - self._flowing_since
        good = self._meter.rate(now, min(_LOOK_BACK, max(SOON, flow)))
        if math.isinf(self._rate):
            # What came through until now was not a steady flow, and says little.
            self._rate = max(FIRST_PACE, CUT * good)
        else:
            self._aim(good, flow, now)
            self._rate = max(SLOWEST, CUT * min(self._rate, good or self._rate))
        self._cut_at = now
        self._answered_since = False

    def _aim(self, good: float, flow: float, now: float) -> None:
        """Learn the last good pace from a refusal."""
        if not self._answered_since:
            return  # It is still the last jam, which says nothing new.
        if flow < SOON:
            self._target *= AGAIN
        elif self._rate < self._target:
            # The pace was growing fast, so only the latest answers count.
            latest = self._meter.rate(now, SOON)
            self._target = TARGET * max(latest, LEAST_GOOD * self._rate)
        else:
            # A provider that saved up for a burst lets more than its limit through for
            # a while, and what came through includes slower moments: the truth lies
            # between.
            self._target = TARGET * (good + self._rate) / 2
