"""Which request is to meet which fault: decided here, carried out elsewhere.

A rule that says so by chance throws the dice for the request's number, so that a
request's fate does not depend on which thread asked first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from dspex.core.errors import ConfigurationError
from dspex.testing._bill import Billed
from dspex.testing._dice import throw
from dspex.testing.faults import (
    Fault,
    StreamCut,
    StreamError,
    StreamStall,
    StreamUnfinished,
)

On = int | Collection[int] | Callable[[Billed], bool] | None
"""Which requests: a number, several numbers, a predicate, or all of them."""


@dataclass(slots=True, kw_only=True)
class Rule:
    """A fault and the requests it is for."""

    fault: Fault
    """What they meet."""
    on: On
    """Which they are."""
    share: float
    """Which part of them it meets, by chance."""
    spares_retries: bool
    """Whether it lets pass what was tried before."""
    times: int | None
    """How many more times it acts; `None` is always."""
    series: str
    """Names its throws of the dice, so that two rules do not meet the same requests."""
    seed: int
    """The provider's seed."""

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        check_share(self.share)
        if not (self.on is None or isinstance(self.on, int) or callable(self.on)):
            self.on = frozenset(self.on)

    def take(self, billed: Billed, now: float) -> Fault | None:  # noqa: ARG002 - a script needs the time
        """Return the fault when it acts on a request, and count it."""
        if self.times == 0 or not self._applies(billed):
            return None
        if self.times is not None:
            self.times -= 1
        return self.fault

    def _applies(self, billed: Billed) -> bool:
        if not _fits(self.fault, billed) or not _is_on(self.on, billed):
            return False
        if self.spares_retries and billed.attempt > 1:
            return False
        return is_drawn(self.share, self.seed, self.series, billed.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stretch of a script: how the provider behaves, and for how long.

    It lasts for a number of requests or seconds, for what ends first when both are
    given, and for ever when neither is.

    Raises:
        ConfigurationError: When a number makes no sense.
    """

    fault: Fault | None = None
    """What requests meet; `None` is an answer."""
    requests: int | None = None
    """How many requests it lasts for."""
    seconds: float | None = None
    """How many seconds it lasts, from the end of the step before."""
    share: float = 1.0
    """Which part of the requests meets the fault, by chance."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        check_share(self.share)
        has_requests = self.requests is None or self.requests >= 1
        has_time = self.seconds is None or self.seconds > 0
        if not (has_requests and has_time):
            raise ConfigurationError(
                f"a step got requests={self.requests!r} and seconds={self.seconds!r};"
                " expected more than 0. Leave out what does not bound the step."
            )


class Script:
    """Steps one after the other; after the last one it has no say."""

    def __init__(
        self, steps: Sequence[Step], *, now: float, series: str, seed: int
    ) -> None:
        self._steps = list(steps)
        self._began = now
        self._met = 0
        self._series = series
        self._seed = seed

    def take(self, billed: Billed, now: float) -> Fault | None:
        """Count a request and return the fault it meets, if any."""
        self._leave_what_ran_out(now)
        if not self._steps:
            return None
        step = self._steps[0]
        self._met += 1
        if step.requests == self._met:
            self._go_on(now)
        if step.fault is None or not _fits(step.fault, billed):
            return None
        is_met = is_drawn(step.share, self._seed, self._series, billed.number)
        return step.fault if is_met else None

    def _leave_what_ran_out(self, now: float) -> None:
        while self._steps:
            step = self._steps[0]
            runs_out = None if step.seconds is None else self._began + step.seconds
            if runs_out is None or now < runs_out:
                return
            self._go_on(runs_out)

    def _go_on(self, now: float) -> None:
        del self._steps[0]
        self._began = now
        self._met = 0


def check_share(share: float) -> None:
    """Refuse a share outside 0 to 1.

    Raises:
        ConfigurationError: It is outside.
    """
    if not 0 <= share <= 1:
        raise ConfigurationError(
            f"a fault got the share {share!r}; expected a number from 0 to 1, such as"
            " 0.05 for 5 %. Correct share=."
        )


def is_drawn(share: float, seed: int, series: str, number: int) -> bool:
    """Say whether a request is among the share that is met."""
    return share >= 1 or throw(seed, series, number) < share


def _fits(fault: Fault, billed: Billed) -> bool:
    is_for_streams = isinstance(
        fault, StreamCut | StreamError | StreamStall | StreamUnfinished
    )
    return billed.streamed or not is_for_streams


def _is_on(on: On, billed: Billed) -> bool:
    if on is None:
        return True
    if callable(on):
        return on(billed)
    return billed.number == on if isinstance(on, int) else billed.number in on
