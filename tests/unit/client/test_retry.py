from collections.abc import Callable

import pytest

from dspex.client.retry import GiveUp, RetryIn, RetryPolicy, decide, decide_refused
from dspex.core import errors

POLICY = RetryPolicy()


def test_default_is_two_retries() -> None:
    error = errors.LMServerError("down")

    decisions = [decide(error, made, POLICY, 0.0, None, 1.0) for made in (1, 2, 3)]

    assert decisions == [RetryIn(0.5), RetryIn(1.0), GiveUp(error)]


def test_wait_doubles_up_to_its_cap() -> None:
    policy = RetryPolicy(retries=2_000)
    error = errors.LMServerError("down")

    waits = [decide(error, made, policy, 0.0, None, 1.0) for made in (1, 4, 5, 2_000)]

    assert waits == [RetryIn(0.5), RetryIn(4.0), RetryIn(8.0), RetryIn(8.0)]


def test_wait_the_provider_asks_for_is_kept_exactly() -> None:
    error = errors.LMRateLimitError("busy", retry_after=119.5)

    assert decide(error, 1, POLICY, 0.0, None, 0.1) == RetryIn(119.5)


def test_wait_beyond_the_policy_ends_the_call_with_the_figure() -> None:
    error = errors.LMRateLimitError("busy", retry_after=121.0)

    decision = decide(error, 1, POLICY, 0.0, None, 0.1)

    assert decision == GiveUp(error)
    assert error.retry_after == 121.0


def test_wait_that_would_end_at_the_deadline_ends_the_call() -> None:
    error = errors.LMRateLimitError("busy", retry_after=2.0)

    assert decide(error, 1, POLICY, 10.0, 12.0, 0.5) == GiveUp(error)
    assert decide(error, 1, POLICY, 10.0, 12.1, 0.5) == RetryIn(2.0)


@pytest.mark.parametrize(
    "error_class",
    [errors.LMAuthError, errors.LMBillingError, errors.LMInvalidRequestError],
)
def test_permanent_error_ends_the_call_at_once(
    error_class: type[errors.LMError],
) -> None:
    error = error_class("no", retry_after=1.0)

    assert decide(error, 1, POLICY, 0.0, None, 0.5) == GiveUp(error)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RetryPolicy(retries=-1),
        lambda: RetryPolicy(refusals=-1),
        lambda: RetryPolicy(first_wait=-1.0),
        lambda: RetryPolicy(longest_retry_after=float("nan")),
    ],
)
def test_negative_figure_is_refused(make: Callable[[], RetryPolicy]) -> None:
    with pytest.raises(errors.ConfigurationError, match="start at 0"):
        make()


def test_without_room_in_the_budget_a_failed_call_ends_with_its_own_error() -> None:
    error = errors.LMServerError("down")

    assert decide(error, 1, POLICY, 0.0, None, 0.5, may_retry=False) == GiveUp(error)


def test_refused_call_goes_back_to_the_queue_and_the_limiter_holds_it() -> None:
    error = errors.LMRateLimitError("busy", retry_after=120.0)

    decisions = [decide_refused(error, made, POLICY, 0.0, None) for made in (1, 20, 21)]

    assert decisions == [RetryIn(0.0), RetryIn(0.0), GiveUp(error)]


def test_refusal_that_asks_for_too_long_or_past_the_deadline_ends_the_call() -> None:
    error = errors.LMRateLimitError("busy", retry_after=3600.0)
    soon = errors.LMRateLimitError("busy", retry_after=2.0)

    assert decide_refused(error, 1, POLICY, 0.0, None) == GiveUp(error)
    assert decide_refused(soon, 1, POLICY, 10.0, 12.0) == GiveUp(soon)
    assert decide_refused(soon, 1, POLICY, 10.0, 12.1) == RetryIn(0.0)


def test_refusal_that_will_not_pass_ends_the_call() -> None:
    error = errors.LMRateLimitError("no more today")
    error.retryable = False

    assert decide_refused(error, 1, POLICY, 0.0, None) == GiveUp(error)
