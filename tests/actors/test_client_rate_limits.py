"""A provider's rate limits, met by real actors: little is wasted, nobody is lost."""

from __future__ import annotations

from functools import partial
from typing import Literal

import pytest

import dspex
from dspex.client.call import ATTEMPT, Fate
from dspex.testing import FakeProvider, RateLimit, Status
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
    wait_for_open_calls,
    wind_until,
)

MOST_WASTE = 0.05
"""429s for each answer that a limit may cost at most, when headers tell of it."""


@pytest.mark.parametrize("kind", ["bucket", "window"])
@pytest.mark.parametrize("retry_after", [None, "seconds"])
def test_an_announced_limit_costs_few_refusals(
    kind: Literal["bucket", "window"], retry_after: Literal["seconds"] | None
) -> None:
    limit = RateLimit(requests=100, per=1.0, kind=kind, retry_after=retry_after)
    with FakeProvider(answer=echo, limit=limit) as provider, dspex.Runtime() as runtime:
        record = Record(runtime.events)
        lm = dspex.LM(
            "openai/m", api_base=provider.base_url, api_key="sk-1", cache=False
        )

        def some(caller: int) -> list[str]:
            return [lm(f"{caller}, {number}")[0] for number in range(20)]

        callers = Callers([partial(some, caller) for caller in range(15)])

        assert callers.outcomes() == [
            [f"re: {caller}, {number}" for number in range(20)] for caller in range(15)
        ]
        refused = sum(billed.limited for billed in provider.bill)
        assert refused <= MOST_WASTE * 300
        assert_books_agree(record, provider)


def test_nobody_calls_while_the_provider_wants_a_pause() -> None:
    clock = ManualClock()
    with FakeProvider(answer=echo) as provider, dspex.Runtime(clock=clock) as runtime:
        record = Record(runtime.events)
        sent_at: list[float] = []

        def note(event: Event) -> None:
            if event.metadata["record"].fate is Fate.OPEN:
                sent_at.append(clock.monotonic())

        runtime.events.attach(note, prefix=ATTEMPT)
        provider.misbehave(Status(429, {"Retry-After": "30"}), times=1)
        lm = dspex.LM("openai/m", api_base=provider.base_url, cache=False)
        began = clock.monotonic()
        first = call(lambda: lm("first"))
        eventually(lambda: record.count(Fate.FAILED), "a refusal")

        others = ask(lm, map(str, range(20)))
        wait_for_open_calls(runtime, lm, 21)
        wind_until(clock, lambda: first.done + others.done == 21)

        assert first.outcomes(PATIENT) == [["re: first"]]
        assert others.outcomes() == [f"re: {number}" for number in range(20)]
        assert len(sent_at) == 22
        assert min(sent_at[1:]) >= began + 30.0
