"""Contests about demos: which rows to show the model."""

from __future__ import annotations

import random
from functools import partial
from typing import Any, Final

import dspex
from dspex.teleprompt import (
    BootstrapFewShot,
    BootstrapFewShotWithRandomSearch,
    LabeledFewShot,
)
from tests.truth.contest import Contest
from tests.truth.ground import Ground, Size, ground_of
from tests.truth.random_search import with_demos

SHOWN: Final = 6
"""Demos that optimisers and random search show alike."""


def on_right_labels(seed: int, size: Size) -> Ground:
    """Rows are right, and some of them help as demos."""
    return ground_of(seed, size, words=())


def on_wrong_labels(seed: int, size: Size) -> Ground:
    """Three rows of four have a wrong answer; most of the others help as demos."""
    return ground_of(
        seed,
        size,
        mislabelled=0.75,
        words=(),
        base=0.4,
        demo_gain=0.1,
        most_demos=SHOWN,
        useful_share=0.8,
    )


def labeled(ground: Ground) -> dspex.Module:
    """Show rows as they are."""
    return LabeledFewShot(k=16).compile(ground.student, trainset=ground.trainset)


def bootstrapped(ground: Ground) -> dspex.Module:
    """Show what the metric accepts."""
    optimiser = BootstrapFewShot(**_shown(ground))
    return optimiser.compile(ground.student, trainset=ground.trainset)


def searched(ground: Ground) -> dspex.Module:
    """Show the best of several sets of what the metric accepts."""
    optimiser = BootstrapFewShotWithRandomSearch(
        num_candidate_programs=ground.size.tried, **_shown(ground)
    )
    return optimiser.compile(
        ground.student, trainset=ground.trainset, valset=ground.valset
    )


def demos_drawn(ground: Ground, rng: random.Random) -> dspex.Predict:
    """Draw as many demos as the optimisers show."""
    return with_demos(ground, rng, SHOWN)


def _shown(ground: Ground) -> dict[str, Any]:
    return {
        "metric": ground.task.metric,
        "max_bootstrapped_demos": SHOWN,
        "max_labeled_demos": SHOWN,
        "display_progress": False,
    }


CONTESTS: Final = (
    Contest(
        optimiser="LabeledFewShot",
        why=(
            "It makes no call, and a random search without any cannot score a program: "
            "it returns the student. (To draw 16 rows is what LabeledFewShot is.)"
        ),
        ground=on_right_labels,
        optimise=labeled,
        budget=0,
        draw=partial(with_demos, many=16),
    ),
    Contest(
        optimiser="BootstrapFewShot",
        why=(
            "Three rows of four are mislabelled, and what the metric accepts is right. "
            "Random search draws as many demos, from the rows as they are."
        ),
        ground=on_wrong_labels,
        optimise=bootstrapped,
        budget=100,
        draw=demos_drawn,
    ),
    Contest(
        optimiser="BootstrapFewShotWithRandomSearch",
        why=(
            "The same rows. Random search draws as many demos, from the rows as they "
            "are; it has no teacher to pay, so it scores more sets."
        ),
        ground=on_wrong_labels,
        optimise=searched,
        budget=1200,
        draw=demos_drawn,
    ),
)
"""They are held in this order."""
