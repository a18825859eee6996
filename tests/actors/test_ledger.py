"""What a branch remembers, and who may touch it."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest

from dspex.client.call import draw_ticket
from dspex.client.gate import Permit
from dspex.client.ledger import ENDED, Lane, Ledger, OpenAttempt, Stage
from dspex.core.errors import LMServerError
from dspex.core.lm import Reply
from supervisors import Actor, StartError
from tests.actors.lab import PATIENT, a_call

ATTEMPT = OpenAttempt(
    request_id="r",
    number=1,
    permit=Permit(0, is_probe=False),
    started=0.0,
    configuration=1,
)
LIMA = Reply(texts=("Lima",))


def waiting(lane: Lane) -> list[str]:
    """Take all queued ids out, next first."""
    return [lane.queue.pop() for _ in range(len(lane.queue))]


def test_call_goes_from_the_queue_to_the_wire_and_out() -> None:
    ledger = Ledger()
    entry = ledger.add(a_call("a"), 1.0)
    assert waiting(entry.lane) == ["a"]

    ledger.send(entry, ATTEMPT)
    assert (entry.stage, entry.sent, ledger.in_flight) == (Stage.IN_FLIGHT, 1, 1)

    assert ledger.returned(entry) is ATTEMPT
    assert ledger.in_flight == 0
    ledger.close(entry, 2.0)

    assert not ledger.calls
    assert ledger.last_activity == 2.0


def test_call_that_was_out_goes_before_those_that_were_not() -> None:
    ledger = Ledger()
    first = ledger.add(a_call("a"), 0.0)
    ledger.add(a_call("b"), 0.0)
    lane = first.lane
    assert lane.queue.pop() == "a"

    ledger.requeue(first)

    assert waiting(lane) == ["a", "b"]


def test_queued_call_that_is_closed_leaves_the_queue() -> None:
    ledger = Ledger()
    entry = ledger.add(a_call("a"), 0.0)
    ledger.add(a_call("b"), 0.0)

    ledger.close(entry, 0.0)

    assert waiting(entry.lane) == ["b"]


def test_request_that_is_not_out_cannot_return() -> None:
    ledger = Ledger()
    entry = ledger.add(a_call("a"), 0.0)

    with pytest.raises(AssertionError, match="'a' has no request out"):
        ledger.returned(entry)


def test_each_model_has_its_own_lane_and_breaker() -> None:
    ledger = Ledger()

    assert ledger.lane("m") is ledger.lane("m")
    assert ledger.lane("m").gate is not ledger.lane("other").gate
    assert ledger.lane("m").next_look == math.inf


def test_outcome_is_for_those_who_began_before_it_came() -> None:
    ledger = Ledger()
    before = a_call("a")

    ledger.keep("a", LIMA, paid=True)
    after = a_call("a")

    ended = ledger.ended(before)
    assert ended is not None
    assert (ended.outcome, ended.paid) == (LIMA, True)
    assert ledger.ended(after) is None
    assert ledger.ended(a_call("other", ticket=before.ticket)) is None


def test_latest_outcome_of_an_id_counts() -> None:
    ledger = Ledger()
    early = a_call("a")
    ledger.keep("a", LMServerError("down"), paid=False)
    between = draw_ticket()

    ledger.keep("a", LIMA, paid=False)

    for call in (early, a_call("a", ticket=between)):
        ended = ledger.ended(call)
        assert ended is not None
        assert ended.outcome is LIMA


def test_kept_outcomes_are_bounded_and_the_oldest_go_first() -> None:
    ledger = Ledger()
    calls = [a_call(str(number)) for number in range(ENDED + 2)]

    for call in calls:
        ledger.keep(call.id, LIMA, paid=False)

    known = [ledger.ended(call) is not None for call in calls]
    assert known == [False] * 2 + [True] * ENDED


def test_each_call_has_an_idempotency_key_of_its_own() -> None:
    ledger = Ledger()
    first = ledger.add(a_call("a"), 0.0)
    ledger.close(first, 0.0)

    again = ledger.add(a_call("a"), 0.0)

    assert first.idempotency_key != again.idempotency_key


class Owner(Actor):
    """Takes the ledger over, and is busy when told so."""

    def __init__(self, ledger: Ledger, patience: float = PATIENT) -> None:
        super().__init__()
        self._ledger = ledger
        self._patience = patience

    def on_start(self) -> None:
        self._ledger.inherit(self, self._patience)

    def on_receive(self, message: Any) -> None:
        inside, leave = message
        inside.set()
        assert leave.wait(PATIENT)
        self._ledger.add(a_call("written late"), 0.0)


def test_nobody_inherits_while_the_last_owner_may_still_write() -> None:
    ledger = Ledger()
    inside, leave = threading.Event(), threading.Event()
    first = Owner.start(ledger)
    first.cast((inside, leave))
    assert inside.wait(PATIENT)
    first.kill()

    with pytest.raises(StartError, match="still in its code"):
        Owner.start(ledger, 0.01)
    leave.set()
    heir = Owner.start(ledger)

    assert list(ledger.calls) == ["written late"]
    heir.shutdown()
