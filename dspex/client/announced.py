"""A limit that a provider announces in its headers, mirrored here.

Headers tell the past: replies come out of order, and what was sent meanwhile is not in
them. So each is read as of the moment its request was sent, and what was sent after it
is taken off. Between headers the mirror goes on by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from dspex.client.bucket_size import BucketSize
from dspex.client.providers.format import Allowance

RESERVE = 0.04
"""Share of a bucket, or seconds' worth of what fills it if that is more, and one more,
that is left alone: requests overtake each other on their way."""

DOUBT = 0.25
"""Share of a bucket that does not count of what came back while a request was out: its
header may have been written at the end of its way, as when a connection took long."""

_TOLERANCE = 1e-9
"""Relative error of sums of floats that must not cost a wait."""

SHORTEST_SPAN = 1.0
"""Seconds in which a whole limit comes back at least, as far as is believed of few
headers: one that says sooner may be of a bucket that holds less than the limit."""

_FEW = 4
"""How many headers are few: more are believed whatever they say."""

_SURE = 5
"""Headers that must speak against a belief held for long before it is given up."""

_CLOSE = 0.15
"""How far a prediction may be off, as a share of the larger figure."""


class Moment(NamedTuple):
    """When a request was sent, in time and in order."""

    number: int
    """How many were sent before it."""
    at: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """One header."""

    moment: Moment
    limit: int
    remaining: int
    reset_in: float

    def rate(self, size: float) -> float:
        """How fast a bucket of a size fills that says so."""
        if self.reset_in <= 0:
            return 0.0
        return max(0.0, size - self.remaining) / self.reset_in


class AnnouncedLimit:
    """What is left of one limit, of requests or of tokens.

    There are two kinds of limit, and headers do not say which. A *bucket* fills all
    the time, and `reset_in` is how long until it is full: the fill rate is
    `(limit - remaining) / reset_in`. A *window* is full again at one moment, and
    `reset_in` is how long until then. Each new header fits one of the two better; the
    mirror believes what most of the latest fitted. It takes a limit for a bucket
    first, which is the slower belief while little is used. A bucket may hold less than
    the announced limit: see `BucketSize`.

    A window whose end has come is not trusted to be full until a header says so; until
    then it fills like a bucket of the same rate.
    """

    def __init__(self) -> None:
        self._last: _Heard | None = None
        self._votes = 0
        self._bucket_rate = 0.0
        self._bucket = BucketSize()
        self._was_smaller = False
        # How many headers told of the limit as it is.
        self._heard = 0
        self._longest_reset = 0.0
        self._window_ends = 0.0
        # What is left at the time `_at`, from which on it fills by `_rate`.
        self._level = 0.0
        self._at = 0.0
        self._rate = 0.0

    @property
    def limit(self) -> int | None:
        """How many there are in all; `None` while no header has told."""
        return None if self._last is None else self._last.limit

    @property
    def rate(self) -> float | None:
        """How many come back in a second; `None` while no header has told."""
        return self._rate or None

    def left(self, now: float) -> float:
        """How many are left, by the mirror; below 0 when too many were sent."""
        return min(self._size, self._level + self._rate * max(0.0, now - self._at))

    def hear(
        self, told: Allowance, sent: Moment, sent_after: float, now: float
    ) -> None:
        """Take a header in.

        Args:
            told: What it says. One that says nothing of use (no figures, or Azure's -1
                and 0) is ignored, and so is one older than the latest.
            sent: When its request was sent.
            sent_after: What was sent after it, of requests or tokens.
            now: When it came.
        """
        heard = _read(told, sent)
        if heard is None:
            return
        last = self._last
        if last is None or last.limit != heard.limit:
            self._bucket, self._heard = BucketSize(), 0
        self._heard += 1
        self._bucket.hear(heard.limit, heard.remaining, heard.reset_in)
        if last is not None and last.limit == heard.limit:
            if sent.number < last.moment.number:
                return
            self._vote(last, heard)
        else:
            rate = heard.rate(heard.limit)
            self._votes, self._bucket_rate, self._longest_reset = 0, rate, 0.0
        self._last = heard
        self._learn_rates(heard)
        is_quick = now - sent.at < self._longest_reset
        if self._is_window and is_quick:
            self._hear_window(heard, sent_after, now)
        else:
            self._rate = self._window_rate if self._is_window else self._bucket_rate
            if self._is_doubted(heard):
                self._rate = min(self._rate, heard.limit / SHORTEST_SPAN)
            fill = self._rate * (now - sent.at)
            counted = max(0.0, fill - DOUBT * self._size)
            self._level = heard.remaining - sent_after + counted
            self._at = now

    def wait(self, cost: float, now: float) -> float:
        """Seconds until `cost` may be taken; 0 is now.

        What costs more than the whole limit waits until all of it is there. Infinite
        means that all is on its way which is known to be there: how fast it comes back
        is not known until a header tells.
        """
        if self._last is None:
            return 0.0
        size = self._size
        if self._rate <= 0:
            is_full = self._last.remaining == self._last.limit
            return math.inf if is_full and self._level < min(cost, size) else 0.0
        reserve = 0 if self._is_window else int(RESERVE * max(size, self._rate) + 1)
        needed = min(cost + reserve, size)
        missing = needed - self.left(now)
        if missing <= _TOLERANCE * size:
            return 0.0
        return max(0.0, self._at - now) + missing / self._rate

    def take(self, cost: float, now: float) -> None:
        """Take it."""
        if self._last is None:
            # The first header says what is left, whatever was taken before it.
            return
        self._level = self.left(now) - cost
        self._at = max(self._at, now)

    def give_back(self, cost: float, sent: Moment) -> None:
        """Undo `take`, unless a header that came since has told of it already."""
        if self._last is None or self._last.moment.number < sent.number:
            self._level += cost

    @property
    def _is_window(self) -> bool:
        return self._votes > 0

    def _is_doubted(self, heard: _Heard) -> bool:
        """Whether a header promises more than its limit, and too few agree with it."""
        if self._heard >= _FEW or self._bucket.size is not None:
            return False
        # What is missing from a full one was sent by this client, so it is the limit.
        is_ours = heard.limit - heard.remaining <= heard.moment.number + 1
        return not is_ours and heard.rate(heard.limit) * SHORTEST_SPAN > heard.limit

    @property
    def _size(self) -> float:
        """How many there are at most at one time."""
        limit = 0 if self._last is None else self._last.limit
        smaller = None if self._is_window else self._bucket.size
        return float(limit) if smaller is None else smaller

    @property
    def _window_rate(self) -> float:
        if self._last is None or self._longest_reset <= 0:
            return 0.0
        return self._last.limit / self._longest_reset

    def _learn_rates(self, heard: _Heard) -> None:
        self._longest_reset = max(self._longest_reset, heard.reset_in)
        is_smaller = self._bucket.size is not None
        if is_smaller is not self._was_smaller:
            # What was learned for another size was not the rate.
            self._bucket_rate = self._bucket.rate
            self._was_smaller = is_smaller
        size = self._bucket.size or float(heard.limit)
        rate = heard.rate(size)
        if rate > 0:
            # The more is used, the less the rounding of the header's time matters.
            weight = (size - heard.remaining) / size
            weight = weight if self._bucket_rate > 0 else 1.0
            self._bucket_rate += weight * (rate - self._bucket_rate)

    def _hear_window(self, heard: _Heard, sent_after: float, now: float) -> None:
        # The header was written before `now`, so its end is no later than this; the
        # quickest reply of the window knows best.
        latest_end = now + heard.reset_in
        if heard.moment.at < self._window_ends <= now:
            return  # It tells of a window that is over.
        if now >= self._window_ends:
            self._window_ends = latest_end
        self._window_ends = min(self._window_ends, latest_end)
        self._rate = self._window_rate
        # What this window refuses is not taken from the next.
        self._level = max(0.0, heard.remaining - sent_after)
        self._at = self._window_ends

    def _vote(self, before: _Heard, heard: _Heard) -> None:
        """Let a header speak for a bucket or a window, where they differ."""
        size = self._bucket.size or float(heard.limit)
        rate = before.rate(size)
        if rate <= 0:
            return
        as_bucket = max(0.0, size - heard.remaining) / rate
        as_window = before.reset_in - (heard.moment.at - before.moment.at)
        fits_bucket = _is_close(as_bucket, heard.reset_in)
        fits_window = _is_close(as_window, heard.reset_in)
        if fits_bucket != fits_window:
            vote = 1 if fits_window else -1
            self._votes = max(-_SURE, min(_SURE, self._votes + vote))


def _read(told: Allowance, sent: Moment) -> _Heard | None:
    limit, remaining, reset_in = told.limit, told.remaining, told.reset_in
    if limit is None or remaining is None or limit <= 0 or remaining < 0:
        return None
    if reset_in is None or not 0 <= reset_in < float("inf"):
        return None
    return _Heard(sent, limit, min(remaining, limit), reset_in)


def _is_close(predicted: float, told: float) -> bool:
    return abs(predicted - told) <= _CLOSE * max(abs(predicted), told)
