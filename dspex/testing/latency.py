"""How long a fake provider works on a request, as values.

Each turns one throw of the dice into seconds, so a request's latency depends on the
provider's seed and the request's number only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp
from statistics import NormalDist

from dspex.core.errors import ConfigurationError
from dspex.testing._dice import throw

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Steady:
    """Always the same time."""

    seconds: float = 0.0
    """Seconds."""

    def __post_init__(self) -> None:
        """Refuse a negative time."""
        _check(self.seconds >= 0, f"Steady got {self.seconds!r} seconds", "0 or more")

    def seconds_for(self, dice: float) -> float:  # noqa: ARG002 - one signature for all latencies
        """Turn a throw between 0 and 1 into seconds."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class Jitter:
    """Any time between two, each as likely as the other."""

    shortest: float
    """Seconds."""
    longest: float
    """Seconds."""

    def __post_init__(self) -> None:
        """Refuse an empty or negative span."""
        _check(
            0 <= self.shortest <= self.longest,
            f"Jitter got {self.shortest!r} to {self.longest!r} seconds",
            "0 <= shortest <= longest",
        )

    def seconds_for(self, dice: float) -> float:
        """Turn a throw between 0 and 1 into seconds."""
        return self.shortest + dice * (self.longest - self.shortest)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Mostly near the median, now and then much longer, as real providers are."""

    median: float
    """Seconds; half of the requests take less."""
    sigma: float = 0.5
    """Spread: one request in six takes more than `exp(sigma)` medians."""

    def __post_init__(self) -> None:
        """Refuse what is no distribution."""
        _check(
            self.median >= 0 and self.sigma >= 0,
            f"LogNormal got the median {self.median!r} and the sigma {self.sigma!r}",
            "0 or more for both",
        )

    def seconds_for(self, dice: float) -> float:
        """Turn a throw between 0 and 1 into seconds."""
        return self.median * exp(self.sigma * _NORMAL.inv_cdf(dice))


@dataclass(frozen=True, slots=True)
class SlowTail:
    """A share of the requests takes very long, the others what they usually take.

    Example:
        >>> latency = SlowTail(share=0.01, seconds=30.0, otherwise=Steady(0.2))
        >>> [latency.seconds_for(dice) for dice in (0.005, 0.5)]
        [30.0, 0.2]
    """

    share: float
    """Which part of the requests is slow, from 0 to 1."""
    seconds: float
    """How long those take."""
    otherwise: Latency = field(default_factory=Steady)
    """How long the others take; no time unless given."""

    def __post_init__(self) -> None:
        """Refuse a share that is none, and a negative time."""
        _check(
            0 <= self.share <= 1 and self.seconds >= 0,
            f"SlowTail got the share {self.share!r} and {self.seconds!r} seconds",
            "a share from 0 to 1 and 0 seconds or more",
        )

    def seconds_for(self, dice: float) -> float:
        """Turn a throw between 0 and 1 into seconds."""
        if dice < self.share:
            return self.seconds
        # What is left of the throw is spread over the whole range again.
        return self.otherwise.seconds_for((dice - self.share) / (1 - self.share))


Latency = Steady | Jitter | LogNormal | SlowTail
"""What a provider's `latency` can be, besides seconds or a function."""


def latency_by_number(
    latency: float | Callable[[int], float] | Latency, seed: int
) -> Callable[[int], float]:
    """Give every way of saying a latency the form of a function."""
    if isinstance(latency, Steady | Jitter | LogNormal | SlowTail):
        return lambda number: latency.seconds_for(throw(seed, "latency", number))
    if callable(latency):
        return latency
    return lambda _number: latency


def _check(condition: bool, got: str, expected: str) -> None:  # noqa: FBT001 - the condition is what is checked
    if not condition:
        raise ConfigurationError(
            f"{got}; expected {expected}. Correct the latency of the fake provider."
        )
