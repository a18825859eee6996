"""The plain random search that optimisers are held against."""

from __future__ import annotations

import random
from collections.abc import Callable

import dspex
from dspex.teleprompt.copro.proposing import ProposeInstruction
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
        ground: Where. Programs are scored on its valset with the task's metric.
        draw: Draws a program.
        calls: Counts its calls.
        until: What the optimiser has spent.
    """
    rng = random.Random(f"random search {ground.task.seed}")
    rows, metric = ground.valset, ground.task.metric
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
    ground: Ground, rng: random.Random, program: dspex.Predict
) -> dspex.Predict:
    """Return a program with an instruction that the model proposes for the student.

    It is asked as `COPRO` asks at first, each time for another one.
    """
    program = program.deepcopy()
    propose = dspex.Predict(ProposeInstruction, temperature=1.0)
    said = propose(
        basic_instruction=ground.student.signature.instructions,
        config={"rollout_id": rng.randrange(10**9)},
    )
    told = program.signature.with_instructions(said.proposed_instruction)
    program.signature = told
    return program
