"""Something every example needs is not there: when hand-out pauses and goes on.

A provider behind an open breaker or one that asks for an hour without requests, a model
server that is down, a full disk: to hand out more would only burn examples. So the
first attempt that fails for such a reason pauses the hand-out. What was in flight fails
or waits; what failed is tried again afterwards, uncharged. One attempt at a time looks
whether it is over, so an outage costs at most as many extra attempts as there were
workers, besides those looks.

Holds no clock and no actor. One thread owns a watch: the coordinator's.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from dspex.client.standing import OpenBreaker
from dspex.core.errors import (
    CircuitOpenError,
    LMConnectionError,
    LMRateLimitError,
    LMResponseError,
    LMServerError,
    LMTimeoutError,
)
from dspex.evaluate.results.outcome import OutcomeKind

LaneName = tuple[str, str]
"""A provider as its client calls it, and a model as the provider does."""

LOOK_EVERY: Final = 0.2
"""Seconds between two looks, at least."""

LOOK_WITHIN: Final = 5.0
"""Seconds in which somebody can have looked once, whatever `max_outage` is."""

DOUBTFUL: Final = (OutcomeKind.INFRASTRUCTURE, OutcomeKind.TIMEOUT)
"""Outcomes that may come of an outage."""

_UNWELL = (LMConnectionError, LMServerError, LMResponseError, LMTimeoutError)
"""What a provider that is down lets calls fail with, and so may one call alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """An attempt failed, and every other would fail the same way now."""

    what: str
    """What is not there."""
    text: str
    """What was said of it."""
    down_for: float = 0.0
    """Seconds for which it has been so already."""
    retry_in: float = 0.0
    """Seconds until looking again makes sense."""
    is_told: bool = False
    """Whether the provider said so itself (`Retry-After`), and will not be back
    before."""
    error: BaseException | None = field(default=None, repr=False, compare=False)
    """What it was raised with."""


