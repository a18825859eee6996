"""The contests in small: they run, count, and judge. Their full size is a command."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from click.testing import CliRunner

import dspex
from tests.truth.__main__ import CONTESTS, main
from tests.truth.answering import most_are_right
from tests.truth.calls import Calls
from tests.truth.contest import Contest, Held, held
from tests.truth.demos import on_right_labels, on_wrong_labels
from tests.truth.ground import FULL, SMALL, Ground
from tests.truth.random_search import random_search, with_demos
from tests.truth.verdict import Verdict, line_of


def ended(seed: int, *, found: float, drawn: float, calls: int = 10) -> Held:
    return Held(
        seed=seed,
        student=0.2,
        found=found,
        drawn=drawn,
        optimum=1.0,
        calls=calls,
        calls_drawn=10,
        seconds=0.1,
    )


def verdict(*contests: Held) -> Verdict:
    return Verdict(contest=replace(CONTESTS[0], budget=10), held=contests)


@pytest.mark.parametrize("contest", CONTESTS, ids=lambda each: each.optimiser)
def test_no_optimiser_is_worse_than_its_student(contest: Contest) -> None:
    found = held(contest, seed=1, size=SMALL)

    assert found.student <= found.found <= found.optimum
    assert found.calls <= contest.budget
    assert found.calls_drawn >= found.calls, "random search may spend as much"


def test_random_search_returns_the_best_program_it_drew() -> None:
    ground, calls = on_right_labels(1, SMALL), Calls()
    sizes = iter((0, 16, 1, 3))

    def draw(ground: Ground, rng: random.Random) -> dspex.Predict:
        return with_demos(ground, rng, next(sizes))

    with dspex.context(lm=ground.task.lm(), callbacks=[calls]):
        best = random_search(ground, draw, calls, until=4 * len(ground.valset))

    assert calls.made == 4 * len(ground.valset)
    assert len(best.demos) == 16, "all rows, the useful ones among them"


def test_random_search_without_a_call_returns_the_student() -> None:
    ground = on_wrong_labels(0, SMALL)

    found = random_search(ground, CONTESTS[0].draw, Calls(), until=0)

    assert found is ground.student


def test_mislabelled_rows_help_nobody_as_demos() -> None:
    ground = on_wrong_labels(0, FULL)
    wrong = [row for row in ground.trainset if row.answer == "mislabelled"]
    program = ground.student.deepcopy()
    program.demos = wrong

    assert len(wrong) == pytest.approx(0.75 * len(ground.trainset), abs=10)
    assert ground.accuracy(program) == ground.accuracy(ground.student)


def test_a_lead_whose_interval_reaches_nothing_is_told_and_judged() -> None:
    pairs = [(0.9, 0.8), (0.9, 1.0), (0.9, 0.9)]
    contests = [
        ended(number, found=found, drawn=drawn)
        for number, (found, drawn) in enumerate(pairs)
    ]

    assert verdict(*contests).missed == ["not shown to beat random search"]
    assert "not shown to beat" in line_of(verdict(*contests))


def test_a_clear_lead_near_the_optimum_misses_nothing() -> None:
    contests = [ended(number, found=0.9, drawn=0.5) for number in range(10)]

    assert verdict(*contests).missed == []
    told = line_of(verdict(*contests)).split()
    assert told[:5] == ["LabeledFewShot", "20.0", "50.0", "90.0", "100.0"]


def test_what_is_far_from_the_optimum_or_over_its_budget_is_told() -> None:
    contests = [ended(each, found=0.5, drawn=0.3, calls=11) for each in range(10)]

    near, within = verdict(*contests).missed

    assert near == "not shown to go 60% of the way"
    assert within == "more than 10 calls"


def test_a_vote_is_right_as_often_as_more_than_half_are() -> None:
    assert most_are_right((1.0, 1.0, 0.0)) == 1.0
    assert most_are_right((0.5,) * 5) == pytest.approx(0.5)
    assert most_are_right((0.6, 0.9, 0.2)) == pytest.approx(
        0.6 * 0.9 + 0.6 * 0.2 + 0.9 * 0.2 - 2 * 0.6 * 0.9 * 0.2
    )


@pytest.mark.parametrize(("seeds", "status"), [(2, 1), (6, 0)])
def test_the_command_ends_with_1_unless_all_is_shown(seeds: int, status: int) -> None:
    words = ["--seeds", str(seeds), "--optimiser", "LabeledFewShot", "--json"]

    done = CliRunner().invoke(main, words)

    assert done.exit_code == status
    assert len(json.loads(done.stdout)["LabeledFewShot"]["held"]) == seeds
