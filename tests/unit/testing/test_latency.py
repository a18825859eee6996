import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.errors import ConfigurationError
from dspex.testing import Jitter, Latency, LogNormal, SlowTail, Steady
from dspex.testing._dice import throw
from dspex.testing.latency import latency_by_number

numbers = st.integers(min_value=1, max_value=10**9)
seeds = st.integers()


@given(seed=seeds, number=numbers, purpose=st.text())
def test_a_throw_lies_between_0_and_1_and_can_be_repeated(
    seed: int, number: int, purpose: str
) -> None:
    thrown = throw(seed, purpose, number)

    assert 0 < thrown < 1
    assert throw(seed, purpose, number) == thrown


def test_throws_are_spread_evenly() -> None:
    thrown = [throw(7, "spread", number) for number in range(10_000)]

    tenths = [
        sum(tenth / 10 <= one < (tenth + 1) / 10 for one in thrown)
        for tenth in range(10)
    ]
    assert all(900 < count < 1100 for count in tenths)


def test_another_seed_and_another_purpose_are_other_throws() -> None:
    assert len({throw(0, "a", 1), throw(1, "a", 1), throw(0, "b", 1)}) == 3


@given(seed=seeds, number=numbers)
def test_jitter_stays_within_its_bounds(seed: int, number: int) -> None:
    latency = latency_by_number(Jitter(0.25, 0.75), seed)

    assert 0.25 <= latency(number) <= 0.75


def test_half_of_a_lognormal_is_above_its_median() -> None:
    latency = latency_by_number(LogNormal(0.2, sigma=1.0), seed=3)

    drawn = [latency(number) for number in range(4000)]

    assert statistics.median(drawn) == pytest.approx(0.2, rel=0.1)
    assert max(drawn) > 1.0


def test_the_tail_is_as_large_as_its_share() -> None:
    tail = SlowTail(share=0.4, seconds=9.0, otherwise=Jitter(0.0, 1.0))
    latency = latency_by_number(tail, seed=0)

    drawn = [latency(number) for number in range(4000)]

    others = [seconds for seconds in drawn if seconds != 9.0]
    assert 1500 < len(drawn) - len(others) < 1700
    assert statistics.mean(others) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "latency", [0.5, lambda _number: 0.5, Steady(0.5), Jitter(0.5, 0.5)]
)
def test_every_way_of_saying_a_latency_is_understood(latency: Latency) -> None:
    assert latency_by_number(latency, seed=0)(1) == 0.5


def test_the_tail_of_nothing_is_the_latency_of_the_others() -> None:
    assert SlowTail(share=0.0, seconds=9.0).seconds_for(1e-12) == 0.0
    assert SlowTail(share=1.0, seconds=9.0).seconds_for(1 - 1e-12) == 9.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: Steady(-1.0),
        lambda: Jitter(2.0, 1.0),
        lambda: Jitter(-1.0, 1.0),
        lambda: LogNormal(-0.1),
        lambda: SlowTail(share=1.5, seconds=1.0),
    ],
)
def test_a_latency_that_cannot_be_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ConfigurationError, match="Correct the latency"):
        make()
