"""The client and the wire die; no caller notices, and the books stay right."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from functools import partial

import pytest

import dspex
from dspex.client.call import ATTEMPT, Fate
from dspex.core.errors import LMCancelledError
from dspex.core.lm import Reply, Usage
from dspex.testing import RATE_LIMITED, FakeProvider
from supervisors import Event, Scope, within
from supervisors.testing import ManualClock
from tests.actors.lab import (
    PATIENT,
    STURDY,
    Callers,
    Record,
    a_call,
    ask,
    assert_books_agree,
    branch,
    call,
    client_name,
    echo,
    eventually,
    kill,
    wait_for_open_calls,
    wind_until,
    wire_name,
)

FIFTY = [f"question {number}" for number in range(50)]
ECHOED = [f"re: {question}" for question in FIFTY]


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(STURDY) as runtime:
        yield runtime


@pytest.fixture
def lm(provider: FakeProvider) -> dspex.LM:
    return dspex.LM("openai/m", api_base=provider.base_url)


@pytest.mark.parametrize("cache", [True, False])
def test_calls_in_flight_survive_the_client_and_are_not_paid_again(
    provider: FakeProvider, runtime: dspex.Runtime, cache: bool
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, cache=cache)
    record = Record(runtime.events)
    provider.pause()
    callers = ask(lm, FIFTY)
    provider.wait_for_in_flight(50, PATIENT)

    for _ in range(3):
        kill(runtime, client_name(lm))
    provider.resume()

    assert callers.outcomes() == ECHOED
    assert len(provider.bill) == 50
    assert record.count(Fate.ANSWERED) == 50
    assert_books_agree(record, provider)


def test_calls_in_flight_survive_the_wire_and_are_sent_again(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    record = Record(runtime.events)
    provider.pause()
    callers = ask(lm, FIFTY)
    provider.wait_for_in_flight(50, PATIENT)

    kill(runtime, wire_name(lm))
    provider.wait_for_bill(100, PATIENT)
    provider.resume()

    assert callers.outcomes() == ECHOED
    assert record.count(Fate.RESTARTED) == 50
    assert record.count(Fate.ANSWERED) == 50
    assert_books_agree(record, provider)
    fates = {entry.fate for entry in provider.bill[:50]}
    assert fates == {"gone"}


def test_what_a_client_had_booked_when_it_was_killed_and_not_handed_on_costs_nothing(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    record = Record(runtime.events)
    budget = dspex.Budget(calls=100)
    kills = iter([True])

    def kill_at_once(event: Event) -> None:
        if event.metadata["record"].fate is Fate.OPEN and next(kills, False):
            runtime.start().registry.resolve(client_name(lm)).kill()

    lm("warm")
    runtime.events.attach(kill_at_once, ATTEMPT)
    with budget:
        assert lm("hi") == ["re: hi"]

    assert len(provider.bill) == 2
    assert (budget.spent.calls, budget.spent.assumed) == (1, 0)
    assert_books_agree(record, provider)


def test_wire_and_client_die_together(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    record = Record(runtime.events)
    provider.pause()
    callers = ask(lm, FIFTY)
    provider.wait_for_in_flight(50, PATIENT)
    registry = runtime.start().registry

    registry.resolve(wire_name(lm)).kill()
    registry.resolve(client_name(lm)).kill()
    provider.resume()

    assert callers.outcomes() == ECHOED
    assert_books_agree(record, provider)


def test_death_of_all_providers_costs_no_caller_its_answer(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    record = Record(runtime.events)
    provider.pause()
    callers = ask(lm, FIFTY[:5])
    provider.wait_for_in_flight(5, PATIENT)

    kill(runtime, "providers")
    provider.resume()

    assert callers.outcomes() == ECHOED[:5]
    assert_books_agree(record, provider)


def test_restarts_are_not_charged_to_a_call(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, num_retries=0)
    provider.pause()
    caller = call(lambda: lm("hi"))
    for lost in range(1, 4):
        provider.wait_for_bill(lost, PATIENT)
        kill(runtime, wire_name(lm))
    provider.wait_for_bill(4, PATIENT)
    provider.resume()

    assert caller.outcomes() == [["re: hi"]]


def test_queued_calls_survive_the_client(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, max_in_flight=4)
    record = Record(runtime.events)
    provider.pause()
    callers = ask(lm, FIFTY)
    provider.wait_for_in_flight(4, PATIENT)
    wait_for_open_calls(runtime, lm, 50)

    for _ in range(5):
        kill(runtime, client_name(lm))
    provider.resume()

    assert callers.outcomes() == ECHOED
    assert len(provider.bill) == 50
    assert provider.in_flight_max == 4
    assert_books_agree(record, provider)


def test_calls_that_back_off_survive_the_client_and_keep_their_pause(
    provider: FakeProvider,
) -> None:
    clock = ManualClock()
    provider.misbehave(RATE_LIMITED, times=5)
    with dspex.Runtime(STURDY, clock=clock) as runtime:
        lm = dspex.LM("openai/m", api_base=provider.base_url)
        record = Record(runtime.events)
        # All are out before the first is refused: that holds back who comes later.
        provider.pause()
        callers = ask(lm, FIFTY[:5])
        provider.wait_for_in_flight(5, PATIENT)
        provider.resume()
        eventually(lambda: record.count(Fate.FAILED) == 5, "5 refusals")

        kill(runtime, client_name(lm))
        before = len(provider.bill)
        waited = wind_until(clock, lambda: callers.done == 5, step=0.25)

        assert callers.outcomes() == ECHOED[:5]
        assert before == 5
        assert waited >= 1.0
        assert len(provider.bill) == 10
        assert_books_agree(record, provider)


def test_answer_that_came_while_the_client_was_dying_is_not_paid_twice(
    provider: FakeProvider,
) -> None:
    """The client is killed with the answer booked and the caller not yet told."""
    inside, leave = threading.Event(), threading.Event()

    def linger(_call_id: str, _outcome: object) -> None:
        inside.set()
        assert leave.wait(PATIENT)

    with branch(provider, listener=linger) as (client, top, record):
        caller = call(lambda: client.complete(a_call(cacheable=True)))
        assert inside.wait(PATIENT)
        top.registry.resolve("b/client").kill()
        leave.set()
        (reply,) = caller.outcomes()

        assert reply.text == "re: hi"
        assert reply.usage.total_tokens > 0
        assert len(provider.bill) == 1
        assert_books_agree(record, provider)


def test_a_killed_client_that_is_still_busy_has_no_successor_yet(
    provider: FakeProvider,
) -> None:
    """Its thread may still write to the ledger, so nobody else may."""
    inside, leave = threading.Event(), threading.Event()
    order: list[str] = []

    def linger(call_id: str, _outcome: object) -> None:
        if not inside.is_set():
            inside.set()
            assert leave.wait(PATIENT)
        order.append(call_id)

    with branch(provider, listener=linger) as (client, top, _record):
        first = call(lambda: client.complete(a_call("first", cacheable=True)))
        assert inside.wait(PATIENT)
        top.registry.resolve("b/client").kill()
        heir = top.registry.await_name("b/client", PATIENT)
        second = call(lambda: client.complete(a_call("second", cacheable=True)))

        assert not heir.life.started.wait(0.05)
        assert len(provider.bill) == 1
        leave.set()

        assert first.outcomes()[0].text == "re: first"
        assert second.outcomes()[0].text == "re: second"
        assert order == ["first", "second"]


def test_answer_that_came_while_there_was_no_client_is_kept_by_the_wire(
    provider: FakeProvider,
) -> None:
    inside, leave = threading.Event(), threading.Event()

    def linger(_call_id: str, _outcome: object) -> None:
        inside.set()
        assert leave.wait(PATIENT)

    provider.pause()
    with branch(provider, listener=linger) as (client, top, record):
        calls = [a_call("first", cacheable=True), a_call("second", cacheable=True)]
        callers = Callers([partial(client.complete, made) for made in calls])
        provider.wait_for_in_flight(2, PATIENT)
        provider.resume()
        assert inside.wait(PATIENT)
        provider.wait_for_idle(PATIENT)
        top.registry.resolve("b/client").kill()
        leave.set()
        replies = callers.outcomes()

        assert [reply.text for reply in replies] == ["re: first", "re: second"]
        assert len(provider.bill) == 2
        assert_books_agree(record, provider)


def test_usage_in_the_events_is_what_the_replies_say(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    record = Record(runtime.events)

    ask(lm, FIFTY[:10]).outcomes()

    told = sum((attempt.usage for attempt in record.attempts), Usage())
    assert told == Usage(prompt_tokens=20, completion_tokens=30)


def test_one_call_asked_for_by_many_is_paid_once_and_by_one_of_them(
    provider: FakeProvider,
) -> None:
    """As after a restart of the cache, which makes a leader of each who asks it."""
    provider.pause()
    calls = [a_call(cacheable=True) for _ in range(4)]
    with branch(provider) as (client, _top, _record):
        callers = Callers([partial(client.complete, made) for made in calls])
        provider.wait_for_in_flight(1, PATIENT)
        provider.resume()
        replies = callers.outcomes()

    assert [reply.text for reply in replies] == ["re: hi"] * 4
    assert len(provider.bill) == 1
    paid = [reply for reply in replies if reply.usage.total_tokens]
    assert len(paid) == 1
    assert not paid[0].cached
    assert all(
        reply.cached and not reply.attempts for reply in replies if reply not in paid
    )


def test_call_that_began_before_an_equal_one_ended_shares_its_outcome(
    provider: FakeProvider,
) -> None:
    early = [a_call(cacheable=True) for _ in range(2)]
    with branch(provider) as (client, _top, _record):
        first = client.complete(early[0])
        late_comer = client.complete(early[1])
        later = client.complete(a_call(cacheable=True))

    assert (first.cached, late_comer.cached, later.cached) == (False, True, False)
    assert len(provider.bill) == 2
    keys = {entry.idempotency_key for entry in provider.bill}
    assert len(keys) == 2


def test_withdrawn_call_is_broken_off_and_its_caller_returns_at_once(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    record = Record(runtime.events)
    scope = Scope("example 7")

    def in_scope() -> list[str]:
        with within(scope):
            return lm("hi")

    provider.pause()
    caller = call(in_scope)
    provider.wait_for_in_flight(1, PATIENT)
    scope.cancel("its deadline passed")
    (error,) = caller.outcomes()

    assert isinstance(error, LMCancelledError)
    assert "example 7" in str(error)
    assert error.model == "openai/m"
    provider.wait_for_idle(PATIENT)
    assert [entry.fate for entry in provider.bill] == ["gone"]
    eventually(lambda: record.count(Fate.CANCELLED) == 1)


def test_scope_that_was_given_up_makes_no_call(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    scope = Scope("example 7")
    scope.cancel("its deadline passed")

    with within(scope), pytest.raises(LMCancelledError):
        lm("hi")

    assert lm("another") == ["re: another"]
    assert len(provider.bill) == 1


def test_call_that_others_wait_for_is_not_broken_off(provider: FakeProvider) -> None:
    provider.pause()
    scope = Scope("one of two")

    with branch(provider) as (client, top, _record):

        def in_scope() -> Reply:
            with within(scope):
                return client.complete(a_call())

        leaver = call(in_scope)
        provider.wait_for_in_flight(1, PATIENT)
        stayer = call(lambda: client.complete(a_call()))
        actor = top.registry.resolve("b/client")._actor_weakref()
        assert actor is not None
        waiters = actor._machine._desk.waiters
        eventually(lambda: len(waiters.get("hi", ())) == 2, "two waiters")
        scope.cancel("enough")
        leaver.outcomes()
        provider.resume()

        assert stayer.outcomes()[0].text == "re: hi"
        assert len(provider.bill) == 1


def test_ctrl_c_in_the_caller_withdraws_its_call(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    provider.pause()

    def press_ctrl_c() -> None:
        provider.wait_for_in_flight(1, PATIENT)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    presser = call(press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        lm("hi")

    presser.outcomes()
    provider.wait_for_idle(PATIENT)
    assert [entry.fate for entry in provider.bill] == ["gone"]


def test_orderly_end_of_the_client_breaks_off_what_is_out(
    provider: FakeProvider, lm: dspex.LM
) -> None:
    with dspex.Runtime() as runtime:
        record = Record(runtime.events)
        provider.pause()
        callers = ask(lm, FIFTY[:3])
        provider.wait_for_in_flight(3, PATIENT)

    assert all(isinstance(error, Exception) for error in callers.outcomes())
    assert record.count(Fate.CANCELLED) == 3
