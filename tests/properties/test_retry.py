"""What holds for every retry decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.retry import GiveUp, RetryIn, RetryPolicy, decide
from dspex.core import errors

seconds = st.floats(0, 1_000)
classes = st.sampled_from(
    [
        errors.LMConnectionError,
        errors.LMTimeoutError,
        errors.LMRateLimitError,
        errors.LMServerError,
        errors.LMResponseError,
        errors.LMAuthError,
        errors.LMInvalidRequestError,
        errors.LMCancelledError,
    ]
)
failures = st.builds(
    lambda kind, wait: kind("x", retry_after=wait), classes, st.none() | seconds
)
policies = st.builds(
    RetryPolicy,
    retries=st.integers(0, 5),
    first_wait=seconds,
    longest_wait=seconds,
    longest_retry_after=seconds,
)


@given(
    error=failures,
    made=st.integers(1, 8),
    policy=policies,
    now=seconds,
    left=st.none() | seconds,
    jitter=st.floats(0, 1),
)
def test_retry_keeps_every_limit(
    error: errors.LMError,
    made: int,
    policy: RetryPolicy,
    now: float,
    left: float | None,
    jitter: float,
) -> None:
    deadline = None if left is None else now + left

    decision = decide(error, made, policy, now, deadline, jitter)

    if isinstance(decision, GiveUp):
        assert decision.error is error
        return
    assert error.retryable
    assert made <= policy.retries
    assert decision.seconds >= 0
    assert deadline is None or now + decision.seconds < deadline
    if error.retry_after is None:
        assert decision.seconds <= policy.longest_wait
    else:
        assert decision.seconds == error.retry_after <= policy.longest_retry_after


@given(error=failures, policy=policies, jitter=st.floats(0, 1))
def test_passing_error_without_deadline_is_retried_while_attempts_are_left(
    error: errors.LMError, policy: RetryPolicy, jitter: float
) -> None:
    bearable = (error.retry_after or 0.0) <= policy.longest_retry_after

    decision = decide(error, 1, policy, 0.0, None, jitter)

    expected = error.retryable and policy.retries >= 1 and bearable
    assert isinstance(decision, RetryIn) == expected


@given(policy=policies, jitters=st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_wait_grows_with_jitter_and_attempts(
    policy: RetryPolicy, jitters: list[float]
) -> None:
    error = errors.LMServerError("x")
    less, more = sorted(jitters)
    patient = RetryPolicy(
        retries=10, first_wait=policy.first_wait, longest_wait=policy.longest_wait
    )

    def wait(made: int, jitter: float) -> float:
        decision = decide(error, made, patient, 0.0, None, jitter)
        assert isinstance(decision, RetryIn)
        return decision.seconds

    assert wait(1, less) <= wait(1, more) <= wait(2, more)
    assert wait(1, 1.0) == pytest.approx(min(policy.first_wait, policy.longest_wait))
