"""Contests about instructions, alone and together with demos."""

from __future__ import annotations

import random
from typing import Final

import dspex
from dspex.teleprompt import COPRO, GEPA, MIPROv2
from tests.truth.contest import Contest
from tests.truth.ground import Ground, Size, ground_of
from tests.truth.random_search import with_demos, with_instruction

WORDS: Final = ("verbatim", "lowercase", "plainly", "once", "unquoted", "alone")
"""Words that help."""
SHOWN: Final = 4
"""Demos that `MIPROv2` and random search show alike."""


def for_words(seed: int, size: Size) -> Ground:
    """Words help, and what a prompt speaks of is more often in its answer."""
    return ground_of(
        seed,
        size,
        base=0.3,
        words=WORDS,
        word_gain=0.1,
        most_demos=0,
        proposal_share=0.15,
        echo_share=0.4,
    )


def for_both(seed: int, size: Size) -> Ground:
    """Words and demos help, and three rows of four are mislabelled."""
    return ground_of(
        seed,
        size,
        mislabelled=0.75,
        base=0.2,
        words=WORDS[:4],
        word_gain=0.1,
        most_demos=SHOWN,
        demo_gain=0.1,
        useful_share=0.8,
        proposal_share=0.4,
    )


def climbed(ground: Ground) -> dspex.Module:
    """Ask for wordings with the scores of the best of them in view."""
    optimiser = COPRO(
        metric=ground.task.metric,
        breadth=ground.size.tried,
        depth=3,
        display_progress=False,
    )
    return optimiser.compile(ground.student, trainset=ground.valset)


def evolved(ground: Ground) -> dspex.Module:
    """Ask for instructions with what went wrong in view."""
    optimiser = GEPA(
        metric=ground.task.feedback_metric,
        max_metric_calls=(4 + ground.size.tried) * ground.size.rows,
        reflection_lm=ground.task.lm(),
        display_progress=False,
    )
    return optimiser.compile(
        ground.student, trainset=ground.trainset, valset=ground.valset
    )


def combined(ground: Ground) -> dspex.Module:
    """Let a sampler combine instructions and sets of demos."""
    optimiser = MIPROv2(
        metric=ground.task.metric,
        auto=None,
        num_candidates=ground.size.tried,
        max_bootstrapped_demos=SHOWN,
        max_labeled_demos=SHOWN,
        seed=ground.task.seed + 1,
        display_progress=False,
    )
    return optimiser.compile(
        ground.student,
        trainset=ground.trainset,
        valset=ground.valset,
        num_trials=3 * ground.size.tried,
        minibatch_size=ground.size.rows // 2,
    )


def instruction_drawn(ground: Ground, rng: random.Random) -> dspex.Predict:
    """Draw one of the model's proposals."""
    return with_instruction(ground, rng, ground.student)


def both_drawn(ground: Ground, rng: random.Random) -> dspex.Predict:
    """Draw one of the model's proposals, and as many demos as `MIPROv2` shows."""
    return with_instruction(ground, rng, with_demos(ground, rng, SHOWN))


CONTESTS: Final = (
    Contest(
        optimiser="COPRO",
        why=(
            "Random search draws from the model's proposals for the instruction as it "
            "is, as COPRO's first round does, and scores them on the same rows."
        ),
        ground=for_words,
        optimise=climbed,
        budget=1000,
        draw=instruction_drawn,
    ),
    Contest(
        optimiser="MIPROv2",
        why=(
            "Random search draws an instruction from the model's proposals together "
            "with demos, from the rows as they are, and scores both on all rows."
        ),
        ground=for_both,
        optimise=combined,
        budget=1500,
        draw=both_drawn,
    ),
    Contest(
        optimiser="GEPA",
        why=(
            "Random search draws from the same proposals as for COPRO. It does not "
            "have the metric's words, every other of which leads astray."
        ),
        ground=for_words,
        optimise=evolved,
        budget=1000,
        draw=instruction_drawn,
    ),
)
"""They are held in this order."""
