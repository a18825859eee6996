"""Providers that fail, limit and stall: every caller is answered all the same."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest

import dspex
from dspex.client.call import ATTEMPT, Fate
from dspex.client.gate import GatePolicy
from dspex.core import errors
from dspex.testing import (
    BAD_JSON,
    EMPTY_CHOICES,
    NOT_JSON,
    SERVER_ERROR,
    WRONG_KEY,
    CloseBeforeAnswer,
    FakeProvider,
    Fault,
    HalfBody,
    Hang,
    RateLimit,
    Reset,
    Status,
)
from supervisors import Event
from supervisors.testing import ManualClock
from tests.actors.lab import (
    PATIENT,
    Callers,
    Record,
    ask,
    assert_books_agree,
    call,
    echo,
    eventually,
    wind_until,
)

CALLERS = 16


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo, seed=4) as provider:
        yield provider


@pytest.fixture
def runtime(clock: ManualClock) -> Iterator[dspex.Runtime]:
    with dspex.Runtime(clock=clock) as runtime:
        yield runtime


@pytest.fixture
def lm(provider: FakeProvider) -> dspex.LM:
    return dspex.LM("openai/m", api_base=provider.base_url, cache=False)


def ask_many(lm: dspex.LM, count: int) -> Callers:
    """Sixteen callers that ask `count` questions between them, one after the other."""
    shares = [range(first, count, CALLERS) for first in range(CALLERS)]
    return Callers([partial(_answers, lm, share) for share in shares])


def _answers(lm: dspex.LM, numbers: range) -> list[object]:
    return [_answer(lm, str(number)) for number in numbers]


def _answer(lm: dspex.LM, question: str) -> object:
    try:
        return lm(question)[0]
    except errors.LMError as error:
        return error


def all_of(callers: Callers) -> list[object]:
    """Return every answer and error, in the order of the questions."""
    shares = callers.outcomes()
    count = sum(map(len, shares))
    return [shares[number % CALLERS][number // CALLERS] for number in range(count)]


@pytest.mark.parametrize(
    "fault",
    [
        SERVER_ERROR,
        Status(529),
        CloseBeforeAnswer(),
        Reset(),
        HalfBody(),
        BAD_JSON,
        NOT_JSON,
        EMPTY_CHOICES,
    ],
    ids=repr,
)
def test_a_share_of_failures_costs_nobody_an_answer(
    provider: FakeProvider,
    runtime: dspex.Runtime,
    clock: ManualClock,
    lm: dspex.LM,
    fault: Fault,
) -> None:
    provider.misbehave(fault, share=0.05, spare_retries=True)

    callers = ask_many(lm, 240)
    wind_until(clock, lambda: callers.done == CALLERS)

    assert all_of(callers) == [f"re: {number}" for number in range(240)]
    failed = [billed for billed in provider.bill if billed.fault is not None]
    assert failed
    assert len(provider.bill) == 240 + len(failed)


def test_a_hanging_request_holds_up_nobody_but_its_caller(
    provider: FakeProvider, runtime: dspex.Runtime, clock: ManualClock, lm: dspex.LM
) -> None:
    # Time enough for the second request to be answered on a busy machine.
    impatient = dspex.LM(
        "openai/m", api_base=provider.base_url, cache=False, timeout=1.0
    )
    provider.misbehave(Hang(), on=lambda billed: "stuck" in str(billed.body), times=1)
    stuck = ask(impatient, ["stuck"])
    provider.wait_for_in_flight(1, PATIENT)

    others = ask(lm, map(str, range(32))).outcomes()
    wind_until(clock, lambda: stuck.done)

    assert others == [f"re: {number}" for number in range(32)]
    assert stuck.outcomes() == ["re: stuck"]
    fates = [billed.fate for billed in provider.bill]
    assert (fates.count("gone"), fates.count("answered")) == (1, 33)


@pytest.mark.parametrize("count", [4, CALLERS], ids=["few", "enough for the breaker"])
def test_calls_wait_for_a_provider_that_is_down_and_comes_back(
    provider: FakeProvider,
    runtime: dspex.Runtime,
    clock: ManualClock,
    lm: dspex.LM,
    count: int,
) -> None:
    record = Record(runtime.events)
    enough = min(count, GatePolicy().fail_max)
    provider.stop()

    callers = ask(lm, map(str, range(count)))
    # The clock stands still, so none fails a second time.
    eventually(lambda: record.count(Fate.FAILED) >= enough, f"{enough} failures")
    provider.start()
    wind_until(clock, lambda: callers.done == count)

    assert callers.outcomes() == [f"re: {number}" for number in range(count)]
    assert_books_agree(record, provider)


def test_calls_to_a_provider_that_stays_down_end_with_the_cause(
    provider: FakeProvider, runtime: dspex.Runtime, clock: ManualClock, lm: dspex.LM
) -> None:
    provider.stop()

    callers = ask(lm, map(str, range(CALLERS)))
    wind_until(clock, lambda: callers.done == CALLERS)

    for error in callers.outcomes():
        assert isinstance(error, errors.LMError)
        assert errors.LMConnectionError in map(type, causes(error))


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def test_a_wrong_key_stops_many_calls_after_a_few_requests(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    provider.misbehave(WRONG_KEY)

    outcomes = all_of(ask_many(lm, 2_000))

    assert {type(outcome) for outcome in outcomes} == {errors.LMAuthError}
    assert all("wrong API key" in str(outcome) for outcome in outcomes)
    assert len(provider.bill) <= 2 * CALLERS


def test_a_wait_too_long_to_be_slept_is_raised_to_all_who_meet_it(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    provider.misbehave(Status(429, {"Retry-After": "3600"}))
    provider.pause()

    callers = ask(lm, map(str, range(CALLERS)))
    provider.wait_for_in_flight(CALLERS, PATIENT)
    provider.resume()

    outcomes = callers.outcomes()
    assert {type(outcome) for outcome in outcomes} == {errors.LMRateLimitError}
    assert {outcome.retry_after for outcome in outcomes} == {3600.0}
    assert len(provider.bill) == CALLERS


def test_a_wait_too_long_to_be_slept_is_raised_to_those_who_come_later(
    provider: FakeProvider, runtime: dspex.Runtime, clock: ManualClock
) -> None:
    provider.misbehave(Status(429, {"Retry-After": "3600"}))
    lm = dspex.LM("openai/m", api_base=provider.base_url, cache=False, deadline=600.0)
    with pytest.raises(errors.LMRateLimitError):
        lm("first")

    later = call(lambda: lm("later"))
    wind_until(clock, lambda: later.done, step=10.0)

    assert [type(error) for error in later.outcomes()] == [errors.LMRateLimitError]


def test_ten_questions_of_many_callers_cost_ten_requests_while_one_in_ten_fails(
    provider: FakeProvider, runtime: dspex.Runtime, clock: ManualClock
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url)
    provider.misbehave(SERVER_ERROR, on=3)

    callers = ask(lm, [str(number % 10) for number in range(320)])
    wind_until(clock, lambda: callers.done == 320)

    assert callers.outcomes() == [f"re: {number % 10}" for number in range(320)]
    statuses = [billed.status for billed in provider.bill]
    assert (statuses.count(200), statuses.count(500)) == (10, 1)


def test_thirty_requests_a_minute_are_kept_without_timeout_and_retry(
    provider: FakeProvider, runtime: dspex.Runtime, clock: ManualClock
) -> None:
    record = Record(runtime.events)
    sent_at: list[float] = []

    def note(event: Event) -> None:
        if event.metadata["record"].fate is Fate.OPEN:
            sent_at.append(clock.monotonic())

    runtime.events.attach(note, prefix=ATTEMPT)
    lm = dspex.LM(
        "openai/m",
        api_base=provider.base_url,
        cache=False,
        requests_per_minute=30,
        timeout=30.0,
    )

    callers = ask(lm, map(str, range(75)))
    wind_until(clock, lambda: callers.done == 75)

    assert callers.outcomes() == [f"re: {number}" for number in range(75)]
    assert len(provider.bill) == 75
    assert_books_agree(record, provider)
    # The clock may be wound between a decision and its note, by a step or two.
    for first, last in zip(sent_at, sent_at[30:], strict=False):
        assert last - first >= 57.0


@pytest.mark.parametrize(
    "limit",
    [
        RateLimit(requests=20, per=0.2),
        RateLimit(requests=20, per=0.2, kind="window", retry_after="ms"),
        RateLimit(requests=20, per=0.2, announce=False),
        RateLimit(requests=20, per=0.2, announce=False, retry_after=None),
        RateLimit(tokens=40, per=0.2, announce=False, retry_after=None),
    ],
    ids=["announced", "window", "unknown", "without a word", "tokens"],
)
def test_every_answer_arrives_through_a_limit(limit: RateLimit) -> None:
    with FakeProvider(answer=echo, limit=limit) as provider, dspex.Runtime():
        lm = dspex.LM("openai/m", api_base=provider.base_url, cache=False)

        callers = ask(lm, map(str, range(60)))

        assert callers.outcomes() == [f"re: {number}" for number in range(60)]
        assert sum(not billed.limited for billed in provider.bill) == 60


def test_ctrl_c_ends_a_program_whose_requests_hang() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.actors.hanging"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    assert err == ""
    assert out.split() == ["interrupted", "{'RuntimeClosedError'}", "{'gone'}"]
    assert process.returncode == 130
