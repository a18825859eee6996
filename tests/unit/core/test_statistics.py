"""Statistics against published tables, and at the ends where little is known."""

from __future__ import annotations

from typing import Any

import pytest

from dspex.core._distributions import (
    fair_coin_two_sided,
    incomplete_beta,
    t_quantile,
    t_two_sided,
)
from dspex.core.errors import ConfigurationError, DataError
from dspex.core.statistics import (
    Interval,
    interval,
    mean,
    paired_difference,
    standard_error,
)


def ends(found: Interval | None) -> tuple[float, float]:
    assert found is not None
    return found.low, found.high


def paired_table(
    both: int, first_only: int, second_only: int, neither: int
) -> tuple[list[int], list[int]]:
    """Spell a 2x2 table of paired proportions out as two score lists."""
    first = [1] * (both + first_only) + [0] * (second_only + neither)
    second = [1] * both + [0] * first_only + [1] * second_only + [0] * neither
    return first, second


@pytest.mark.parametrize(
    ("confidence", "degrees", "quantile"),
    [
        (0.95, 1, 12.70620),
        (0.95, 2, 4.30265),
        (0.95, 5, 2.57058),
        (0.95, 10, 2.22814),
        (0.95, 30, 2.04227),
        (0.95, 120, 1.97993),
        (0.95, 1_000_000, 1.95997),
        (0.99, 1, 63.65674),
        (0.99, 10, 3.16927),
        (0.5, 4, 0.74070),
    ],
)
def test_t_quantiles_are_those_of_the_table(
    confidence: float, degrees: int, quantile: float
) -> None:
    assert t_quantile(confidence, degrees) == pytest.approx(quantile, abs=6e-6)


def test_t_and_its_quantile_undo_each_other() -> None:
    assert t_two_sided(t_quantile(0.9, 7), 7) == pytest.approx(0.1, abs=1e-12)
    assert t_two_sided(0, 7) == pytest.approx(1)


@pytest.mark.parametrize(
    ("heads", "tails", "probability"),
    [(0, 0, 1), (3, 3, 1), (5, 0, 2 / 32), (0, 5, 2 / 32), (1, 7, 18 / 256), (1, 0, 1)],
)
def test_the_fair_coin_is_exact(heads: int, tails: int, probability: float) -> None:
    assert fair_coin_two_sided(heads, tails) == pytest.approx(probability, abs=1e-13)


def test_the_incomplete_beta_function_at_its_ends_and_in_closed_form() -> None:
    assert (incomplete_beta(0, 2, 3), incomplete_beta(1, 2, 3)) == (0, 1)
    assert incomplete_beta(0.3, 1, 1) == pytest.approx(0.3)
    assert incomplete_beta(0.3, 2, 1) == pytest.approx(0.09)
    assert incomplete_beta(0.9, 1, 3) == pytest.approx(1 - 0.1**3)


def test_mean_and_standard_error() -> None:
    assert mean([1, 0, True, 0.5]) == 0.625
    assert standard_error([1, 2, 3, 4]) == pytest.approx(0.6454972)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_that_of_newcombe_1998(
    successes: int, n: int, low: float, high: float
) -> None:
    found = interval([1] * successes + [0] * (n - successes))

    assert found is not None
    assert found.method == "wilson"
    assert ends(found) == pytest.approx((low, high), abs=5e-5)


def test_scores_that_are_not_all_0_or_1_have_a_t_interval() -> None:
    found = interval([1, 2, 3, 4, 5], confidence=0.9)

    assert found is not None
    assert (found.method, found.confidence) == ("t", 0.9)
    # 3 plus or minus 2.13185 * sqrt(2.5 / 5)
    assert ends(found) == pytest.approx((1.49256, 4.50744), abs=1e-5)


def test_what_too_few_scores_tell() -> None:
    assert (mean([]), standard_error([]), interval([])) == (None, None, None)
    assert (mean([0.3]), standard_error([0.3]), interval([0.3])) == (0.3, None, None)
    assert (mean([1]), standard_error([1])) == (1, None)
    assert ends(interval([1])) == pytest.approx((0.20655, 1), abs=1e-5)


