"""The bootstrap interval, and what moments tell of a list that is not held."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dspex.core.errors import ConfigurationError, DataError
from dspex.core.statistics import Interval, Moments, interval

SCORES = st.lists(st.floats(0, 1), min_size=2, max_size=12)


def bootstrap(scores: list[float], **more: Any) -> Interval:
    found = interval(scores, method="bootstrap", **{"resamples": 60} | more)
    assert found is not None
    assert found.method == "bootstrap"
    return found


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    draw = random.Random(7)
    # A skewed list, where t is known to be off; the mean of a cube is 1/4.
    lists = [[draw.random() ** 3 for _ in range(30)] for _ in range(200)]

    held = sum(
        found.low <= 0.25 <= found.high
        for found in (bootstrap(each, resamples=300) for each in lists)
    )

    # Three standard errors of a share of 0.95 among 200 are 0.046.
    assert 0.95 - 0.046 <= held / len(lists) <= 0.95 + 0.046


def test_of_many_scores_it_is_that_of_t() -> None:
    draw = random.Random(3)
    scores = [draw.random() for _ in range(400)]

    found, expected = bootstrap(scores, resamples=1_000), interval(scores)

    assert expected is not None
    assert found.low == pytest.approx(expected.low, abs=0.003)
    assert found.high == pytest.approx(expected.high, abs=0.003)


def test_a_skewed_list_has_a_skewed_interval() -> None:
    scores = [0.0] * 16 + [0.1, 0.2, 0.5, 1.0]

    found = bootstrap(scores, resamples=2_000)

    center = sum(scores) / len(scores)
    assert found.high - center > 1.3 * (center - found.low)


@settings(max_examples=40)
@given(SCORES, st.randoms(use_true_random=False))
def test_the_order_of_the_scores_does_not_matter(
    scores: list[float], shuffling: random.Random
) -> None:
    shuffled = list(scores)
    shuffling.shuffle(shuffled)

    assert bootstrap(shuffled) == bootstrap(scores)


@settings(max_examples=40)
@given(SCORES)
@example([0.0, 0.0, 0.9449825236676717])
def test_it_stays_within_the_scores(scores: list[float]) -> None:
    found = bootstrap(scores)

    assert min(scores) <= found.low <= found.high <= max(scores)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 8), min_size=2, max_size=12), st.integers(-4, 4))
def test_another_scale_gives_the_same_interval_on_that_scale(
    scores: list[int], shift: int
) -> None:
    found = bootstrap([float(score) for score in scores])
    moved = bootstrap([4.0 * score + shift for score in scores])

    assert moved.low == pytest.approx(4 * found.low + shift)
    assert moved.high == pytest.approx(4 * found.high + shift)


def test_the_same_seed_gives_the_same_interval_and_another_another() -> None:
    scores = [number / 19 for number in range(20)]

    first, again, other = (bootstrap(scores, seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_equal_scores_have_an_interval_of_width_nothing() -> None:
    found = bootstrap([0.3] * 5)

    assert (found.low, found.high) == (0.3, 0.3)


def test_one_score_tells_too_little() -> None:
    assert interval([0.3], method="bootstrap") is None
    assert interval([1.0], method="t") is None
    assert interval([], method="wilson") is None


def test_the_method_asked_for_is_used() -> None:
    hits = [1.0, 0.0, 1.0, 1.0]

    methods = ("auto", "wilson", "t", "bootstrap")
    found = [interval(hits, method=each) for each in methods]  # type: ignore[arg-type] # mypy widens the tuple to str

    assert [one.method for one in found if one is not None] == [
        "wilson",
        "wilson",
        "t",
        "bootstrap",
    ]


def test_what_makes_no_interval_is_refused() -> None:
    with pytest.raises(DataError, match="0 and 1 alone"):
        interval([0.5, 1.0], method="wilson")
    with pytest.raises(ConfigurationError, match="resamples=0"):
        interval([0.5, 1.0], method="bootstrap", resamples=0)
    with pytest.raises(ConfigurationError, match="method='magic'"):
        interval([0.5], method="magic")  # type: ignore[arg-type] # what is tested


@given(st.lists(st.floats(-3, 3), max_size=20))
def test_sums_tell_the_same_as_the_scores(scores: list[float]) -> None:
    held = Moments.of(scores)

    summed = Moments.of_sums(
        len(scores),
        total=math.fsum(scores),
        squares=math.fsum(score * score for score in scores),
        binary=held.binary,
    )

    assert summed.n == held.n
    assert summed.mean == pytest.approx(held.mean)
    assert summed.standard_error == pytest.approx(held.standard_error, abs=1e-7)


@pytest.mark.parametrize("scores", [[1, 1, 0, 1], [0.5, 0.25, 1.0], [0.5], [1]])
def test_moments_give_the_interval_that_the_scores_give(scores: list[float]) -> None:
    assert Moments.of(scores).interval() == interval(scores)


def test_scores_that_differ_by_next_to_nothing_have_an_interval_too() -> None:
    found = bootstrap([0.0, 3.15488645713587e-140])

    assert 0.0 <= found.low <= found.high <= 3.15488645713587e-140
