"""Where a contest is held: a task with a planted optimum, its rows, and its student."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import dspex
from dspex import Example
from dspex.testing import ScriptedTask

STUDENT = "question -> answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A task, and three sets of rows that have none in common."""

    task: ScriptedTask
    """The task; it knows how good every program is."""
    trainset: Sequence[Example]
    """What is learnt from."""
    valset: Sequence[Example]
    """What is chosen by; empty where the trainset is."""
    testset: Sequence[Example]
    """What the accuracy is of: nothing was learnt from it or chosen by it."""
    student: dspex.Predict = field(default_factory=lambda: dspex.Predict(STUDENT))
    """The program to improve."""

    def accuracy(self, program: dspex.Module) -> float:
        """Return the true accuracy of a program, from 0 to 1."""
        return self.task.accuracy(program, self.testset)


def ground_of(
    task: ScriptedTask, *, chosen_on: int = 0, mislabelled: float = 0.0
) -> Ground:
    """Cut a task's rows into sets.

    Args:
        task: The task.
        chosen_on: How many of the devset are chosen by; the others are the testset.
        mislabelled: The share of the trainset whose answer is wrong, drawn by the
            task's seed. As a demo such a row helps nobody.
    """
    rng = random.Random(f"mislabelled {task.seed}")
    return Ground(
        task=task,
        trainset=[
            row.copy(answer="mislabelled") if rng.random() < mislabelled else row
            for row in task.trainset
        ],
        valset=task.devset[:chosen_on],
        testset=task.devset[chosen_on:],
    )
