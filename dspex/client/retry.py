"""Whether and when a failed attempt is made again: one pure function."""

from __future__ import annotations

from dataclasses import dataclass

from dspex.core.errors import ConfigurationError, LMError, LMRateLimitError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patient a client is with one call."""

    retries: int = 2
    """Further attempts after the first."""
    first_wait: float = 0.5
    """The longest wait before the first retry, in seconds; it doubles each time."""
    longest_wait: float = 8.0
    """The longest wait of our own choice, in seconds."""
    longest_retry_after: float = 120.0
    """The longest wait a provider may ask for, in seconds."""
    refusals: int = 20
    """How many rate limits (429) one call bears; it waits for its turn after each.
    After its first, one that only repeats what was just said does not count."""

    def __post_init__(self) -> None:
        """Check that every figure is a sensible one."""
        waits = (self.first_wait, self.longest_wait, self.longest_retry_after)
        counts = (self.retries, self.refusals)
        if any(count < 0 for count in counts) or not all(wait >= 0 for wait in waits):
            raise ConfigurationError(
                f"the retry policy has a negative figure: {self!r}; counts and seconds"
                " start at 0. Use retries=0 for a single attempt."
            )


@dataclass(frozen=True, slots=True)
class RetryIn:
    """Make the attempt again."""

    seconds: float
    """How long to wait first."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The call ends here."""

    error: LMError
    """What to raise: the error of the last attempt."""


def decide(
    error: LMError,
    attempts_made: int,
    policy: RetryPolicy,
    now: float,
    deadline: float | None,
    jitter: float,
    *,
    may_retry: bool = True,
) -> RetryIn | GiveUp:
    """Decide what follows a failed attempt.

    A provider's `retry_after` is honoured as it is; without one the wait is a random
    part of a bound that doubles with each attempt, so that calls which failed together
    do not come back together.

    Args:
        error: How the attempt ended. Its `retryable` says whether a retry makes sense.
        attempts_made: Attempts so far, this one included; at least 1.
        policy: How patient to be.
        now: Monotonic seconds.
        deadline: When the call must have ended, on the same clock, or `None`.
        jitter: A random number in [0, 1].
        may_retry: Whether the provider's `RetryBudget` has room for one more.

    Returns:
        `RetryIn` when there is an attempt left, the error may pass, the budget has
        room, and the wait ends before the deadline. Else `GiveUp`: at once for a
        permanent error, and with the provider's figure on `.retry_after` when it asks
        for more than the policy allows.

    Example:
        >>> from dspex.core.errors import LMAuthError, LMRateLimitError
        >>> busy = LMRateLimitError("busy", retry_after=3.0)
        >>> decide(busy, 1, RetryPolicy(), now=0.0, deadline=None, jitter=0.5)
        RetryIn(seconds=3.0)
        >>> wrong = LMAuthError("wrong key")
        >>> decide(wrong, 1, RetryPolicy(), now=0.0, deadline=None, jitter=0.5)
        GiveUp(error=LMAuthError('wrong key'))
    """
    if not error.retryable or attempts_made > policy.retries or not may_retry:
        return GiveUp(error)
    wait = _wait(error, attempts_made, policy, jitter)
    asks_too_much = (error.retry_after or 0.0) > policy.longest_retry_after
    is_too_late = deadline is not None and now + wait >= deadline
    return GiveUp(error) if asks_too_much or is_too_late else RetryIn(wait)


def decide_refused(
    error: LMRateLimitError,
    refusals: int,
    policy: RetryPolicy,
    now: float,
    deadline: float | None,
) -> RetryIn | GiveUp:
    """Decide what follows a request that met a rate limit (429).

    The provider did no work and the limiter says when the next request goes, so this
    is no retry: it is not charged to the attempts nor to the retry budget.

    Args:
        error: The refusal.
        refusals: How many this call has met that count; at least 1.
        policy: How patient to be.
        now: Monotonic seconds.
        deadline: When the call must have ended, on the same clock, or `None`.

    Returns:
        `RetryIn(0)` for the queue's front, where the limiter holds the call for as
        long as the provider asked. `GiveUp`, with the figure on `.retry_after`, when
        that is more than the policy allows or past the deadline; and for a refusal
        that will not pass or is one too many.
    """
    asked = error.retry_after or 0.0
    asks_too_much = asked > policy.longest_retry_after
    is_too_late = deadline is not None and now + asked >= deadline
    is_final = not error.retryable or refusals > policy.refusals
    return GiveUp(error) if is_final or asks_too_much or is_too_late else RetryIn(0.0)


def _wait(
    error: LMError, attempts_made: int, policy: RetryPolicy, jitter: float
) -> float:
    if error.retry_after is not None:
        return error.retry_after
    # Capped before the power, which would overflow for a policy of 2,000 retries.
    doublings = min(attempts_made - 1, 60)
    bound = min(policy.longest_wait, policy.first_wait * 2.0**doublings)
    return bound * min(max(jitter, 0.0), 1.0)
