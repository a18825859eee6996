"""How many of a provider's calls may be retries: a brake on storms of our own making.

A provider that fails half of what it gets is not helped by three times the load. The
budget is a value that one thread owns; the clock is an argument.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from dspex.core.errors import ConfigurationError

WINDOW = 60
"""Seconds that are looked back on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudgetPolicy:
    """How many retries there may be."""

    share: float = 0.2
    """Retries for each call of the last minute; 0.2 is one for five calls."""
    floor: int = 10
    """Retries a minute that are always allowed, so that a quiet client has some."""

    def __post_init__(self) -> None:
        """Check both figures."""
        if not 0 <= self.share <= 1 or self.floor < 0:
            raise ConfigurationError(
                f"the retry budget makes no sense: {self!r}; share lies between 0 and 1"
                " and floor is at least 0. Correct the figure; share=1.0 with a high"
                " floor is no brake at all."
            )


@dataclass(slots=True)
class _Second:
    """What was sent in one second."""

    number: int
    calls: int = 0
    retries: int = 0


class RetryBudget:
    """The calls and retries of the last minute at one provider.

    A retry is an attempt after a failure of the provider or of the network. A request
    that met a rate limit (429) is none: it goes again when the limiter lets it, which
    adds no load. A request that our own restarts lost is none either.

    It counts by whole seconds, so it looks back on 60 to 61 of them.

    Example:
        >>> budget = RetryBudget(RetryBudgetPolicy(share=0.5, floor=1))
        >>> for _ in range(4):
        ...     budget.called(0.0)
        >>> budget.retried(0.0)
        >>> budget.may_retry(0.0)
        True
        >>> budget.retried(0.0)
        >>> budget.may_retry(0.0)
        False
        >>> budget.may_retry(61.0)
        True
    """

    def __init__(self, policy: RetryBudgetPolicy | None = None) -> None:
        self._policy = policy or RetryBudgetPolicy()
        self._seconds: deque[_Second] = deque()
        # Invariant: the sums over `_seconds`.
        self._calls = 0
        self._retries = 0

    def called(self, now: float) -> None:
        """Count a call's first request."""
        self._second(now).calls += 1
        self._calls += 1

    def retried(self, now: float) -> None:
        """Count a retry, when it is decided on; ask `may_retry` first."""
        self._second(now).retries += 1
        self._retries += 1

    def may_retry(self, now: float) -> bool:
        """Whether one more retry stays within the budget.

        Args:
            now: Monotonic seconds, never less than at the call before.

        Returns:
            `False` means that the failed call should end now, with its own error.
        """
        self._forget(now)
        allowed = max(self._policy.floor, self._policy.share * self._calls)
        return self._retries + 1 <= allowed

    def _second(self, now: float) -> _Second:
        self._forget(now)
        number = int(now // 1)
        if not self._seconds or self._seconds[-1].number != number:
            self._seconds.append(_Second(number))
        return self._seconds[-1]

    def _forget(self, now: float) -> None:
        oldest = now // 1 - WINDOW
        while self._seconds and self._seconds[0].number < oldest:
            gone = self._seconds.popleft()
            self._calls -= gone.calls
            self._retries -= gone.retries
