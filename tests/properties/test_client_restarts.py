"""Whatever dies and whenever: every call is answered once, and the books agree."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import dspex
from dspex.client.call import Fate
from dspex.testing import CloseBeforeAnswer, FakeProvider, Status
from tests.actors.lab import (
    PATIENT,
    STURDY,
    Callers,
    Record,
    ask,
    assert_books_agree,
    client_name,
    echo,
    kill,
    wire_name,
)

CALLS = 20
PARTS = st.sampled_from(["client", "wire", "cache"])
MOMENT = st.integers(1, CALLS)
"""A part dies when so many requests were received."""


def name_of(part: str, lm: dspex.LM) -> str:
    names = {"client": client_name(lm), "wire": wire_name(lm), "cache": "cache.memory"}
    return names[part]


@settings(max_examples=25)
@given(
    deaths=st.lists(st.tuples(MOMENT, PARTS), max_size=8),
    limit=st.integers(1, CALLS),
    cache=st.booleans(),
)
@example(deaths=[(1, "client"), (1, "wire"), (1, "client")], limit=CALLS, cache=True)
@example(deaths=[(CALLS, "wire"), (CALLS, "client")], limit=CALLS, cache=False)
def test_deaths_at_any_moment_cost_no_answer(
    deaths: list[tuple[int, str]], limit: int, cache: bool
) -> None:
    with (
        FakeProvider(answer=echo, latency=0.001) as provider,
        dspex.Runtime(STURDY) as runtime,
    ):
        record = Record(runtime.events)
        lm = dspex.LM(
            "openai/m", api_base=provider.base_url, cache=cache, max_in_flight=limit
        )
        callers = ask(lm, [str(number) for number in range(CALLS)])
        for received, part in sorted(deaths):
            provider.wait_for_bill(received, PATIENT)
            kill(runtime, name_of(part, lm))

        assert callers.outcomes() == [f"re: {number}" for number in range(CALLS)]
        assert record.count(Fate.ANSWERED) == CALLS
        assert_books_agree(record, provider)
        if not any(part == "wire" for _, part in deaths):
            assert len(provider.bill) == CALLS


@settings(max_examples=10)
@given(
    deaths=st.lists(st.tuples(MOMENT, PARTS), max_size=5),
    failing=st.sets(st.integers(1, CALLS), max_size=4),
    broken=st.sets(st.integers(1, CALLS), max_size=4),
)
def test_retries_and_deaths_together_are_booked_one_by_one(
    deaths: list[tuple[int, str]], failing: set[int], broken: set[int]
) -> None:
    with (
        FakeProvider(answer=echo, latency=0.001) as provider,
        dspex.Runtime(STURDY) as runtime,
    ):
        record = Record(runtime.events)
        provider.misbehave(Status(429, {"Retry-After": "0.01"}), on=failing)
        provider.misbehave(CloseBeforeAnswer(), on=broken)
        lm = dspex.LM("openai/m", api_base=provider.base_url, num_retries=8)
        callers = ask(lm, [str(number) for number in range(CALLS)])
        for received, part in sorted(deaths):
            provider.wait_for_bill(received, PATIENT)
            kill(runtime, name_of(part, lm))

        assert callers.outcomes() == [f"re: {number}" for number in range(CALLS)]
        fates = record.fates
        assert set(fates.values()) <= {Fate.ANSWERED, Fate.FAILED, Fate.RESTARTED}
        assert {str(entry.request_id) for entry in provider.bill} <= set(fates)
        assert record.count(Fate.ANSWERED) == CALLS


@settings(max_examples=10)
@given(deaths=st.lists(PARTS, max_size=6), askers=st.integers(2, 12))
def test_equal_questions_are_paid_once_unless_the_wire_dies(
    deaths: list[str], askers: int
) -> None:
    with FakeProvider(answer=echo) as provider, dspex.Runtime(STURDY) as runtime:
        record = Record(runtime.events)
        lm = dspex.LM("openai/m", api_base=provider.base_url)
        provider.pause()
        callers = ask(lm, ["same"] * askers)
        provider.wait_for_in_flight(1, PATIENT)
        for part in deaths:
            kill(runtime, name_of(part, lm))
        provider.resume()

        assert callers.outcomes() == ["re: same"] * askers
        assert record.count(Fate.ANSWERED) == 1
        assert_books_agree(record, provider)


@pytest.mark.slow
@settings(max_examples=5)
@given(seed=st.integers(0, 2**16))
def test_a_storm_of_deaths_while_hundreds_call(seed: int) -> None:
    with (
        FakeProvider(
            answer=echo, latency=lambda number: (number % 7) / 1000
        ) as provider,
        dspex.Runtime(STURDY) as runtime,
    ):
        record = Record(runtime.events)
        lm = dspex.LM("openai/m", api_base=provider.base_url, max_in_flight=16)

        def one_after_another(first: int) -> list[str]:
            return [lm(str(number))[0] for number in range(first, first + 10)]

        callers = Callers(
            [partial(one_after_another, first) for first in range(0, 200, 10)]
        )
        for step in range(30):
            provider.wait_for_bill(min(200, 6 * step + 1), PATIENT)
            part = ("client", "wire", "cache")[(seed + step * step) % 3]
            kill(runtime, name_of(part, lm))

        answers = [answer for answers in callers.outcomes() for answer in answers]
        assert Counter(answers) == Counter(f"re: {number}" for number in range(200))
        assert record.count(Fate.ANSWERED) == 200
        assert_books_agree(record, provider)
