"""What a client says of the calls that are open, and what holds them up."""

from __future__ import annotations

import pytest

from dspex.client.limits import LimitPolicy
from dspex.client.messages import ServerDown, TryAgain
from dspex.client.retry import RetryPolicy
from dspex.client.standing import CallStanding, HeldBy, OpenBreaker
from dspex.client.wire import Sent, SentAll
from dspex.core.errors import LMServerError
from tests.unit.client.test_machine import Lab


@pytest.fixture
def lab() -> Lab:
    return Lab(max_in_flight=8)


def first(lab: Lab) -> CallStanding:
    return lab.machine.standing().calls[0]


def fail_all(lab: Lab) -> None:
    """Let every request that is out meet a broken provider."""
    ids = tuple(lab.ledger.by_attempt)
    error = LMServerError("broken", status=500)
    sent = tuple(Sent(request_id=one, outcome=error) for one in ids)
    lab.machine.handle(SentAll(sent=sent))
    lab.machine.pump()


def test_a_client_without_calls_holds_nothing_up(lab: Lab) -> None:
    standing = lab.machine.standing()

    assert (standing.label, standing.calls, standing.breakers) == ("the fake", (), ())


def test_a_request_that_is_out_waits_for_its_answer(lab: Lab) -> None:
    lab.submit("a", tags={"example": 17})
    lab.machine.pump()
    lab.hands.clock = 7.0

    call = first(lab)

    assert call.tags == {"example": 17}
    assert (call.held_by, call.since, call.sent) == (HeldBy.ANSWER, 7.0, 1)


def test_a_call_that_failed_once_waits_for_its_retry(lab: Lab) -> None:
    lab.submit("a", retries=RetryPolicy(first_wait=4.0))
    lab.machine.pump()

    fail_all(lab)

    call = first(lab)
    assert (call.held_by, call.left, call.sent) == (HeldBy.RETRY, 2.0, 1)


def test_calls_behind_an_open_breaker_say_for_how_long(lab: Lab) -> None:
    lab.submit("a", "b", "c", "d", "e")
    lab.machine.pump()
    fail_all(lab)
    lab.hands.clock = 3.0
    for name in "abcde":
        lab.machine.handle(TryAgain(call_id=name))

    standing = lab.machine.standing()

    assert {call.held_by for call in standing.calls} == {HeldBy.BREAKER}
    assert {(call.since, call.left) for call in standing.calls} == {(3.0, 2.0)}
    assert standing.breakers == (OpenBreaker(model="m", open_for=3.0, retry_in=2.0),)


def test_a_call_that_a_limit_holds_back_says_until_when(lab: Lab) -> None:
    lab.submit("a", "b", limits=LimitPolicy(requests_per_minute=1))
    lab.machine.pump()
    lab.hands.clock = 20.0

    out, held = lab.machine.standing().calls

    assert out.held_by is HeldBy.ANSWER
    assert held.held_by is HeldBy.LIMIT
    assert held.left == pytest.approx(40.0, abs=0.1)


def test_looking_takes_nothing_of_a_limit(lab: Lab) -> None:
    lab.submit("a", limits=LimitPolicy(requests_per_minute=1))

    before = first(lab)
    lab.machine.standing()
    lab.machine.pump()

    assert before.held_by is HeldBy.PLACE
    assert first(lab).held_by is HeldBy.ANSWER


def test_a_call_waits_for_a_place_when_as_many_are_out_as_may_be() -> None:
    lab = Lab(max_in_flight=1)
    lab.submit("a", "b")
    lab.machine.pump()

    assert [call.held_by for call in lab.machine.standing().calls] == [
        HeldBy.ANSWER,
        HeldBy.PLACE,
    ]


def test_a_call_waits_for_a_local_server_that_is_not_ready(lab: Lab) -> None:
    lab.ledger.needs_server = True
    lab.machine.handle(ServerDown())
    lab.submit("a")
    lab.machine.pump()

    assert first(lab).held_by is HeldBy.SERVER
