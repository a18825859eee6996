"""Contests of what asks more when it answers: demos for each question, and votes.

These optimisers spend little or nothing beforehand. So they answer the whole testset,
and all of that is theirs to account for: random search may spend it beforehand.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import dspex
from dspex.teleprompt import Ensemble, KNNFewShot
from tests.truth.contest import Contest
from tests.truth.demos import demos_drawn, searched
from tests.truth.ground import Ground, Size, ground_of
from tests.truth.random_search import with_demos

KINDS: Final = 3
"""Kinds of questions."""
NEAR: Final = 8
"""Examples that are looked at for a question; random search shows as many."""
MEMBERS: Final = 5
"""Programs that vote; an odd number, so that there is no tie."""


def of_kinds(seed: int, size: Size) -> Ground:
    """Demos help questions of their own kind only."""
    return ground_of(
        seed,
        size,
        words=(),
        base=0.4,
        demo_gain=0.2,
        most_demos=2,
        useful_share=0.5,
        kinds=KINDS,
    )


def soon_found(seed: int, size: Size) -> Ground:
    """The best single program is soon found, and is often wrong."""
    return ground_of(
        seed,
        size,
        words=(),
        base=0.5,
        demo_gain=0.1,
        most_demos=2,
        useful_share=0.5,
    )


def by_neighbours(ground: Ground) -> dspex.Module:
    """Make demos for each question of the testset."""
    optimiser = KNNFewShot(
        k=NEAR,
        trainset=ground.trainset,
        vectorizer=kind_vectors,
        metric=ground.task.metric,
        max_bootstrapped_demos=2,
        max_labeled_demos=NEAR,
    )
    return _having_answered(ground, optimiser.compile(ground.student))


def kind_vectors(texts: list[str]) -> list[list[float]]:
    """Embed texts by the kind of what they are about."""
    return [[float(f"kind{kind}-" in text) for kind in range(KINDS)] for text in texts]


def voting(ground: Ground) -> dspex.Module:
    """Let the best candidates of a search vote on each question of the testset.

    Each is as lucky as it is by itself, as models are at a temperature.
    """
    best: Any = searched(ground)
    members = [each["program"].deepcopy() for each in best.candidate_programs[:MEMBERS]]
    for number, member in enumerate(members, start=1):
        member.update_config(rollout_id=number, temperature=1.0)
    program = Ensemble(reduce_fn=dspex.majority).compile(members)
    return _having_answered(ground, program)


def _having_answered(ground: Ground, program: dspex.Module) -> dspex.Module:
    for row in ground.testset:
        program(**row.inputs())
    return program


def accuracy_of_votes(ground: Ground, program: Any) -> float:
    """Return how often more than half of the members are right.

    All wrong answers to a question are the same, so less than half cannot win.
    """
    by_member = [
        [ground.task.accuracy(member, [row]) for row in ground.testset]
        for member in program.programs
    ]
    won = [most_are_right(chances) for chances in zip(*by_member, strict=True)]
    return sum(won) / len(won)


def best_vote(ground: Ground) -> float:
    """Return the accuracy of the best programs together."""
    return most_are_right((ground.task.optimum,) * MEMBERS)


def most_are_right(chances: tuple[float, ...]) -> float:
    """Return the chance that more than half are right, each with a chance of its own.

    Example:
        >>> round(most_are_right((0.7, 0.7, 0.7)), 3)
        0.784
    """
    # By how many are right, of those looked at so far.
    known = [1.0]
    for chance in chances:
        wrong = [*((1 - chance) * each for each in known), 0.0]
        right = [0.0, *(chance * each for each in known)]
        known = [one + other for one, other in zip(wrong, right, strict=True)]
    return sum(known[len(chances) // 2 + 1 :])


CONTESTS: Final = (
    Contest(
        optimiser="KNNFewShot",
        why=(
            "Demos help questions of their own kind. Random search finds one set for "
            "all questions, of as many rows as are looked at for one."
        ),
        ground=of_kinds,
        optimise=by_neighbours,
        budget=250,
        draw=partial(with_demos, many=NEAR),
    ),
    Contest(
        optimiser="Ensemble",
        why=(
            "Five candidates of BootstrapFewShotWithRandomSearch vote. Random search "
            "finds one program, with the calls of that search and of all votes."
        ),
        ground=soon_found,
        optimise=voting,
        budget=1200,
        draw=demos_drawn,
        accuracy=accuracy_of_votes,
        optimum=best_vote,
    ),
)
"""They are held in this order."""
