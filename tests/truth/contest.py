"""One contest: an optimiser and random search on the same task, with as many calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import dspex
from tests.truth.calls import Calls
from tests.truth.ground import FULL, Ground, Size
from tests.truth.random_search import Draw, random_search

Found = Callable[[Ground], dspex.Module]
"""Lets an optimiser work, and returns what it found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What is held against what, and on which kind of task."""

    optimiser: str
    """The optimiser's name."""
    why: str
    """What the task rewards, and why the comparison is fair."""
    ground: Callable[[int, Size], Ground]
    """Makes the ground of a seed; its settings are the same for all."""
    optimise: Found
    """Lets the optimiser work; all calls of it count."""
    budget: int
    """Calls it may make; about what its `plan` says for the worst luck."""
    draw: Draw
    """Draws a program for the random search."""
    accuracy: Callable[[Ground, dspex.Module], float] = Ground.accuracy
    """The true accuracy of what the optimiser found."""
    optimum: Callable[[Ground], float] = lambda ground: ground.task.optimum
    """The best accuracy that what it searches can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How a contest ended for one seed. Accuracies are true ones, from 0 to 1."""

    seed: int
    """The seed of the task."""
    student: float
    """Of the program that was to be improved."""
    found: float
    """Of what the optimiser found."""
    drawn: float
    """Of what the random search found."""
    optimum: float
    """The best there is."""
    calls: int
    """What the optimiser spent."""
    calls_drawn: int
    """What the random search spent."""
    seconds: float
    """Wall time of both together."""

    @property
    def share(self) -> float:
        """How much of the way from the student to the optimum was gone."""
        return (self.found - self.student) / (self.optimum - self.student)


def held(contest: Contest, seed: int, size: Size = FULL) -> Held:
    """Hold a contest. Nothing is written to disk."""
    ground, began = contest.ground(seed, size), time.monotonic()
    config = dspex.Config(persist=False)
    with dspex.Runtime(config), dspex.context(lm=ground.task.lm(), concurrency=1):
        spent, spent_drawn = Calls(), Calls()
        with dspex.context(callbacks=[spent]):
            found = contest.optimise(ground)
        with dspex.context(callbacks=[spent_drawn]):
            drawn = random_search(ground, contest.draw, spent_drawn, until=spent.made)
        return Held(
            seed=seed,
            student=ground.accuracy(ground.student),
            found=contest.accuracy(ground, found),
            drawn=ground.accuracy(drawn),
            optimum=contest.optimum(ground),
            calls=spent.made,
            calls_drawn=spent_drawn.made,
            seconds=time.monotonic() - began,
        )
