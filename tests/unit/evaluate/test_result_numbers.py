"""A result's numbers: their bounds, several trials, lost cells, sums of a record."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.evaluate.record.entries import Totals
from dspex.evaluate.results.outcome import ErrorNote, OutcomeKind
from dspex.evaluate.results.standing import Rules, Standing
from tests.unit.evaluate.outcomes import failed, of_scores, result_of, scored


def test_the_line_says_how_much_was_not_measured_and_why() -> None:
    missing = [
        *(failed(n, OutcomeKind.TIMEOUT) for n in range(3)),
        failed(3, OutcomeKind.INFRASTRUCTURE, "LMServerError"),
        failed(4, OutcomeKind.INFRASTRUCTURE, "LMConnectionError"),
    ]
    known = [scored(n, float(n < 162)) for n in range(195)]

    found = result_of([*missing, *known])

    assert str(found).splitlines()[0] == (
        "81.0, could be up to 83.5: 5 of 200 not measured (3 timeout, 2 provider)"
    )


def test_what_is_no_providers_fault_is_not_called_so() -> None:
    found = result_of(
        [
            failed(0, OutcomeKind.INFRASTRUCTURE, "WorkerKilled"),
            failed(1, OutcomeKind.INFRASTRUCTURE, "BudgetExceededError"),
            failed(2, OutcomeKind.INFRASTRUCTURE, "LMRateLimitError"),
        ]
    )

    assert found.not_measured == {"infrastructure": 2, "provider": 1}


def test_another_range_gives_its_own_bounds() -> None:
    found = of_scores(4.0, 2.0, None, None, metric_range=(0, 5))

    assert found.score == 150.0
    assert found.score_range == (150.0, 400.0)
    assert "could be up to 400.0" in str(found)


def test_a_failure_score_inside_the_range_is_no_lower_bound() -> None:
    found = of_scores(1.0, None, metric_range=(-1, 1))

    assert (found.score, found.score_range) == (50.0, (0.0, 100.0))
    assert str(found).startswith("50.0, could be between 0.0 and 100.0: 1 of 2")


def test_a_failure_score_outside_the_range_widens_it() -> None:
    found = of_scores(1.0, None, failure_score=-1.0)

    assert found.score_range == (0.0, 100.0)


def test_a_metric_without_bounds_has_a_range_without_bounds() -> None:
    found = of_scores(1.0, None, metric_range=(-math.inf, math.inf))

    assert found.score_range == (-math.inf, math.inf)
    assert str(found).startswith("50.0, could be between -inf and inf")


def test_the_range_of_a_complete_result_is_its_score() -> None:
    found = of_scores(1.0, 0.5, metric_range=(-3, 7))

    assert found.score_range == (75.0, 75.0)


PAIRS_OF_ROWS = st.lists(
    st.tuples(st.floats(-1, 2), st.booleans()), min_size=2, max_size=24
).filter(lambda rows: len(rows) % 2 == 0)


@given(PAIRS_OF_ROWS, st.sampled_from([1, 2]), st.floats(-2, 3))
def test_the_range_holds_the_clean_score_whatever_was_missing(
    rows: list[tuple[float, bool]], trials: int, failure_score: float
) -> None:
    how: dict[str, Any] = {
        "metric_range": (-1, 2),
        "trials": trials,
        "failure_score": failure_score,
    }
    clean = of_scores(*(score for score, _ in rows), **how)

    found = of_scores(*(s if there else None for s, there in rows), **how)

    low, high = found.score_range
    assert low <= clean.score <= high
    assert low <= found.score <= high


@given(PAIRS_OF_ROWS, st.randoms(use_true_random=False))
def test_the_order_of_examples_changes_no_number(
    rows: list[tuple[float, bool]], shuffling: random.Random
) -> None:
    shuffled = shuffling.sample(rows, len(rows))

    one, other = (
        of_scores(*(s if there else None for s, there in each))
        for each in (rows, shuffled)
    )

    assert one.score == other.score
    assert one.stderr == pytest.approx(other.stderr)
    assert one.score_range == other.score_range
    assert one.score_measured == other.score_measured


def test_an_interval_may_be_asked_for_by_method_and_confidence() -> None:
    found = of_scores(1, 0, 1, 1)

    whole, narrow = found.interval, found.confidence_interval(confidence=0.5)
    student = found.confidence_interval(method="t")
    drawn = found.confidence_interval(method="bootstrap", seed=3)

    assert whole is not None
    assert narrow is not None
    assert student is not None
    assert found.confidence_interval() == whole
    assert narrow.low > whole.low
    assert (whole.method, student.method) == ("wilson", "t")
    assert drawn == of_scores(1, 1, 1, 0).confidence_interval(
        method="bootstrap", seed=3
    )


def test_trials_are_averaged_and_examples_are_what_is_drawn() -> None:
    once, thrice = of_scores(1, 0), of_scores(1, 1, 1, 0, 0, 0, trials=3)

    assert thrice.n == 2
    assert thrice.scores == (1.0, 0.0)
    assert thrice.trial_scores == ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    assert (thrice.score, thrice.stderr) == (once.score, once.stderr)
    assert str(thrice) == "50.0 ± 50.0 (2 examples, 3 trials each)"
    assert [row[2] for row in thrice.results] == [1.0, 0.0]


def test_a_missing_trial_is_named_as_one() -> None:
    found = of_scores(1, None, 1, 1, trials=2)

    assert str(found).startswith("75.0, could be up to 100.0: 1 of 4 trials not")
    assert found.score_measured == 100.0


def test_with_trials_a_row_has_the_first_prediction_there_is() -> None:
    found = of_scores(None, 1, 0, 0, trials=2)

    answers = [prediction.answer for _, prediction, _ in found.results]

    assert answers == ["answer 1", "answer 2"]


def test_pass_at_k_is_without_bias_and_counts_what_is_missing_as_not_passed() -> None:
    found = of_scores(1, 0, 0, 0, 1, 1, None, 0.9, trials=4)

    assert found.pass_at() == 37.5
    # 1 - C(3,2)/C(4,2) = 1/2, and 1 - C(2,2)/C(4,2) = 5/6.
    assert found.pass_at(2) == 66.67
    assert found.pass_at(4) == 100.0
    assert found.pass_at(1, threshold=0.9) == 50.0
    with pytest.raises(dspex.ConfigurationError, match=r"trials=5"):
        found.pass_at(5)


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.integers(1, 7))
def test_pass_at_k_is_the_share_of_choices_that_hold_a_pass(
    passed: list[bool], k: int
) -> None:
    k = min(k, len(passed))

    found = of_scores(*map(float, passed), trials=len(passed)).pass_at(k)

    draws = list(itertools.combinations(passed, k))
    assert found == pytest.approx(100 * sum(map(any, draws)) / len(draws), abs=0.006)


def test_the_score_of_first_attempts_stands_beside() -> None:
    found = result_of(
        [
            scored(0, 1.0, first_score=0.0),
            scored(1, 1.0),
            failed(2, OutcomeKind.PROGRAM),
        ]
    )

    assert (found.score, found.score_first_attempt) == (66.67, 33.33)
    assert "33.3 by first attempts alone" in str(found)
    assert "first attempts" not in str(of_scores(1.0))


def test_a_lost_cell_is_listed_as_a_cause_and_its_row_counts() -> None:
    note = ErrorNote(stage="metric", type="ZeroDivisionError", message="no", where="")
    lost = {"f1": note}
    columns = {"exact": 1.0, "f1": None}

    found = result_of([scored(n, 1.0, columns=columns, lost=lost) for n in range(2)])

    assert (found.score, found.complete) == (100.0, True)
    assert found.columns["f1"] == (None, None)
    assert found.failure_lines == (
        "2 lost their 'f1' by metric (ZeroDivisionError), first example 0: no",
    )


@given(
    st.lists(st.sampled_from([0.0, 0.25, 1.0]), max_size=8),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([0.0, 0.5]),
)
def test_totals_tell_where_a_run_stands_as_its_rows_do(
    scores: list[float], failing: int, missing: int, failure_score: float
) -> None:
    rows = [
        *(scored(n, score) for n, score in enumerate(scores)),
        *(failed(n, OutcomeKind.PROGRAM) for n in range(failing)),
        *[None] * missing,
    ]
    rules = Rules(failure_score=failure_score, metric_range=(0.0, 1.0))
    totals = Totals(
        n=len(scores) + failing,
        scored=len(scores),
        total=math.fsum(scores),
        squares=math.fsum(score * score for score in scores),
        lowest=min(scores, default=None),
        highest=max(scores, default=None),
        by_kind={OutcomeKind.SCORED: len(scores), OutcomeKind.PROGRAM: failing},
    )

    held = Standing.of(rows, rules)
    told = Standing.of_totals(totals, n=len(rows), rules=rules)

    for name in ("low", "high", "measured"):
        assert getattr(told, name) == pytest.approx(getattr(held, name))
    for name in ("n", "mean", "standard_error", "binary"):
        assert getattr(told.moments, name) == pytest.approx(
            getattr(held.moments, name), abs=1e-9
        )
