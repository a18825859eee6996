"""What a failing provider costs: bounded retries, one probe, one clear error."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

import dspex
from dspex.client.call import Fate
from dspex.core import errors
from dspex.testing import (
    NOT_JSON,
    OUT_OF_QUOTA,
    RATE_LIMITED,
    SERVER_ERROR,
    CloseBeforeAnswer,
    FakeProvider,
    Fault,
    Hang,
    Status,
)
from supervisors.testing import ManualClock
from tests.actors.lab import (
    PATIENT,
    Record,
    ask,
    assert_books_agree,
    call,
    client_name,
    echo,
    eventually,
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


@pytest.fixture
def record(runtime: dspex.Runtime) -> Record:
    return Record(runtime.events)


@pytest.fixture
def lm(provider: FakeProvider) -> dspex.LM:
    return dspex.LM("openai/m", api_base=provider.base_url)


# Retries.


@pytest.mark.parametrize("seconds", [2, 120])
def test_retry_after_is_waited_for_and_no_longer(
    provider: FakeProvider,
    lm: dspex.LM,
    clock: ManualClock,
    record: Record,
    seconds: int,
) -> None:
    provider.misbehave(Status(429, {"Retry-After": str(seconds)}), times=1)
    caller = call(lambda: lm("hi"))
    eventually(lambda: record.count(Fate.FAILED) == 1)

    clock.advance(seconds - 0.25)
    early = len(provider.bill)
    clock.advance(0.25)

    assert caller.outcomes() == [["re: hi"]]
    assert early == 1
    assert len(provider.bill) == 2


def test_longer_retry_after_than_allowed_is_raised_with_its_value(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    provider.misbehave(Status(429, {"Retry-After": "121"}))

    with pytest.raises(errors.LMRateLimitError) as caught:
        lm("hi")

    assert caught.value.retry_after == 121
    assert caught.value.attempts == 1
    assert len(provider.bill) == 1


@pytest.mark.parametrize("fault", [SERVER_ERROR, NOT_JSON, CloseBeforeAnswer()])
@pytest.mark.parametrize("retries", [0, 2])
def test_passing_failures_are_retried_so_often_and_no_more(
    provider: FakeProvider,
    runtime: dspex.Runtime,
    clock: ManualClock,
    record: Record,
    fault: Fault,
    retries: int,
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, num_retries=retries)
    provider.misbehave(fault)

    caller = call(lambda: lm("hi"))
    wind_until(clock, lambda: caller.done)
    (error,) = caller.outcomes()

    assert isinstance(error, errors.LMError)
    assert error.attempts == len(provider.bill) == retries + 1
    assert_books_agree(record, provider)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Status(400, message="bad temperature"), errors.LMInvalidRequestError),
        (Status(401, message="bad key"), errors.LMAuthError),
        (Status(402, message="no money"), errors.LMBillingError),
        (Status(403, message="not yours"), errors.LMAuthError),
        (Status(404, message="no such model"), errors.LMInvalidRequestError),
        (Status(422, message="unprocessable"), errors.LMInvalidRequestError),
        (OUT_OF_QUOTA, errors.LMBillingError),
    ],
)
def test_permanent_refusal_is_raised_at_once_with_what_the_provider_said(
    provider: FakeProvider,
    runtime: dspex.Runtime,
    lm: dspex.LM,
    fault: Status,
    kind: type[errors.LMError],
) -> None:
    provider.misbehave(fault)

    with pytest.raises(kind, match=fault.message) as caught:
        lm("hi")

    assert caught.value.status == fault.status
    assert caught.value.request_id == "req-1"
    assert "req-1" in str(caught.value)
    assert caught.value.model == "openai/m"
    assert len(provider.bill) == 1


def test_providers_own_advice_against_a_retry_wins(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    provider.misbehave(Status(500, {"x-should-retry": "false"}))

    with pytest.raises(errors.LMServerError) as caught:
        lm("hi")

    assert not caught.value.retryable
    assert len(provider.bill) == 1


def test_setting_that_is_no_json_is_refused_before_anything_is_sent(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    with pytest.raises(errors.LMInvalidRequestError, match="'temperature'") as caught:
        lm("hi", temperature=object())

    assert isinstance(caught.value.__cause__, errors.ConfigurationError)
    assert not provider.bill
    assert lm("hi") == ["re: hi"]


# The breaker.


def trip(provider: FakeProvider, lm: dspex.LM, fault: Fault = SERVER_ERROR) -> None:
    """Let five calls fail, which opens the breaker."""
    provider.misbehave(fault)
    once = dspex.LM(lm.model, api_base=provider.base_url, num_retries=0)
    errors_seen = ask(once, [f"failing {number}" for number in range(5)]).outcomes()
    assert all(isinstance(error, errors.LMError) for error in errors_seen)


def test_breaker_opens_after_five_failures_and_parks_what_comes(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    trip(provider, lm)

    parked = ask(lm, ["a", "b", "c"])
    wait_for_open_calls(runtime, lm, 3)

    assert len(provider.bill) == 5
    assert parked.done == 0
    runtime.close()
    parked.outcomes()


def test_half_open_breaker_sends_exactly_one_probe(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM, clock: ManualClock
) -> None:
    trip(provider, lm)
    parked = ask(lm, [f"parked {number}" for number in range(20)])
    wait_for_open_calls(runtime, lm, 20)
    provider.behave()
    provider.pause()

    clock.advance(5.0)
    provider.wait_for_in_flight(1, PATIENT)
    clock.advance(5.0)
    probes = provider.in_flight
    provider.resume()

    assert parked.outcomes() == [f"re: parked {number}" for number in range(20)]
    assert probes == 1
    assert len(provider.bill) == 25


def _has_failed(record: Record, times: int) -> bool:
    return record.count(Fate.FAILED) == times


def test_probes_of_a_long_outage_are_not_charged_to_the_parked_call(
    provider: FakeProvider,
    runtime: dspex.Runtime,
    lm: dspex.LM,
    clock: ManualClock,
    record: Record,
) -> None:
    trip(provider, lm)
    once = dspex.LM("openai/m", api_base=provider.base_url, num_retries=0)

    parked = call(lambda: once("parked"))
    wait_for_open_calls(runtime, lm, 1)
    for probe in range(1, 5):
        clock.advance(5.0)
        eventually(partial(_has_failed, record, 5 + probe))
    provider.behave()
    clock.advance(5.0)

    assert parked.outcomes() == [["re: parked"]]
    assert len(provider.bill) == 5 + 4 + 1
    assert_books_agree(record, provider)


def test_rate_limited_probe_waits_as_it_was_told(
    provider: FakeProvider,
    runtime: dspex.Runtime,
    lm: dspex.LM,
    clock: ManualClock,
    record: Record,
) -> None:
    """A 429 says nothing about health, but asking again at once would be rude."""
    trip(provider, lm)
    parked = call(lambda: lm("parked"))
    wait_for_open_calls(runtime, lm, 1)
    provider.behave()
    provider.misbehave(RATE_LIMITED, times=1)

    clock.advance(5.0)
    eventually(lambda: record.count(Fate.FAILED) == 6)
    clock.advance(0.5)
    billed_early = len(provider.bill)
    clock.advance(0.5)

    assert parked.outcomes() == [["re: parked"]]
    assert billed_early == 6
    assert len(provider.bill) == 7


def test_waiting_calls_end_in_one_error_after_the_longest_outage(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM, clock: ManualClock
) -> None:
    trip(provider, lm)

    parked = ask(lm, [f"parked {number}" for number in range(8)])
    wait_for_open_calls(runtime, lm, 8)
    waited = wind_until(clock, lambda: parked.done == 8)

    assert waited >= 30.0
    for error in parked.outcomes():
        assert isinstance(error, errors.CircuitOpenError)
        assert isinstance(error.__cause__, errors.LMServerError)
        assert "something broke inside" in str(error)
        assert "30 s" in str(error)


def test_outage_ends_on_time_while_the_probe_hangs(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM, clock: ManualClock
) -> None:
    trip(provider, lm)
    parked = ask(lm, [f"parked {number}" for number in range(4)])
    wait_for_open_calls(runtime, lm, 4)
    provider.behave()
    provider.misbehave(Hang())

    clock.advance(5.0)
    provider.wait_for_in_flight(1, PATIENT)
    clock.advance(25.0)
    eventually(lambda: parked.done == 3, "3 errors")

    assert provider.in_flight == 1
    runtime.close()
    kinds = [type(error) for error in parked.outcomes()]
    assert kinds.count(errors.CircuitOpenError) == 3


def test_provider_that_is_back_after_an_outage_is_found_by_the_next_call(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM, clock: ManualClock
) -> None:
    provider.stop()
    down = call(lambda: lm("down"))
    wind_until(clock, lambda: down.done)
    provider.start()

    clock.advance(5.0)

    assert isinstance(
        down.outcomes()[0], errors.CircuitOpenError | errors.LMConnectionError
    )
    assert lm("up") == ["re: up"]


def test_one_models_outage_is_not_anothers(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    provider.misbehave(SERVER_ERROR, on=lambda billed: billed.body["model"] == "m")
    once = dspex.LM("openai/m", api_base=provider.base_url, num_retries=0)
    ask(once, [f"failing {number}" for number in range(5)]).outcomes()

    other = dspex.LM("openai/other", api_base=provider.base_url)

    assert other("hi") == ["re: hi"]


def test_breaker_and_its_timers_survive_the_client(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM, clock: ManualClock
) -> None:
    trip(provider, lm)
    parked = ask(lm, ["a", "b"])
    wait_for_open_calls(runtime, lm, 2)
    provider.behave()

    kill(runtime, client_name(lm))
    billed = len(provider.bill)
    wind_until(clock, lambda: parked.done == 2)

    assert billed == 5
    assert parked.outcomes() == ["re: a", "re: b"]


def test_probe_survives_the_client(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM, clock: ManualClock
) -> None:
    trip(provider, lm)
    parked = ask(lm, ["a", "b"])
    wait_for_open_calls(runtime, lm, 2)
    provider.behave()
    provider.pause()
    clock.advance(5.0)
    provider.wait_for_in_flight(1, PATIENT)

    kill(runtime, client_name(lm))
    provider.resume()

    assert parked.outcomes() == ["re: a", "re: b"]
    assert len(provider.bill) == 7
