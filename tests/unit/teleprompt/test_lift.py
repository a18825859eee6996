"""How much better a winner is on rows it was not chosen on."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.lift import cross_fitted, judged

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def tried(number: int, scores: list[float]) -> Candidate:
    score = 100 * sum(scores) / len(scores)
    return Candidate(
        number=number, label="", origin="", score=score, scores=tuple(scores)
    )


def shown_by(seed: int) -> tuple[bool, bool]:
    """Whether the best of 200 coins is said to fall right in more than half of cases:
    judged on the rows it was chosen on, and by what the other half chooses."""
    rng = random.Random(seed)
    coins = [[float(rng.random() < 0.5) for _ in range(30)] for _ in range(200)]
    candidates = [tried(number, coin) for number, coin in enumerate(coins)]
    best = max(candidates, key=lambda each: each.score or 0.0)
    half = [0.5] * 30
    lucky = judged(half, best.scores, "its own rows")
    return lucky.is_shown, cross_fitted(half, candidates, "the valset").is_shown


def test_of_many_equally_good_ones_the_winner_is_rarely_said_to_be_better() -> None:
    shown = [shown_by(seed) for seed in range(40)]

    assert sum(lucky for lucky, _ in shown) > 30
    # One in forty, by the interval.
    assert sum(honest for _, honest in shown) <= 3


def test_one_that_is_better_on_every_part_is_judged_as_it_is() -> None:
    candidates = [tried(0, [0.0] * 30), tried(1, [1.0] * 30)]

    lift = cross_fitted([0.0] * 30, candidates, "the valset")

    assert lift.points == 100.0
    assert lift.is_shown


@given(SCORES)
def test_with_one_candidate_there_is_nothing_to_choose(scores: list[float]) -> None:
    lift = cross_fitted([0.0] * len(scores), [tried(0, scores)], "the valset")

    assert lift.paired == judged([0.0] * len(scores), scores, "").paired


@given(st.integers(1, 30), st.integers(1, 6), st.randoms(use_true_random=False))
def test_no_row_has_a_say_in_what_it_judges(
    rows: int, count: int, rng: random.Random
) -> None:
    # Of so few digits that none is lost when a row rises, and what differs by little
    # does not become the same.
    scores = [[rng.randrange(1_024) / 1_024 for _ in range(rows)] for _ in range(count)]
    row = rng.randrange(rows)
    raised = [list(each) for each in scores]
    for each in raised:
        each[row] += 1.0

    before = cross_fitted([0.0] * rows, map(tried, range(count), scores), "")
    after = cross_fitted([0.0] * rows, map(tried, range(count), raised), "")

    # All rise alike on that row, so whatever is chosen for it stays chosen.
    assert before.points is not None
    assert after.points is not None
    assert abs(after.points - before.points - 100.0 / rows) < 1e-6


def test_a_candidate_that_was_not_measured_on_all_rows_is_never_chosen() -> None:
    part = Candidate(number=0, label="", origin="", seen=100.0, scores=())

    lift = cross_fitted([0.0, 0.0], [part, tried(1, [1.0, 0.0])], "the valset")

    assert lift.points == 50.0
