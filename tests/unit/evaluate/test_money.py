"""What a run cost, and what mending took."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.call import AttemptRecord, Fate
from dspex.core.lm import Usage
from dspex.evaluate.results.money import Latency, Money, Resilience
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp
from tests.unit.evaluate.outcomes import failed, result_of, scored


def usage(sent: int, received: int) -> Usage:
    return Usage(prompt_tokens=sent, completion_tokens=received)


def taking(seconds: float, **more: Any) -> Outcome:
    return scored(0, 1.0, latency=seconds, **more)


def test_money_is_added_up_over_the_outcomes() -> None:
    rows = [
        scored(0, 1.0, usage=usage(10, 2), cost=0.25, calls=2, cached=1),
        failed(1, OutcomeKind.MODEL, usage=usage(5, 1), cost=0.5, calls=1),
        None,
    ]

    found = Money.of(rows)

    assert (found.usage, found.cost) == (usage(15, 3), 0.75)
    assert (found.calls, found.cached, found.unpriced) == (3, 1, 0)
    assert found.cached_share == pytest.approx(1 / 3)
    assert str(found) == "$0.7500, 18 tokens, 1 of 3 answers from the cache"


def test_what_has_no_known_price_is_counted_beside_the_money() -> None:
    rows = [
        scored(0, 1.0, cost=0.25, calls=1),
        scored(1, 1.0, cost=None, calls=1),
        scored(2, 1.0, cost=None, calls=1, cached=1),
        scored(3, 1.0),
    ]

    found = Money.of(rows)

    assert (found.cost, found.unpriced) == (0.25, 1)
    assert "$0.2500 and 1 of no known price" in str(found)


def test_without_any_price_there_is_no_sum() -> None:
    found = Money.of([scored(0, 1.0, calls=1)])

    assert (found.cost, found.unpriced) == (None, 1)
    assert "no price known" in str(found)
    assert Money.of([]).cached_share is None


def test_latency_leaves_out_the_cache_and_what_was_not_measured() -> None:
    rows = [
        taking(2.0),
        taking(4.0, calls=2),
        taking(0.001, calls=2, cached=1),
        failed(3, OutcomeKind.TIMEOUT, latency=60.0),
        failed(4, OutcomeKind.MODEL, latency=3.0),
        None,
    ]

    found = Latency.of(rows)

    assert found == Latency(n=3, median=3.0, p95=4.0)
    assert Latency.of([taking(1.0, cached=1)]) is None


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_so_many_took_no_longer(taken: list[float]) -> None:
    found = Latency.of(map(taking, taken))

    assert found is not None
    assert sum(one <= found.median for one in taken) >= 0.5 * len(taken)
    assert sum(one <= found.p95 for one in taken) >= 0.95 * len(taken)
    assert min(taken) <= found.median <= found.p95 <= max(taken)


def test_resilience_counts_requests_without_an_answer_and_attempts_again() -> None:
    fates = [Fate.ANSWERED, Fate.FAILED, Fate.FAILED, Fate.CANCELLED, Fate.RESTARTED]
    requests = {
        str(at): AttemptRecord(
            request_id=str(at),
            call_id="c",
            number=1,
            fate=fate,
            usage=usage(3, 1),
            cost=0.5,
            seconds=2.0,
        )
        for at, fate in enumerate(fates)
    }
    found = result_of(
        [scored(0, 1.0), None], requests=requests, restarts=2, refused=1
    ).resilience

    assert (found.failed, found.cancelled, found.restarted) == (2, 1, 1)
    assert found.requests == 4
    assert found.usage == usage(12, 4)
    assert (found.restarts, found.refused, found.attempts_again) == (2, 1, 0)
    assert (found.cost, found.seconds) == (2.0, 8.0)
    assert str(found) == (
        "4 requests in vain, 16 tokens, $2.0000, 8.0 s, 2 restarts, 1 outcomes refused"
    )


def test_attempts_beyond_the_first_are_counted() -> None:
    stamp = Stamp(run="r", example=0, attempt=3)
    third = Outcome(stamp=stamp, kind=OutcomeKind.SCORED, score=1.0)

    found = Resilience.of([], [third, None], restarts=0, refused=0)

    assert found.attempts_again == 2
    assert str(Resilience()) == "nothing"
