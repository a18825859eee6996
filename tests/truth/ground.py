"""Where a contest is held: a task with a planted optimum, its rows, and its student."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import dspex
from dspex import Example
from dspex.testing import ScriptedTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much work a contest is."""

    rows: int = 40
    """Rows that are chosen by; there are twice as many to learn from."""
    tested: int = 30
    """Rows that an accuracy is the mean of."""
    tried: int = 8
    """About how many candidates a search has, as far as it may say so."""


FULL = Size()
"""What a verdict is of."""
SMALL = Size(rows=8, tested=3, tried=2)
"""Enough to see that a contest can be held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A task, and three sets of rows that have none in common."""

    task: ScriptedTask
    """The task; it knows how good every program is."""
    trainset: Sequence[Example]
    """What is learnt from."""
    valset: Sequence[Example]
    """What is chosen by."""
    testset: Sequence[Example]
    """What the accuracy is of: nothing was learnt from it or chosen by it."""
    size: Size
    """How much is tried."""
    student: dspex.Predict = field(
        default_factory=lambda: dspex.Predict("question -> answer")
    )
    """The program to improve."""

    def accuracy(self, program: dspex.Module) -> float:
        """Return the true accuracy of a program, from 0 to 1."""
        return self.task.accuracy(program, self.testset)


def ground_of(
    seed: int, size: Size, *, mislabelled: float = 0.0, **settings: object
) -> Ground:
    """Make a task, and cut its rows into sets.

    Args:
        seed: The task's.
        size: How many rows there are.
        mislabelled: The share of the trainset whose answer is wrong, drawn by the
            task's seed. As a demo such a row helps nobody.
        settings: What else `ScriptedTask` takes.
    """
    sizes = {"train": 2 * size.rows, "dev": size.rows + size.tested}
    task = ScriptedTask(seed=seed, **sizes, **settings)  # type: ignore[arg-type] # by name
    rng = random.Random(f"mislabelled {seed}")
    return Ground(
        task=task,
        trainset=[
            row.copy(answer="mislabelled") if rng.random() < mislabelled else row
            for row in task.trainset
        ],
        valset=task.devset[: size.rows],
        testset=task.devset[size.rows :],
        size=size,
    )