def test_what_equal_scores_tell() -> None:
    assert (mean([0.1] * 3), standard_error([0.1] * 3)) == (0.1, 0)
    assert ends(interval([0.1] * 3)) == (0.1, 0.1)
    assert standard_error([1] * 3) == 0
    assert ends(interval([1] * 3)) == pytest.approx((0.43850, 1), abs=1e-5)


@pytest.mark.parametrize("score", [None, "x", float("nan"), float("inf"), 10**400])
def test_a_score_that_is_no_number_is_named(score: Any) -> None:
    for function in (mean, standard_error, interval):
        with pytest.raises(DataError, match="score 1 is "):
            function([0.5, score])


@pytest.mark.parametrize("confidence", [0, 1, 95, float("nan")])
def test_a_confidence_that_makes_no_sense_is_refused(confidence: float) -> None:
    with pytest.raises(ConfigurationError, match=r"Write confidence=0\.95"):
        interval([1, 0], confidence=confidence)
    with pytest.raises(ConfigurationError, match=r"Write confidence=0\.95"):
        paired_difference([1], [0], confidence=confidence)


@pytest.mark.parametrize(
    ("table", "low", "high", "p_value"),
    [
        # Newcombe 1998; Bentur 2009 in Fagerland, Lydersen, Laake, Statistical
        # Analysis of Contingency Tables, chapter 8; Altman, Statistics with
        # Confidence, table 6.2.
        ((36, 12, 2, 0), 0.0569, 0.3404, 0.0129),
        ((1, 1, 7, 12), -0.507, -0.026, 0.0703),
        ((14, 5, 0, 22), 0.011, 0.226, 0.0625),
    ],
)
def test_paired_0_and_1_agree_with_published_examples(
    table: tuple[int, int, int, int], low: float, high: float, p_value: float
) -> None:
    first, second = paired_table(*table)

    found = paired_difference(second, first)

    assert found.interval is not None
    assert (found.test, found.interval.method) == ("mcnemar", "newcombe")
    assert ends(found.interval) == pytest.approx((low, high), abs=6e-4)
    assert found.p_value == pytest.approx(p_value, abs=5e-5)
    assert (found.wins, found.losses, found.ties) == (
        table[1],
        table[2],
        table[0] + table[3],
    )


def test_other_paired_scores_have_students_t() -> None:
    # Differences 1, 2, 3, 4, 0: mean 2, standard error sqrt(0.5), t = 2.828.
    found = paired_difference([0, 0, 0, 0, 7], [1, 2, 3, 4, 7])

    assert (found.n, found.difference, found.test) == (5, 2, "t")
    assert found.standard_error == pytest.approx(0.70711, abs=1e-5)
    assert ends(found.interval) == pytest.approx((0.03676, 3.96324), abs=1e-5)
    assert found.p_value == pytest.approx(0.04742, abs=1e-5)
    assert (found.wins, found.losses, found.ties) == (4, 0, 1)


def test_differences_that_do_not_vary_have_the_sign_test() -> None:
    found = paired_difference([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])

    assert found.test == "sign"
    assert found.p_value == pytest.approx(0.25)
    assert ends(found.interval) == pytest.approx((0.3, 0.3))


def test_no_difference_at_all() -> None:
    of_shares = paired_difference([0.5, 0.7], [0.5, 0.7])
    of_hits = paired_difference([1, 1, 0], [1, 1, 0])

    assert (of_shares.p_value, of_shares.ties) == (1, 2)
    assert of_hits.p_value == 1
    assert of_hits.difference == 0
    low, high = ends(of_hits.interval)
    assert low < 0 < high


def test_few_pairs() -> None:
    none = paired_difference([], [])
    one = paired_difference([0.2], [0.4])
    one_hit = paired_difference([0], [1])

    assert (none.n, none.difference, none.standard_error) == (0, None, None)
    assert (none.interval, none.p_value, none.test) == (None, None, None)
    assert (one.difference, one.interval) == (0.2, None)
    assert (one.p_value, one.test) == (1, "sign")
    assert (one_hit.difference, one_hit.p_value, one_hit.test) == (1, 1, "mcnemar")


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(DataError, match="the first list has 2 scores and the second 1"):
        paired_difference([1, 0], [1])
