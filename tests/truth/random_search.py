"""The plain random search that optimisers are held against."""

from __future__ import annotations

import random
from collections.abc import Callable

import dspex
from dspex.teleprompt.proposing import ProposeInstruction
from tests.truth.calls import Calls
from tests.truth.ground import Ground

Draw = Callable[[Ground, random.Random], dspex.Predict]
"""Draws a program; whoever is asked for it is asked through the model of the task."""


def random_search(
    ground: Ground, draw: Draw, calls: Calls, *, until: int
) -> dspex.Predict:
    """Draw programs and score them as long as there are calls left; return the best.

    The last one is scored to its end, so it spends as many or a few more. Without any
    call nothing can be scored, and the student is returned.

    Args:
        ground: Where. Programs are scored on the valset, or on the trainset where
            there is none, with the task's metric.
        draw: Draws a program.
        calls: Counts its calls.
        until: What the optimiser has spent.
    """
    rng = random.Random(f"random search {ground.task.seed}")
    rows, metric = ground.valset or ground.trainset, ground.task.metric
    best, most = ground.student, -1
    while calls.made < until:
        program = draw(ground, rng)
        right = sum(bool(metric(row, program(**row.inputs()))) for row in rows)
        if right > most:
            best, most = program, right
    return best


def with_demos(ground: Ground, rng: random.Random, many: int) -> dspex.Predict:
    """Return the student with so many rows of the trainset, as they are."""
    program = ground.student.deepcopy()
    program.demos = rng.sample(list(ground.trainset), many)
    return program


def with_instruction(
    ground: Ground, rng: random.Random, program: dspex.Predict | None = None
) -> dspex.Predict:
    """Ask the model for an instruction as `COPRO` does at first; put it in a copy.

    Args:
        ground: Where.
        rng: Draws the rollout, so that each proposal is another.
        program: What gets the instruction; the student unless given.
    """
    program = (program or ground.student).deepcopy()
    propose = dspex.Predict(ProposeInstruction, temperature=1.0)
    said = propose(
        basic_instruction=ground.student.signature.instructions,
        config={"rollout_id": rng.randrange(10**9)},
    )
    told = program.signature.with_instructions(said.proposed_instruction)
    program.signature = told
    return program
