"""What a client sends together, and what it does when there is nobody to send it to."""

from __future__ import annotations

from typing import Any

import pytest

from dspex.client.budget import Budget
from dspex.client.call import AttemptRecord, Call, Fate
from dspex.client.channel import ConsumerGoneError
from dspex.client.dispatch import LOOKED_PAST
from dspex.client.ledger import Ledger, Stage
from dspex.client.machine import ClientMachine
from dspex.client.messages import Expire, Outcome, SendWhatMayBeSent, Submit
from dspex.client.options import ClientOptions
from dspex.client.providers.endpoint import Endpoint
from dspex.client.wire import Send, Sent, SentAll
from dspex.core.errors import LMTimeoutError, QueueFullError
from dspex.core.lm import Message, Reply, Request, Usage


class Hands:
    """A world that does nothing, and remembers what it was to do."""

    def __init__(self) -> None:
        self.clock = 0.0
        self.has_wire = True
        self.is_watched = True
        self.sent: list[tuple[Send, ...]] = []
        self.taken_ids: list[str] = []
        self.answers: dict[str, Outcome] = {}
        self.records: list[AttemptRecord] = []
        self.pumps_asked_for = 0
        self._ids = 0

    def now(self) -> float:
        return self.clock

    def jitter(self) -> float:
        return 0.5

    def new_id(self) -> str:
        self._ids += 1
        return f"r{self._ids}"

    def transmit(self, sends: tuple[Send, ...]) -> bool:
        if self.has_wire:
            self.sent.append(sends)
        return self.has_wire

    def break_off(self, request_id: str) -> None: ...

    def taken(self, request_id: str) -> None:
        self.taken_ids.append(request_id)

    def ask_wire(self, up_to: int) -> None: ...

    def answer(self, call_id: str, waiter: str, outcome: Outcome) -> bool:
        self.answers[call_id] = outcome
        return True

    def settle(self, call_id: str, outcome: Outcome) -> None: ...

    def keeps_books(self) -> bool:
        return self.is_watched

    def note(self, record: AttemptRecord, seconds: float, *_whose: Any) -> None:
        self.records.append(record)

    def tell(self, *_event: Any, **_metadata: Any) -> None: ...

    def remind(self, seconds: float, message: Any) -> None: ...

    def pump_soon(self) -> None:
        self.pumps_asked_for += 1

    def wake_server(self) -> None: ...

    def rest_server(self) -> None: ...


class Lab:
    """A machine with its ledger and its hands."""

    def __init__(self, **options: Any) -> None:
        self.hands = Hands()
        self.ledger = Ledger(ClientOptions(**options))
        endpoint = Endpoint(provider="openai", base_url="http://localhost", model="m")
        self.machine = ClientMachine(
            endpoint=endpoint, label="the fake", ledger=self.ledger, outside=self.hands
        )
        self.machine.start()

    def submit(self, *names: str, **options: Any) -> None:
        for name in names:
            request = Request(model="m", messages=(Message("user", name),))
            call = Call(id=name, request=request, **options)
            self.machine.submit(Submit(call=call, waiter="w"))

    def answered(self, *sends: Send) -> None:
        reply = Reply(texts=("yes",), usage=Usage(prompt_tokens=1))
        sent = (Sent(request_id=send.request_id, outcome=reply) for send in sends)
        self.machine.handle(SentAll(sent=tuple(sent)))


@pytest.fixture
def lab() -> Lab:
    return Lab(max_in_flight=4, max_queued=3)


def test_calls_that_came_together_go_to_the_wire_together(lab: Lab) -> None:
    lab.submit("a", "b", "c")
    assert lab.hands.sent == []

    lab.machine.pump()

    (sends,) = lab.hands.sent
    assert [send.request.messages[0].text for send in sends] == ["a", "b", "c"]


def test_outcomes_that_came_together_are_booked_before_the_next_is_sent(
    lab: Lab,
) -> None:
    lab.submit("a", "b")
    lab.machine.pump()
    lab.submit("c")

    lab.answered(*lab.hands.sent[0])

    assert set(lab.hands.answers) == {"a", "b"}
    assert lab.hands.taken_ids == ["r1", "r2"]
    assert len(lab.hands.sent) == 1


