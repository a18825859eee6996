from collections.abc import Callable

import pybreaker
import pytest

from dspex.client import gate
from dspex.client.channel import ConsumerGoneError
from dspex.client.gate import (
    Gate,
    GatePolicy,
    GateState,
    Permit,
    Refused,
    Verdict,
    verdict_of,
)
from dspex.core import errors

POLICY = GatePolicy(fail_max=2, reset_after=5.0)


def permit(gate: Gate, now: float) -> Permit:
    admitted = gate.admit(now)
    assert isinstance(admitted, Permit)
    return admitted


def opened(at: float = 0.0) -> Gate:
    gate = Gate(POLICY)
    for _ in range(POLICY.fail_max):
        gate.record(permit(gate, at), Verdict.FAILURE, at)
    return gate


def test_failures_in_a_row_open_the_gate() -> None:
    gate = opened(at=10.0)

    assert gate.state(10.0) is GateState.OPEN
    assert gate.open_since == 10.0
    assert gate.admit(12.0) == Refused(3.0)


def test_success_between_failures_keeps_the_gate_closed() -> None:
    gate = Gate(POLICY)

    for verdict in (Verdict.FAILURE, Verdict.SUCCESS, Verdict.FAILURE):
        gate.record(permit(gate, 0.0), verdict, 0.0)

    assert gate.state(0.0) is GateState.CLOSED
    assert gate.open_since is None


def test_neutral_verdict_neither_counts_nor_forgives() -> None:
    gate = Gate(POLICY)

    for verdict in (Verdict.FAILURE, Verdict.NEUTRAL, Verdict.FAILURE):
        gate.record(permit(gate, 0.0), verdict, 0.0)

    assert gate.state(0.0) is GateState.OPEN


def test_half_open_gate_admits_one_probe() -> None:
    gate = opened()

    admitted = [gate.admit(5.0) for _ in range(20)]

    assert [isinstance(one, Permit) for one in admitted] == [True] + [False] * 19


def test_probe_that_succeeds_closes_the_gate() -> None:
    gate = opened()

    gate.record(permit(gate, 5.0), Verdict.SUCCESS, 6.0)

    assert gate.state(6.0) is GateState.CLOSED
    assert gate.open_since is None


def test_probe_that_fails_opens_the_gate_again_and_the_outage_goes_on() -> None:
    gate = opened(at=1.0)

    gate.record(permit(gate, 6.0), Verdict.FAILURE, 7.0)

    assert gate.admit(11.5) == Refused(0.5)
    assert gate.open_since == 1.0
    assert isinstance(gate.admit(12.0), Permit)


def test_neutral_probe_lets_the_next_probe_through() -> None:
    gate = opened()

    gate.record(permit(gate, 5.0), Verdict.NEUTRAL, 5.0)

    assert permit(gate, 5.0).is_probe


@pytest.mark.parametrize("late", list(Verdict))
def test_verdict_from_before_the_trip_is_ignored(late: Verdict) -> None:
    gate = Gate(POLICY)
    old = permit(gate, 0.0)
    for _ in range(POLICY.fail_max):
        gate.record(permit(gate, 0.0), Verdict.FAILURE, 0.0)

    gate.record(old, late, 4.0)

    assert gate.admit(4.5) == Refused(0.5)


def test_verdict_from_before_the_trip_does_not_decide_for_the_probe() -> None:
    gate = Gate(POLICY)
    old = permit(gate, 0.0)
    for _ in range(POLICY.fail_max):
        gate.record(permit(gate, 0.0), Verdict.FAILURE, 0.0)
    permit(gate, 5.0)

    gate.record(old, Verdict.SUCCESS, 6.0)

    assert gate.state(6.0) is GateState.HALF_OPEN
    assert gate.admit(6.0) == Refused(0.0)


def test_voided_permits_say_nothing_and_free_the_probe() -> None:
    gate = opened()
    lost = permit(gate, 5.0)

    gate.void_permits()
    gate.record(lost, Verdict.FAILURE, 6.0)

    assert permit(gate, 6.0).is_probe


@pytest.mark.parametrize(
    "make",
    [
        lambda: GatePolicy(fail_max=0),
        lambda: GatePolicy(reset_after=-1.0),
        lambda: GatePolicy(reset_after=float("nan")),
    ],
)
def test_policy_that_makes_no_sense_is_refused(make: Callable[[], GatePolicy]) -> None:
    with pytest.raises(errors.ConfigurationError, match="gate policy"):
        make()


FAILURES = (
    errors.LMConnectionError("x"),
    errors.LMTimeoutError("x"),
    errors.LMServerError("x", status=503),
    errors.LMResponseError("x"),
    errors.LMStreamError("x"),
)
NEUTRALS = (
    errors.LMServerError("x", status=409),
    errors.LMRateLimitError("x"),
    errors.LMAuthError("x"),
    errors.LMBillingError("x"),
    errors.LMInvalidRequestError("x"),
    errors.ContextWindowExceededError("x"),
    errors.LMCancelledError("x"),
    ConsumerGoneError("x"),
    errors.CircuitOpenError("x"),
    errors.QueueFullError("x"),
    errors.BudgetExceededError("x"),
    # The bases, which a model of somebody's own may raise: they say no cause.
    errors.LMProviderError("x"),
    errors.LMUnexpectedError("x"),
)


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_what_shows_an_unwell_provider_is_a_failure(error: errors.LMError) -> None:
    assert verdict_of(error) is Verdict.FAILURE


@pytest.mark.parametrize("error", NEUTRALS, ids=lambda error: type(error).__name__)
def test_what_shows_nothing_is_neutral(error: errors.LMError) -> None:
    assert verdict_of(error) is Verdict.NEUTRAL


def test_states_are_named_as_pybreaker_names_them() -> None:
    ours = (gate.STATE_CLOSED, gate.STATE_HALF_OPEN, gate.STATE_OPEN)

    assert ours == (
        pybreaker.STATE_CLOSED,
        pybreaker.STATE_HALF_OPEN,
        pybreaker.STATE_OPEN,
    )


def test_every_lm_error_has_a_verdict_on_purpose() -> None:
    tried = {type(error) for error in (*FAILURES, *NEUTRALS)}

    assert tried == descendants(errors.LMError)


def descendants(parent: type[errors.LMError]) -> set[type[errors.LMError]]:
    children = set(parent.__subclasses__())
    return children.union(*(descendants(child) for child in children))
