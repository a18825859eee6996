import math

import pytest

from dspex.client.gate import (
    Gate,
    GatePolicy,
    GateState,
    GateView,
    Permit,
    Refused,
    Verdict,
)

POLICY = GatePolicy(fail_max=2, reset_after=5.0)


def permit(gate: Gate, now: float) -> Permit:
    admitted = gate.admit(now)
    assert isinstance(admitted, Permit)
    return admitted


def test_gate_forced_open_stays_open_until_it_is_forced_elsewhere() -> None:
    gate = Gate(POLICY)

    gate.force_open(1.0)

    assert gate.admit(1e6) == Refused(math.inf)
    assert gate.open_since == 1.0
    gate.force_closed(1e6)
    assert gate.state(1e6) is GateState.CLOSED
    assert gate.open_since is None


def test_gate_held_open_for_a_time_probes_when_it_is_over() -> None:
    gate = Gate(POLICY)

    gate.force_open(1.0, hold=30.0)

    assert gate.admit(30.0) == Refused(1.0)
    assert permit(gate, 31.0).is_probe


def test_gate_opened_without_a_hold_goes_on_as_if_it_had_tripped() -> None:
    gate = Gate(POLICY)

    gate.force_open(1.0, hold=None)

    assert gate.admit(2.0) == Refused(4.0)
    assert permit(gate, 6.0).is_probe


def test_gate_held_closed_is_moved_by_no_failure_until_the_hold_ends() -> None:
    gate = Gate(POLICY)
    gate.force_closed(0.0, hold=10.0)
    for _ in range(POLICY.fail_max):
        gate.record(permit(gate, 9.9), Verdict.FAILURE, 9.9)
    assert gate.state(9.9) is GateState.CLOSED

    for _ in range(POLICY.fail_max):
        gate.record(permit(gate, 10.0), Verdict.FAILURE, 10.0)

    assert gate.admit(12.0) == Refused(3.0)


def test_gate_forced_closed_has_forgotten_its_failures() -> None:
    gate = Gate(POLICY)
    gate.record(permit(gate, 0.0), Verdict.FAILURE, 0.0)

    gate.force_closed(1.0)
    gate.record(permit(gate, 2.0), Verdict.FAILURE, 2.0)

    assert gate.state(2.0) is GateState.CLOSED


@pytest.mark.parametrize(
    ("verdict", "after"),
    [
        (Verdict.SUCCESS, GateState.CLOSED),
        (Verdict.FAILURE, GateState.OPEN),
        (Verdict.NEUTRAL, GateState.HALF_OPEN),
    ],
)
def test_gate_forced_half_open_asks_one_probe_and_follows_its_verdict(
    verdict: Verdict, after: GateState
) -> None:
    gate = Gate(POLICY)
    gate.force_open(0.0)

    gate.force_half_open(1.0)
    probe = permit(gate, 1.0)
    assert gate.admit(1.0) == Refused(0.0)
    gate.record(probe, verdict, 2.0)

    assert probe.is_probe
    assert gate.state(2.0) is after


def test_gate_held_half_open_lets_one_call_after_the_other_through() -> None:
    gate = Gate(POLICY)
    gate.force_half_open(0.0, hold=10.0)

    for verdict in (Verdict.SUCCESS, Verdict.FAILURE):
        probe = permit(gate, 1.0)
        assert gate.admit(1.0) == Refused(0.0)
        gate.record(probe, verdict, 2.0)

    assert gate.state(2.0) is GateState.HALF_OPEN
    gate.record(permit(gate, 10.0), Verdict.SUCCESS, 10.0)
    assert gate.state(10.0) is GateState.CLOSED


@pytest.mark.parametrize("late", list(Verdict))
def test_verdict_from_before_the_hand_came_is_ignored(late: Verdict) -> None:
    gate = Gate(POLICY)
    old = permit(gate, 0.0)

    gate.force_open(1.0, hold=None)
    gate.record(old, late, 2.0)

    assert gate.admit(3.0) == Refused(3.0)


def test_view_shows_a_gate_to_people() -> None:
    gate = Gate(POLICY)
    gate.record(permit(gate, 0.0), Verdict.FAILURE, 0.0)
    assert gate.view(1.0) == GateView(
        state=GateState.CLOSED,
        failures=1,
        is_probing=False,
        retry_in=None,
        open_since=None,
        held=False,
        held_for=None,
    )

    gate.force_open(1.0, hold=10.0)

    view = gate.view(4.0)
    assert (view.state, view.held, view.held_for) == (GateState.OPEN, True, 7.0)
    assert (view.retry_in, view.open_since) == (7.0, 1.0)
    permit(gate, 11.0)
    assert gate.view(11.0).is_probing
    assert not gate.view(11.0).held


def test_gate_keeps_to_another_policy_from_then_on() -> None:
    gate = Gate(POLICY)

    gate.obey(GatePolicy(fail_max=1, reset_after=9.0))
    gate.record(permit(gate, 0.0), Verdict.FAILURE, 0.0)

    assert gate.admit(1.0) == Refused(8.0)


def test_another_policy_leaves_an_open_gate_open() -> None:
    gate = Gate(GatePolicy(fail_max=1, reset_after=5.0))
    gate.record(permit(gate, 0.0), Verdict.FAILURE, 0.0)

    gate.obey(GatePolicy(fail_max=3, reset_after=2.0))

    assert gate.admit(1.0) == Refused(1.0)
    assert permit(gate, 2.0).is_probe
