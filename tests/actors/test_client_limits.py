"""Time and number: deadlines that hold, and limits that are never exceeded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import dspex
from dspex.client.call import Fate
from dspex.client.dispatch import UNPROVEN
from dspex.core.errors import LMTimeoutError
from dspex.testing import RATE_LIMITED, Drip, FakeProvider, Hang
from supervisors.testing import ManualClock
from tests.actors.lab import (
    PATIENT,
    Record,
    ask,
    assert_books_agree,
    call,
    client_name,
    echo,
    kill,
    wait_for_open_calls,
    wind_until,
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@pytest.fixture
def runtime(clock: ManualClock) -> Iterator[dspex.Runtime]:
    with dspex.Runtime(clock=clock) as runtime:
        yield runtime


# Deadlines.


def test_hanging_request_ends_at_its_attempt_timeout(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(Hang())
    lm = dspex.LM("openai/m", api_base=provider.base_url, timeout=0.05, num_retries=0)

    with pytest.raises(LMTimeoutError, match=r"no byte .* 0\.05 s"):
        lm("hi")

    provider.wait_for_idle(PATIENT)
    assert [entry.fate for entry in provider.bill] == ["gone"]


def test_hanging_request_is_retried_after_its_timeout(
    provider: FakeProvider, runtime: dspex.Runtime, clock: ManualClock
) -> None:
    provider.misbehave(Hang(), times=1)
    # Time enough for the second request to be answered on a busy machine.
    lm = dspex.LM("openai/m", api_base=provider.base_url, timeout=1.0)

    caller = call(lambda: lm("hi"))
    wind_until(clock, lambda: caller.done)

    assert caller.outcomes() == [["re: hi"]]
    assert [entry.fate for entry in provider.bill] == ["gone", "answered"]


@pytest.mark.parametrize("fault", [Hang(), Drip(interval=0.02)])
def test_deadline_holds_against_a_provider_that_never_ends(
    provider: FakeProvider,
    runtime: dspex.Runtime,
    clock: ManualClock,
    fault: Hang | Drip,
) -> None:
    record = Record(runtime.events)
    provider.misbehave(fault)
    lm = dspex.LM("openai/m", api_base=provider.base_url, deadline=3.0)

    caller = call(lambda: lm("hi"))
    provider.wait_for_in_flight(1, PATIENT)
    clock.advance(3.0)
    (error,) = caller.outcomes()

    assert isinstance(error, LMTimeoutError)
    assert "deadline" in str(error)
    assert error.model == "openai/m"
    assert error.attempts == 1
    provider.wait_for_idle(PATIENT)
    assert [entry.fate for entry in provider.bill] == ["gone"]
    assert record.count(Fate.CANCELLED) == 1


def test_deadline_holds_while_waiting_in_the_queue(
    provider: FakeProvider, runtime: dspex.Runtime, clock: ManualClock
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, max_in_flight=1, deadline=3.0)
    provider.pause()
    callers = ask(lm, ["first", "second"])
    wait_for_open_calls(runtime, lm, 2)
    provider.wait_for_in_flight(1, PATIENT)

    clock.advance(3.0)
    outcomes = callers.outcomes()

    assert all(isinstance(error, LMTimeoutError) for error in outcomes)
    assert len(provider.bill) == 1
    assert sum("queued, 0 requests sent" in str(error) for error in outcomes) == 1


def test_deadline_holds_while_backing_off(
    provider: FakeProvider, runtime: dspex.Runtime, clock: ManualClock
) -> None:
    """A pause that would end after the deadline is not begun."""
    provider.misbehave(RATE_LIMITED)
    lm = dspex.LM("openai/m", api_base=provider.base_url, deadline=0.5)

    with pytest.raises(dspex.LMError) as caught:
        lm("hi")

    assert caught.value.retry_after == 1.0
    assert len(provider.bill) == 1


def test_deadline_survives_the_client(
    provider: FakeProvider, runtime: dspex.Runtime, clock: ManualClock
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, deadline=3.0)
    provider.pause()
    caller = call(lambda: lm("hi"))
    provider.wait_for_in_flight(1, PATIENT)

    kill(runtime, client_name(lm))
    waited = wind_until(clock, lambda: caller.done)

    assert isinstance(caller.outcomes()[0], LMTimeoutError)
    assert waited >= 3.0


def test_deadline_of_one_who_shares_a_call_is_its_own(
    provider: FakeProvider, runtime: dspex.Runtime, clock: ManualClock
) -> None:
    patient = dspex.LM("openai/m", api_base=provider.base_url)
    hasty = dspex.LM("openai/m", api_base=provider.base_url, deadline=3.0)
    provider.pause()
    leader = call(lambda: patient("hi"))
    provider.wait_for_in_flight(1, PATIENT)

    follower = call(lambda: hasty("hi"))
    wind_until(clock, lambda: follower.done)
    provider.resume()

    assert isinstance(follower.outcomes()[0], LMTimeoutError)
    assert leader.outcomes() == [["re: hi"]]
    assert len(provider.bill) == 1


def test_leader_whose_deadline_passes_takes_nobody_with_it(
    provider: FakeProvider, runtime: dspex.Runtime, clock: ManualClock
) -> None:
    patient = dspex.LM("openai/m", api_base=provider.base_url)
    hasty = dspex.LM("openai/m", api_base=provider.base_url, deadline=3.0)
    provider.pause()
    leader = call(lambda: hasty("hi"))
    provider.wait_for_in_flight(1, PATIENT)
    follower = call(lambda: patient("hi"))

    clock.advance(3.0)
    (error,) = leader.outcomes()
    provider.resume()

    assert isinstance(error, LMTimeoutError)
    assert follower.outcomes() == [["re: hi"]]
    assert len(provider.bill) == 2


# Numbers.


def test_many_callers_of_few_slots_meet_no_timeout_and_no_retry() -> None:
    with (
        FakeProvider(answer=echo, slots=4, latency=0.1) as provider,
        dspex.Runtime() as runtime,
    ):
        record = Record(runtime.events)
        lm = dspex.LM(
            "openai/m", api_base=provider.base_url, max_in_flight=4, timeout=1.4
        )

        # All of it takes longer than one attempt may.
        outcomes = ask(lm, [str(number) for number in range(64)]).outcomes()

        assert outcomes == [f"re: {number}" for number in range(64)]
        assert len(provider.bill) == 64
        assert provider.in_flight_max == 4
        assert record.count(Fate.ANSWERED) == 64
        assert_books_agree(record, provider)


@hypothesis_settings(max_examples=10)
@given(limit=st.integers(1, 9), callers=st.integers(1, 24), slots=st.integers(1, 12))
def test_limit_is_never_exceeded_and_always_used(
    limit: int, callers: int, slots: int
) -> None:
    with (
        FakeProvider(answer=echo, slots=slots, latency=0.001) as provider,
        dspex.Runtime(),
    ):
        lm = dspex.LM(
            "openai/m", api_base=provider.base_url, max_in_flight=limit, cache=False
        )
        provider.pause()
        asked = ask(lm, [str(number) for number in range(callers)])
        provider.wait_for_in_flight(min(limit, callers), PATIENT)
        provider.resume()

        assert asked.outcomes() == [f"re: {number}" for number in range(callers)]
        assert provider.in_flight_max == min(limit, callers)
        assert len(provider.bill) == callers


def test_slow_first_answers_hold_the_others_back_for_a_moment_only(
    provider: FakeProvider, clock: ManualClock
) -> None:
    provider.pause()
    with dspex.Runtime(clock=clock):
        lm = dspex.LM("openai/m", api_base=provider.base_url, api_key="sk-1")
        callers = ask(lm, [str(number) for number in range(10)])
        provider.wait_for_in_flight(UNPROVEN, PATIENT)
        at_first = provider.in_flight
        wind_until(clock, lambda: provider.in_flight == 10)
        provider.resume()

        assert callers.outcomes() == [f"re: {number}" for number in range(10)]
    assert at_first == UNPROVEN
