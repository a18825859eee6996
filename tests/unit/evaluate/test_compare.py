"""Two results side by side: what is paired, what is left out, what is said."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex import Comparison, compare
from dspex.core.errors import (
    ConfigurationError,
    DataError,
    IncompleteResultError,
    NotBetterError,
)
from dspex.evaluate.results.outcome import OutcomeKind
from tests.unit.evaluate.outcomes import failed, of_scores, result_of, scored

SCORES = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=20)


def test_a_clear_gain_is_said_to_be_one_with_its_interval() -> None:
    first, second = of_scores(*[0.0] * 9, *[1.0] * 9), of_scores(*[1.0] * 18)

    found = compare(first, second)

    assert found.verdict == (
        "B is better than A by 50.0 points (95 % interval +22.6 to +71.0, p = 0.0039, "
        "18 examples: 9 won, 0 lost, 9 tied)."
    )
    assert (found.n, found.difference, found.complete) == (18, 50.0, True)
    assert (found.wins, found.losses, found.ties) == (9, 0, 9)
    assert found.is_better()
    assert not found.is_better(margin=25)


def test_the_other_way_round_it_is_a_loss() -> None:
    first, second = of_scores(*[0.0] * 9, *[1.0] * 9), of_scores(*[1.0] * 18)

    found = compare(second, first, names=("old", "new"))

    assert found.verdict.startswith("new is worse than old by 50.0 points")
    assert not found.is_better()


def test_a_difference_within_chance_is_not_said_to_be_one() -> None:
    first, second = of_scores(0, 1, 1, 0, 1), of_scores(1, 1, 1, 0, 0)

    found = compare(first, second)

    assert found.verdict.startswith("No difference between A and B is shown: +0.0")
    assert not found.is_better()
    assert not compare(second, first).is_better()


def test_equal_results_are_said_to_be_equal() -> None:
    one = of_scores(0.5, 0.25, 1.0)

    assert compare(one, one).verdict.startswith("A and B score the same on each")


def test_too_few_examples_are_said_to_be_too_few() -> None:
    assert "Too little is known" in compare(of_scores(0.5), of_scores(0.7)).verdict


def test_where_interval_and_test_disagree_nothing_is_shown() -> None:
    # Five of five won: Newcombe's interval lies above zero, McNemar's p is 0.0625.
    found = compare(of_scores(*[0.0] * 5), of_scores(*[1.0] * 5))

    assert found.interval is not None
    assert found.interval.low > 0
    assert not found.is_better()
    assert found.verdict.startswith("No difference")


def test_only_examples_that_both_measured_are_compared_and_the_rest_is_counted() -> (
    None
):
    first, second = of_scores(1, None, 1, None, 0.5), of_scores(0, 1, None, None, 0.5)

    found = compare(first, second)

    assert found.n == 2
    assert (found.only_first, found.only_second, found.neither) == (1, 1, 1)
    assert not found.complete
    assert "left out: 1 that only A measured, 1 that only B measured" in str(found)


def test_a_failure_is_measured_and_counts_as_one() -> None:
    first = result_of([scored(0, 1.0), failed(1, OutcomeKind.PROGRAM)])
    second = of_scores(1.0, 0.5)

    found = compare(first, second)

    assert (found.n, found.difference) == (2, 25.0)


def test_only_rows_that_differ_are_listed_with_both_answers() -> None:
    first = of_scores(1, 0, 0.5, 0)
    second = result_of(
        [
            scored(0, 1),
            scored(1, 1, prediction=dspex.Prediction(answer="better")),
            scored(2, 0.5),
            failed(3, OutcomeKind.MODEL),
        ]
    )

    rows = compare(first, second).rows

    assert [row.number for row in rows] == [1, 3]
    assert (rows[0].first.answer, rows[0].second.answer) == ("answer 1", "better")
    assert (rows[0].first_score, rows[0].second_score) == (0, 1)
    assert rows[0].difference == 1
    assert rows[0].example.question == "question 1"
    assert len(rows[1].second) == 0
    assert rows[:1] == (rows[0],)


def test_a_printed_comparison_shows_rows_and_says_how_many_more() -> None:
    found = compare(of_scores(*[0.0] * 12), of_scores(*[1.0] * 12))

    lines = str(found).splitlines()

    assert lines[0] == found.verdict
    assert lines[1].strip() == (
        "example 0: 0 -> 1  answer='answer 0' -> answer='answer 0'"
    )
    assert lines[-1].strip() == "and 2 more"


def test_columns_are_compared_where_both_have_a_number() -> None:
    first = result_of(
        [scored(n, 1, columns={"exact": 1.0, "f1": f1}) for n, f1 in enumerate((0, 0))]
    )
    second = result_of(
        [
            scored(0, 1, columns={"f1": 0.5, "new": 1.0}),
            scored(1, 1, columns={"f1": None, "new": 1.0}),
        ]
    )

    found = compare(first, second)

    assert list(found.columns) == ["f1"]
    assert (found.columns["f1"].n, found.columns["f1"].difference) == (1, 0.5)
    assert [row.number for row in found.rows] == [0, 1]


def test_trials_are_averaged_before_examples_are_compared() -> None:
    first = of_scores(1, 0, 1, 0, trials=2)
    second = of_scores(1, 1, trials=1)

    found = compare(first, second)

    assert (found.n, found.difference, found.wins) == (2, 50.0, 2)


def test_a_trial_that_was_not_measured_leaves_its_example_out() -> None:
    found = compare(of_scores(1, None, 1, 0, trials=2), of_scores(1, 1))

    assert (found.n, found.only_second) == (1, 1)


def test_examples_in_another_order_are_paired_by_what_they_are() -> None:
    first = of_scores(1, 0, 0.5, 0, 0)
    turned = [*reversed(first.examples[:4]), first.examples[4]]
    second = result_of(
        [scored(n, score) for n, score in enumerate((1, 0.5, 0, 1))] + [None],
        examples=turned,
    )

    found = compare(first, second)

    assert [(row.number, row.first_score, row.second_score) for row in found.rows] == [
        (3, 0, 1)
    ]
    assert found.rows[0].second.answer == "answer 0"
    assert (found.wins, found.ties, found.only_first) == (1, 3, 1)


def test_identical_rows_are_paired_one_to_one() -> None:
    row, other = (dspex.Example(q=q).with_inputs("q") for q in ("a", "b"))
    first = result_of(of_scores(1, 0, 1).outcomes, examples=[row, row, other])
    second = result_of(of_scores(1, 1, 0).outcomes, examples=[other, row, row])

    assert compare(first, second).ties == 3
    with pytest.raises(DataError, match="example 1"):
        compare(first, result_of(second.outcomes, examples=[other, row, other]))


def test_results_of_other_examples_are_refused_by_row() -> None:
    first, second = of_scores(1, 0), of_scores(1, 0)
    others = [first.examples[0], first.examples[1].copy(question="else")]
    second = result_of(second.outcomes, examples=others)

    with pytest.raises(DataError, match="example 1 of the first result is not among"):
        compare(first, second)
    with pytest.raises(DataError, match="2 examples and the second of 3"):
        compare(first, of_scores(1, 0, 1))


def test_results_counted_in_other_ways_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="failure_score"):
        compare(of_scores(1), of_scores(1, failure_score=-1.0))
    with pytest.raises(ConfigurationError, match="metric_range"):
        compare(of_scores(1), of_scores(1, metric_range=(0, 5)))


@given(SCORES, st.randoms(use_true_random=False))
def test_the_order_of_examples_and_of_the_two_changes_nothing_but_signs(
    scores: list[float], shuffling: random.Random
) -> None:
    pairs = [(score, shuffling.choice([0.0, 0.5, 1.0])) for score in scores]
    shuffled = shuffling.sample(pairs, len(pairs))

    def compared(rows: list[tuple[float, float]]) -> Comparison:
        return compare(
            of_scores(*(a for a, _ in rows)), of_scores(*(b for _, b in rows))
        )

    forth, mixed = compared(pairs), compared(shuffled)
    back = compared([(b, a) for a, b in pairs])

    assert forth.difference == mixed.difference
    assert forth.p_value == mixed.p_value
    assert (forth.wins, forth.losses) == (back.losses, back.wins)
    assert forth.difference == pytest.approx(-(back.difference or 0.0))
    assert not (forth.is_better() and back.is_better())


def test_the_gate_passes_what_is_better() -> None:
    worse, better = of_scores(*[0.0] * 9, *[1.0] * 9), of_scores(*[1.0] * 18)

    found = better.assert_better_than(worse, margin=20)

    assert found.difference == 50.0


def test_the_gate_stops_what_is_not_shown_to_be_better() -> None:
    worse, better = of_scores(*[0.0] * 9, *[1.0] * 9), of_scores(*[1.0] * 18)

    with pytest.raises(NotBetterError, match="more than 30 points: this is") as caught:
        better.assert_better_than(worse, margin=30)
    with pytest.raises(AssertionError):
        worse.assert_better_than(better)

    assert caught.value.comparison.difference == 50.0


def test_the_gate_may_allow_a_small_loss() -> None:
    draw = random.Random(5)
    old = [float(draw.random() < 0.8) for _ in range(400)]
    same = [score if draw.random() < 0.98 else 1 - score for score in old]

    found = of_scores(*same).assert_better_than(of_scores(*old), margin=-5)

    assert not found.is_better()


def test_the_gate_refuses_what_is_not_complete() -> None:
    whole, partly = of_scores(*[0.0] * 18), of_scores(*[1.0] * 17, None)

    with pytest.raises(IncompleteResultError, match="1 of 18 not measured") as caught:
        partly.assert_better_than(whole)
    with pytest.raises(IncompleteResultError, match="the evaluation of the other"):
        whole.assert_better_than(partly)

    assert caught.value.result is partly


def test_the_gate_calls_the_two_by_their_names() -> None:
    old, new = of_scores(*[1.0] * 18), of_scores(*[0.0] * 18)
    partly = of_scores(*[1.0] * 17, None)

    with pytest.raises(NotBetterError, match="new is not shown") as caught:
        new.assert_better_than(old, names=("new", "old"))
    with pytest.raises(IncompleteResultError, match="of old is not complete"):
        new.assert_better_than(partly, names=("new", "old"))

    assert "new is worse than old by 100.0 points" in str(caught.value)


def test_a_tiny_p_value_is_told_as_such() -> None:
    found = compare(of_scores(*[0.0] * 40), of_scores(*[1.0] * 40))

    assert "p < 0.0001" in found.verdict


def test_scores_of_different_metrics_are_not_compared() -> None:
    strict = replace(of_scores(1.0, 0.0), metrics=("exact", "length"))
    lenient = replace(of_scores(1.0, 1.0), metrics=("f1",))

    with pytest.raises(ConfigurationError, match="'exact' and the second by 'f1'"):
        compare(strict, lenient)

    assert compare(strict, replace(lenient, metrics=("exact",))).n == 2
    assert compare(strict, replace(lenient, metrics=())).n == 2
