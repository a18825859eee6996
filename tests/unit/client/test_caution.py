"""Failures take places away until something sent after them is answered."""

from __future__ import annotations

import pytest

from dspex.client.caution import Caution
from dspex.client.gate import GatePolicy, GateState, Permit, Refused, Verdict
from dspex.client.ledger import Lane, OpenAttempt
from dspex.client.options import ClientOptions

EVERY = 5.0
FAILURES = 5
OPTIONS = ClientOptions(gate=GatePolicy(fail_max=FAILURES, reset_after=EVERY))


def out(caution: Caution, numbers: range, now: float = 0.0) -> None:
    for number in numbers:
        assert caution.wait(now) == 0.0
        caution.sent(number, now)


def test_without_a_failure_any_number_may_be_out() -> None:
    caution = Caution(EVERY, fewest=FAILURES)

    out(caution, range(1, 1_000))

    assert caution.in_doubt == 0


def test_a_failure_takes_one_place_until_one_sent_after_it_is_answered() -> None:
    caution = Caution(EVERY, fewest=FAILURES)
    out(caution, range(1, 5))
    caution.returned()
    caution.failed(0.1)

    assert caution.wait(0.1) == EVERY

    caution.returned()
    caution.answered(2)  # sent before it failed: the provider may be down since

    out(caution, range(5, 6), 0.2)
    assert caution.wait(0.2) > 0

    caution.returned()
    caution.answered(5)

    assert caution.in_doubt == 0
    out(caution, range(6, 20), 0.3)


def test_with_nothing_out_one_may_look() -> None:
    caution = Caution(EVERY, fewest=FAILURES)
    out(caution, range(1, 2))
    caution.returned()
    caution.failed(0.0)

    assert caution.wait(0.0) == 0.0

    caution.sent(2, 0.0)

    assert caution.wait(1.0) == pytest.approx(EVERY - 1.0)


def test_what_never_returns_does_not_keep_others_from_looking_for_ever() -> None:
    caution = Caution(EVERY, fewest=FAILURES)
    out(caution, range(1, 4))
    caution.returned()
    caution.failed(1.0)

    assert caution.wait(1.0 + EVERY) == 0.0

    caution.sent(4, 1.0 + EVERY)

    assert caution.wait(1.0 + EVERY) == EVERY


def test_whether_it_may_be_down_is_told_by_what_was_sent_later() -> None:
    caution = Caution(EVERY, fewest=FAILURES)
    out(caution, range(1, 4))
    caution.returned()
    caution.answered(2)

    assert not caution.may_be_down_since(1)
    assert caution.may_be_down_since(3)


def test_with_nothing_out_so_many_look_at_once_as_open_a_breaker() -> None:
    caution = Caution(EVERY, fewest=2)
    for number in (1, 2):
        assert not caution.is_spent
        out(caution, range(number, number + 1))
        caution.returned()
        caution.failed(0.0)

    assert caution.is_spent
    assert caution.wait(0.0) == EVERY


def test_answers_to_what_was_sent_before_do_not_keep_a_breaker_closed() -> None:
    lane = Lane("m", OPTIONS)
    permits = {}
    for number in range(1, 9):
        permit = lane.admit(0.0)
        assert isinstance(permit, Permit)
        permits[number] = permit
        lane.caution.sent(number, 0.0)

    # The provider went down after the fourth, and the eighth failed first.
    for number in (8, 7, 6, 5):
        back(lane, number, permits[number], Verdict.FAILURE)
    for number in range(9, 13):
        back(lane, number - 8, permits[number - 8], Verdict.SUCCESS)
        permit = lane.admit(0.0)
        assert isinstance(permit, Permit)
        lane.caution.sent(number, 0.0)
        back(lane, number, permit, Verdict.FAILURE)

    assert lane.gate.state(0.0) is GateState.OPEN
    assert lane.admit(0.0) == Refused(EVERY)


def back(lane: Lane, number: int, permit: Permit, verdict: Verdict) -> None:
    attempt = OpenAttempt(
        request_id=str(number),
        number=number,
        permit=permit,
        started=0.0,
        configuration=1,
    )
    lane.caution.returned()
    lane.hear(attempt, verdict, 0.0)
