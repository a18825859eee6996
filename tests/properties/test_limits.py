"""What holds for the limiter whatever is sent, answered, refused and announced."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dspex.client.limits import Limiter, LimitPolicy, WaitReason
from dspex.client.providers.format import Allowance, RateLimits
from tests.benchmarks.limited_provider import (
    Bucket,
    Case,
    Life,
    Meter,
    Unlimited,
    Window,
    World,
)

REQUESTS, TOKENS, IN_FLIGHT = 12, 600, 5


@dataclass
class Sent:
    """A request as the model remembers it."""

    at: float
    tokens: int
    most: int
    """The tokens it counted for at any time, at most."""


class LimiterMachine(RuleBasedStateMachine):
    """Requests come and go in any order; the log of them is the judge."""

    def __init__(self) -> None:
        super().__init__()
        self.limiter = Limiter(
            LimitPolicy(
                max_in_flight=IN_FLIGHT,
                requests_per_minute=REQUESTS,
                tokens_per_minute=TOKENS,
            )
        )
        self.now = 0.0
        self.asked = 0
        self.log: dict[str, Sent] = {}
        self.out: list[str] = []

    @rule(seconds=st.floats(0, 70))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(tokens=st.integers(0, 2 * TOKENS))
    def admit(self, tokens: int) -> None:
        self.ask(tokens)

    @rule(tokens=st.integers(0, TOKENS))
    def admit_as_soon_as_it_says(self, tokens: int) -> None:
        for _ in range(20):
            wait = self.ask(tokens)
            if wait is None or math.isinf(wait):
                break
            assert wait > 0
            self.now += wait
        else:
            pytest.fail("waiting as long as was said did not help twenty times over")

    @precondition(lambda self: self.out)
    @rule(data=st.data(), share=st.floats(0, 1))
    def settle(self, data: st.DataObject, share: float) -> None:
        request_id = self.take(data)
        sent = self.log[request_id]
        sent.tokens = int(sent.tokens * share)
        self.limiter.settle(request_id, self.now, tokens=sent.tokens)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        request_id = self.take(data)
        del self.log[request_id]
        self.limiter.release(request_id, self.now)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), wait=st.none() | st.floats(0, 5))
    def refuse(self, data: st.DataObject, wait: float | None) -> None:
        request_id = self.take(data)
        self.log[request_id].tokens = 0
        self.limiter.refused(request_id, self.now, retry_after=wait)

    def ask(self, tokens: int) -> float | None:
        request_id = str(self.asked)
        self.asked += 1
        # What the last minute holds tells whether it may go at all.
        lately = [one for one in self.log.values() if one.at + 60.0 > self.now]
        answer = self.limiter.admit(request_id, tokens, self.now)
        if answer is not None:
            assert (answer.reason is WaitReason.IN_FLIGHT) == (
                len(self.out) == IN_FLIGHT
            )
            return answer.seconds
        assert len(self.out) < IN_FLIGHT
        assert len(lately) + 1 <= REQUESTS
        used = sum(one.tokens for one in lately)
        assert used + tokens <= TOKENS or used == 0
        self.log[request_id] = Sent(self.now, tokens, tokens)
        self.out.append(request_id)
        return None

    def take(self, data: st.DataObject) -> str:
        return self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))

    @invariant()
    def what_is_out_is_reserved(self) -> None:
        assert self.limiter.reserved == tuple(self.out)
        view = self.limiter.state(self.now)
        lately = [one for one in self.log.values() if one.at + 60.0 > self.now]
        assert view.requests_last_minute == len(lately)
        assert view.tokens_last_minute == sum(one.tokens for one in lately)


TestLimiter = LimiterMachine.TestCase


@given(
    limit=st.integers(1, 200),
    gaps=st.lists(st.floats(0, 20), max_size=40),
)
def test_no_window_of_a_minute_holds_more_than_the_limit_and_the_rate_is_used(
    limit: int, gaps: list[float]
) -> None:
    limiter = Limiter(LimitPolicy(max_in_flight=10**6, requests_per_minute=limit))
    sent: list[float] = []
    now = 0.0

    for gap in gaps:
        now += gap
        while limiter.admit(str(len(sent)), 1, now) is None:
            sent.append(now)

    for first, at in enumerate(sent):
        assert sum(at <= other < at + 60.0 for other in sent[first:]) <= limit
    assert len(sent) >= min(1, len(gaps))


@given(limit=st.integers(1, 120))
@settings(max_examples=40)
def test_a_queue_that_is_never_empty_uses_the_whole_limit(limit: int) -> None:
    limiter = Limiter(LimitPolicy(max_in_flight=10**6, requests_per_minute=limit))
    now, sent = 0.0, 0

    while now < 180.0:
        wait = limiter.admit(str(sent), 1, now)
        sent, now = (sent + 1, now) if wait is None else (sent, now + wait.seconds)

    assert sent == pytest.approx(3 * limit, abs=2 + limit * 0.02)


numbers = st.none() | st.integers(-2, 100)
headers = st.builds(
    RateLimits,
    requests=st.builds(
        Allowance,
        limit=numbers,
        remaining=numbers,
        reset_in=st.none() | st.floats(0, 60),
    ),
    tokens=st.builds(
        Allowance,
        limit=numbers,
        remaining=numbers,
        reset_in=st.none() | st.floats(0, 60),
    ),
)


@given(
    heard=st.lists(
        st.tuples(headers, st.booleans(), st.floats(0, 5), st.integers(0, 300)),
        max_size=30,
    )
)
def test_whatever_headers_and_refusals_say_a_request_goes_in_the_end(
    heard: list[tuple[RateLimits, bool, float, int]],
) -> None:
    limiter = Limiter()
    now = 0.0

    for number, (limits, is_refused, latency, tokens) in enumerate(heard):
        request_id = str(number)
        waits = 0
        while (wait := limiter.admit(request_id, tokens, now)) is not None:
            # A provider may announce as little as one token in a minute.
            assert 0 < wait.seconds <= 60 * (300 + 1)
            now += wait.seconds
            waits += 1
            assert waits < 50
        now += latency
        limiter.learn(request_id, limits, now)
        if is_refused:
            limiter.refused(request_id, now, retry_after=None)
        else:
            limiter.settle(request_id, now, tokens=None)

    assert limiter.in_flight == 0


Make = Callable[[object], Meter]
SEEDS = int(os.environ.get("DSPEX_SEEDS", "1"))
"""Runs of each simulated provider; `DSPEX_SEEDS=20` tries more."""


def bucket(_: object) -> Meter:
    return Bucket(50, 50)


def long_window(_: object) -> Meter:
    return Window(500, 10.0, 1.5)


def window(_: object) -> Meter:
    return Window(50, 1.0, 0.3)


def lived(case: Case) -> Life:
    life = World(case).live()
    assert life.answered == case.requests
    return life


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("retry_after", [False, True])
@pytest.mark.parametrize(
    ("meter", "latency"), [(bucket, 0.005), (bucket, 0.2), (window, 0.02)]
)
def test_an_announced_limit_is_met_within_its_bounds(
    meter: Make, latency: float, retry_after: bool, seed: int
) -> None:
    life = lived(
        Case(
            meter=meter,
            announced=True,
            retry_after=retry_after,
            latency=latency,
            seed=seed,
        )
    )

    assert life.ratio <= 1.15
    assert life.waste <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("retry_after", [False, True])
@pytest.mark.parametrize(
    ("meter", "latency"),
    [(bucket, 0.005), (bucket, 0.02), (bucket, 0.2), (window, 0.02)],
)
@pytest.mark.parametrize(("callers", "arrivals"), [(64, None), (256, None), (64, 55.0)])
def test_an_unknown_limit_is_met_within_its_bounds(
    meter: Make,
    latency: float,
    retry_after: bool,
    callers: int,
    arrivals: float | None,
    seed: int,
) -> None:
    life = lived(
        Case(
            meter=meter,
            announced=False,
            retry_after=retry_after,
            latency=latency,
            callers=callers,
            arrivals=arrivals,
            seed=seed,
        )
    )

    assert life.ratio <= 1.3
    assert life.most_refusals <= 20


@pytest.mark.parametrize("callers", [16, 1000])
def test_a_provider_without_a_limit_is_not_slowed(callers: int) -> None:
    policy = LimitPolicy(max_in_flight=1000)
    case = Case(
        meter=lambda _: Unlimited(), announced=False, callers=callers, policy=policy
    )

    life = lived(case)

    assert life.wakes == 0
    assert life.ratio <= 1.2 + 1.2 * callers / case.requests


@pytest.mark.parametrize("callers", [1, 256])
def test_no_call_is_given_up_because_others_found_the_end_of_a_long_window(
    callers: int,
) -> None:
    """Its dry spells are long, and the same call stands at the front all the time."""
    life = lived(
        Case(
            meter=long_window,
            announced=False,
            latency=0.005,
            callers=callers,
            requests=2000,
        )
    )

    assert life.most_refusals <= 20
