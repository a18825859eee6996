"""The contests, one for each optimiser: on which kind of task, against which draws.

The settings of a task are the same for all seeds; a seed decides which examples are
useful, how lucky the model is with each question, and what it proposes.
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any, Final

import dspex
from dspex.teleprompt import (
    BootstrapFewShot,
    BootstrapFewShotWithRandomSearch,
    Ensemble,
    KNNFewShot,
    LabeledFewShot,
)
from dspex.testing import ScriptedTask
from tests.truth.contest import Contest
from tests.truth.ground import Ground, ground_of
from tests.truth.random_search import with_demos

DEMOS: Final = 4
"""Demos a program has, where a contest is about which they are."""
MEMBERS: Final = 5
"""Programs of an ensemble; an odd number, so that no vote is a tie."""
KINDS: Final = 3
"""Kinds of questions, where demos only help questions of their own kind."""


def demos_of_four(ground: Ground, rng: random.Random) -> dspex.Predict:
    """Draw as many demos as the optimisers show."""
    return with_demos(ground, rng, DEMOS)


# Demos.


def on_right_labels(seed: int) -> Ground:
    """Rows are right, and some of them are useful as demos."""
    return ground_of(ScriptedTask(seed=seed, train=40, dev=100, words=()))


def on_wrong_labels(seed: int, useful_share: float = 0.4) -> Ground:
    """Half of the rows have a wrong answer, and are of no use as demos."""
    task = ScriptedTask(
        seed=seed,
        train=60,
        dev=160,
        words=(),
        base=0.3,
        demo_gain=0.15,
        most_demos=DEMOS,
        useful_share=useful_share,
    )
    return ground_of(task, chosen_on=60, mislabelled=0.5)


def labeled(ground: Ground) -> dspex.Module:
    """Show examples as they are."""
    return LabeledFewShot(k=16).compile(ground.student, trainset=ground.trainset)


def bootstrapped(ground: Ground) -> dspex.Module:
    """Show what the metric accepts."""
    optimiser = BootstrapFewShot(
        metric=ground.task.metric,
        max_bootstrapped_demos=DEMOS,
        max_labeled_demos=DEMOS,
        display_progress=False,
    )
    return optimiser.compile(ground.student, trainset=ground.trainset)


def searched(
    ground: Ground, candidates: int = 10
) -> dspex.Module:
    """Show the best of several sets of what the metric accepts."""
    optimiser = BootstrapFewShotWithRandomSearch(
        metric=ground.task.metric,
        max_bootstrapped_demos=DEMOS,
        max_labeled_demos=DEMOS,
        num_candidate_programs=candidates,
        display_progress=False,
    )
    return optimiser.compile(
        ground.student, trainset=ground.trainset, valset=ground.valset
    )


# Demos for each question.


def of_kinds(seed: int) -> Ground:
    """Demos help questions of their own kind only."""
    task = ScriptedTask(
        seed=seed,
        train=60,
        dev=60,
        words=(),
        base=0.4,
        demo_gain=0.2,
        most_demos=2,
        useful_share=0.5,
        kinds=KINDS,
    )
    return ground_of(task, chosen_on=30)


def kind_vectors(texts: list[str]) -> list[list[float]]:
    """Embed texts by the kind of item they are about."""
    return [[float(f"kind{kind}-" in text) for kind in range(KINDS)] for text in texts]


def by_neighbours(ground: Ground) -> dspex.Module:
    """Make demos for each question, and answer all of the testset with them.

    It asks when it answers, so that is what counts.
    """
    optimiser = KNNFewShot(
        k=8,
        trainset=ground.trainset,
        vectorizer=kind_vectors,
        metric=ground.task.metric,
        max_bootstrapped_demos=2,
        max_labeled_demos=8,
    )
    program = optimiser.compile(ground.student)
    for row in ground.testset:
        program(**row.inputs())
    return program


# Programs that vote.


def few_steps_up(seed: int) -> Ground:
    """The best single program is soon found, and is often wrong."""
    task = ScriptedTask(
        seed=seed,
        train=40,
        dev=120,
        words=(),
        base=0.4,
        demo_gain=0.15,
        most_demos=2,
        useful_share=0.5,
    )
    return ground_of(task, chosen_on=40)


def voting(ground: Ground) -> dspex.Module:
    """Let the best candidates of a search vote on all of the testset.

    Each has luck of its own, as models have at a temperature.
    """
    best: Any = searched(ground, candidates=8)
    members = [each["program"].deepcopy() for each in best.candidate_programs[:MEMBERS]]
    for number, member in enumerate(members):
        member.update_config(rollout_id=number + 1, temperature=1.0)
    program = Ensemble(reduce_fn=dspex.majority).compile(members)
    for row in ground.testset:
        program(**row.inputs())
    return program


def accuracy_of_votes(ground: Ground, program: Any) -> float:
    """Return how often more than half of the members are right.

    All wrong answers to a question are the same, so that less is outvoted.
    """
    by_member = [
        [ground.task.accuracy(member, [row]) for row in ground.testset]
        for member in program.programs
    ]
    won = [most_are_right(chances) for chances in zip(*by_member, strict=True)]
    return sum(won) / len(won)


def most_are_right(chances: tuple[float, ...]) -> float:
    """Return the chance that more than half are right, each with its own chance.

    Example:
        >>> round(most_are_right((0.7, 0.7, 0.7)), 3)
        0.784
    """
    by_count = [1.0]
    for chance in chances:
        missed = [(1 - chance) * known for known in by_count] + [0.0]
        hit = [0.0] + [chance * known for known in by_count]
        by_count = [a + b for a, b in zip(missed, hit, strict=True)]
    return sum(by_count[len(chances) // 2 + 1 :])


def best_vote(ground: Ground) -> float:
    """Return the accuracy of the best programs together."""
    return most_are_right((ground.task.optimum,) * MEMBERS)


CONTESTS: Final = (
    Contest(
        optimiser="LabeledFewShot",
        why=(
            "it makes no call. A random search without any cannot score a program, so "
            "it returns the student; to draw 16 rows is what LabeledFewShot is."
        ),
        ground=on_right_labels,
        optimise=labeled,
        budget=0,
        draw=partial(with_demos, many=16),
    ),
    Contest(
        optimiser="BootstrapFewShot",
        why=(
            "half of the rows are mislabelled; what the metric accepts is right. Random "
            "search draws as many demos from the rows as they are."
        ),
        ground=partial(on_wrong_labels, useful_share=0.8),
        optimise=bootstrapped,
        budget=60,
        draw=demos_of_four,
    ),
    Contest(
        optimiser="BootstrapFewShotWithRandomSearch",
        why=(
            "the same, with fewer useful rows. Random search draws as many demos from "
            "the rows as they are, and needs no teacher: it scores more sets."
        ),
        ground=on_wrong_labels,
        optimise=searched,
        budget=1000,
        draw=demos_of_four,
    ),
    Contest(
        optimiser="KNNFewShot",
        why=(
            "demos help questions of their kind. It asks when it answers, so random "
            "search gets what answering the testset costs, to find one set for all."
        ),
        ground=of_kinds,
        optimise=by_neighbours,
        budget=200,
        draw=partial(with_demos, many=8),
    ),
    Contest(
        optimiser="Ensemble",
        why=(
            "five candidates of a random search vote. The random search it is held "
            "against finds one program, with the calls of search and votes together."
        ),
        ground=few_steps_up,
        optimise=voting,
        budget=1000,
        draw=demos_of_four,
        accuracy=accuracy_of_votes,
        optimum=best_vote,
    ),
)
"""All of them, in the order they are held."""