def test_without_a_wire_all_is_given_back_and_goes_later_in_its_order() -> None:
    budget = Budget(calls=3)
    lab = Lab(max_in_flight=4)
    lab.hands.has_wire = False
    lab.submit("a", "b", "c", budgets=(budget,))

    lab.machine.pump()

    assert [entry.stage for entry in lab.ledger.calls.values()] == [Stage.QUEUED] * 3
    assert (lab.ledger.in_flight, budget.reserved.calls) == (0, 0)
    lab.hands.has_wire = True
    lab.machine.pump()
    (sends,) = lab.hands.sent
    assert [send.request.messages[0].text for send in sends] == ["a", "b", "c"]


def test_request_that_found_no_wire_is_booked_as_never_written(lab: Lab) -> None:
    lab.hands.has_wire = False
    lab.submit("a")

    lab.machine.pump()

    assert lab.hands.records[-1].sends == 0


def test_stream_that_nobody_read_is_booked_as_broken_off_and_not_as_failed(
    lab: Lab,
) -> None:
    lab.submit("a")
    lab.machine.pump()
    ((send,),) = lab.hands.sent

    gone = Sent(request_id=send.request_id, outcome=ConsumerGoneError("it left"))
    lab.machine.handle(SentAll(sent=(gone,)))

    last = lab.hands.records[-1]
    assert (last.fate, last.error) == (Fate.CANCELLED, "ConsumerGoneError")


def test_a_queue_is_full_only_of_calls_that_may_not_go(lab: Lab) -> None:
    lab.submit(*(f"q{number}" for number in range(8)))
    lab.machine.pump()

    refused = {call_id: type(outcome) for call_id, outcome in lab.hands.answers.items()}
    assert refused == {"q7": QueueFullError}
    assert lab.ledger.in_flight == 4


def test_nothing_is_sent_between_deadlines_that_have_come_together() -> None:
    lab = Lab(max_in_flight=1)
    lab.submit("a", "b", deadline=1.0)
    lab.machine.pump()
    lab.hands.clock = 1.0

    for call_id in ("a", "b"):
        lab.machine.handle(Expire(call_id=call_id, waiter="w"))
        lab.machine.pump()

    assert len(lab.hands.sent) == 1
    assert [type(outcome) for outcome in lab.hands.answers.values()] == [
        LMTimeoutError,
        LMTimeoutError,
    ]


def test_what_a_deadline_freed_is_used_when_all_of_them_are_dealt_with() -> None:
    lab = Lab(max_in_flight=1)
    lab.submit("a", deadline=1.0)
    lab.submit("b")
    lab.machine.pump()
    lab.hands.clock = 1.0

    lab.machine.handle(Expire(call_id="a", waiter="w"))
    assert lab.hands.pumps_asked_for == 1
    lab.machine.handle(SendWhatMayBeSent())
    lab.machine.pump()

    assert [len(sends) for sends in lab.hands.sent] == [1, 1]


def test_records_are_made_for_whoever_keeps_books_and_for_nobody_else(
    lab: Lab,
) -> None:
    lab.submit("a")
    lab.machine.pump()
    lab.answered(*lab.hands.sent[0])
    assert [record.fate for record in lab.hands.records] == [Fate.OPEN, Fate.ANSWERED]

    lab.hands.is_watched = False
    lab.submit("b")
    lab.machine.pump()
    lab.answered(*lab.hands.sent[1])

    assert len(lab.hands.records) == 2
    assert set(lab.hands.answers) == {"a", "b"}


@pytest.mark.parametrize(("held", "passes"), [(3, True), (LOOKED_PAST, False)])
def test_a_call_with_room_passes_a_few_that_wait_for_their_budget(
    held: int, *, passes: bool
) -> None:
    lab = Lab()
    lab.submit("first", budgets=(budget := Budget(calls=1),))
    lab.machine.pump()
    lab.submit(*(f"held {number}" for number in range(held)), budgets=(budget,))
    lab.submit("free")

    lab.machine.pump()

    sent = [send.request.messages[0].text for sends in lab.hands.sent for send in sends]
    assert sent == (["first", "free"] if passes else ["first"])