def sign_of(
    error: BaseException | None, breakers: Mapping[LaneName, OpenBreaker]
) -> Sign | None:
    """Say whether an error is a sign of an outage, and not one call's bad luck.

    A failed call is a sign only while its provider's breaker is open.

    Args:
        error: What an attempt failed with.
        breakers: The open breakers at this moment, by `LMError.lane`.

    Example:
        >>> error = LMServerError("broken", model="openai/m")
        >>> error.lane = ("openai at https://api.openai.com/v1", "m")
        >>> sign_of(error, {}) is None
        True
        >>> breaker = OpenBreaker(model="m", open_for=2.0, retry_in=3.0)
        >>> sign_of(error, {error.lane: breaker}).retry_in
        3.0
    """
    if isinstance(error, CircuitOpenError):
        return Sign(
            what=error.model or "the provider",
            text=str(error),
            down_for=error.down_for,
            retry_in=error.retry_in,
            error=error,
        )
    if isinstance(error, LMRateLimitError) and error.puts_off:
        return Sign(
            what=error.model or "the provider",
            text=str(error),
            retry_in=error.retry_after or 0.0,
            is_told=True,
            error=error,
        )
    if not isinstance(error, _UNWELL):
        return None
    breaker = None if error.lane is None else breakers.get(error.lane)
    if breaker is None:
        return None
    return Sign(
        what=error.model or "the provider",
        text=str(error),
        down_for=breaker.open_for,
        retry_in=breaker.retry_in,
        error=error,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """An outage at one moment."""

    what: str
    """What is not there."""
    text: str
    """What was said of it last."""
    began: float
    """When, in monotonic seconds; before anybody noticed, if that is known."""
    noticed: float
    """When somebody did."""
    failed_looks: int = 0
    """How often it was looked whether it is over, and it was not."""
    look_at: float = math.inf
    """When the next attempt may look whether it is over; infinite when somebody else
    says so."""
    is_told: bool = False
    """Whether the provider has said that it is not over before then."""
    error: BaseException | None = field(default=None, repr=False, compare=False)
    """What it was raised with last."""


class OutageWatch:
    """Whether work may be handed out.

    Args:
        max_outage: Seconds after which an outage ends the run.

    Example:
        >>> watch = OutageWatch(max_outage=30.0)
        >>> watch.room(0.0)
        0.0
        >>> watch.failed(17, Sign(what="openai", text="down", retry_in=5.0), 100.0)
        >>> watch.room(101.0), watch.room(105.0)
        (4.0, 0.0)
        >>> watch.begins(17, 105.0)
        >>> watch.room(106.0)
        inf
        >>> watch.ended(17)
        >>> watch.room(107.0)
        0.0
    """

    def __init__(self, max_outage: float) -> None:
        self._max_outage = max_outage
        self._outages: dict[str, Outage] = {}
        self._probe: Hashable | None = None

    @property
    def outages(self) -> tuple[Outage, ...]:
        """Those that go on now, the oldest first."""
        return tuple(sorted(self._outages.values(), key=lambda each: each.began))

    @property
    def is_on(self) -> bool:
        """Whether there is one."""
        return bool(self._outages)

    @property
    def ends_run_at(self) -> float:
        """When it will have lasted too long; infinite without an outage."""
        return min(map(self._ends_run_at, self._outages.values()), default=math.inf)

    def too_long(self, now: float) -> Outage | None:
        """The outage that ends the run now, if one does."""
        over = (each for each in self.outages if now >= self._ends_run_at(each))
        return next(over, None)

    def _ends_run_at(self, outage: Outage) -> float:
        if outage.is_told and outage.look_at > outage.noticed + self._max_outage:
            # It is in vain to wait for its end, but not for answers that are under way.
            return outage.noticed + min(self._max_outage, LOOK_WITHIN)
        if outage.failed_looks or math.isinf(outage.look_at):
            return outage.began + self._max_outage
        # It may be one of long ago that is over; somebody of this run has to look.
        return outage.noticed + max(self._max_outage, LOOK_WITHIN)

    def failed(self, key: Hashable, sign: Sign, now: float) -> None:
        """Note that an attempt failed for an outage, which may begin it.

        Args:
            key: What the attempt was at.
            sign: Why it failed.
            now: Monotonic seconds.
        """
        looked = key == self._probe
        if looked:
            self._probe = None
        look_at = now + max(LOOK_EVERY, sign.retry_in)
        self._note(sign, now, look_at=look_at, looked=looked)

    def hold(self, sign: Sign, now: float) -> None:
        """Note an outage whose end somebody will say with `release`."""
        self._note(sign, now, look_at=math.inf)

    def release(self, what: str) -> None:
        """Note the end of such an outage. Harmless when there is none."""
        self._outages.pop(what, None)

    def count_from(self, now: float) -> None:
        """Count the length of what goes on from now, as if it had just begun."""
        self._outages = {
            what: replace(each, began=now, noticed=now)
            for what, each in self._outages.items()
        }

    def room(self, now: float) -> float:
        """Seconds until an attempt may begin: 0 for now, infinite for "when told"."""
        if not self._outages:
            return 0.0
        if self._probe is not None:
            return math.inf
        look_at = max(each.look_at for each in self._outages.values())
        return max(0.0, look_at - now)

    def begins(self, key: Hashable, now: float) -> None:
        """Note that an attempt begins. During an outage it is the one that looks."""
        if self._outages and self.room(now) <= 0:
            self._probe = key

    def ended(self, key: Hashable) -> None:
        """Note that an attempt came to an end that is no sign of an outage.

        That of the one that looked ends all outages but those that are held.
        """
        if key != self._probe:
            return
        self._probe = None
        self._outages = {
            what: each
            for what, each in self._outages.items()
            if each.look_at == math.inf
        }

    def lost(self, key: Hashable) -> None:
        """Note that an attempt came to no end: its worker died, or was given up."""
        if key == self._probe:
            self._probe = None

    def _note(
        self, sign: Sign, now: float, *, look_at: float, looked: bool = False
    ) -> None:
        began = now - sign.down_for
        known = self._outages.get(sign.what)
        if known is None:
            known = Outage(what=sign.what, text=sign.text, began=began, noticed=now)
        self._outages[sign.what] = replace(
            known,
            text=sign.text,
            began=min(began, known.began),
            failed_looks=known.failed_looks + looked,
            look_at=look_at,
            is_told=sign.is_told,
            error=sign.error,
        )
