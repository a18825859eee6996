"""Several sets of demos for one program, drawn by seed: what `MIPROv2` chooses from.

The sets are DSPy's, drawn as DSPy draws them; they are made side by side.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from dspex.core.example import Example
from dspex.programs.program import Program
from dspex.teleprompt.few_shot.bootstrapping import Bootstrapping
from dspex.teleprompt.few_shot.labeled_few_shot import labelled
from dspex.teleprompt.studies.study import Study

Demos = tuple[tuple[Example, ...], ...]
"""The demos of one set, by predictor."""

ZERO_SHOT, LABELS_ONLY, UNSHUFFLED = -3, -2, -1
"""Seeds that stand for the sets before the drawn ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSet:
    """What one set is to be made of: drawn beforehand, as no answer changes it."""

    seed: int
    """Which one it is."""
    rows: tuple[Example, ...]
    """The examples in the order they are tried."""
    size: int
    """Demos made by the teacher, at most."""

    def is_bootstrapped(self, how: Bootstrapping) -> bool:
        """Whether a teacher makes its demos."""
        if self.seed == LABELS_ONLY:
            return not how.max_labeled_demos
        return self.seed != ZERO_SHOT


def drawn_sets(
    count: int, rows: Sequence[Example], how: Bootstrapping, rng: random.Random
) -> list[DemoSet]:
    """Draw what each set is made of.

    Args:
        count: How many sets; the first three are without demos, with labels only, and
            in the order of the rows.
        rows: The training set.
        how: How demos are made.
        rng: Where draws come from; it goes on from there.
    """
    sets = []
    for seed in range(ZERO_SHOT, count + ZERO_SHOT):
        made = DemoSet(seed=seed, rows=tuple(rows), size=how.max_bootstrapped_demos)
        if seed != UNSHUFFLED and made.is_bootstrapped(how):
            order = list(rows)
            rng.shuffle(order)
            size = rng.randint(1, how.max_bootstrapped_demos)
            made = replace(made, rows=tuple(order), size=size)
        sets.append(made)
    return sets


def made_sets(
    study: Study, student: Program, how: Bootstrapping, sets: Sequence[DemoSet]
) -> list[Demos]:
    """Make the sets side by side, and return them in their order."""
    pieces = [partial(_made, study, student, how, each) for each in sets]
    return list(study.side_by_side(pieces))


def _made(study: Study, student: Program, how: Bootstrapping, each: DemoSet) -> Demos:
    if each.is_bootstrapped(how):
        how = replace(how, max_bootstrapped_demos=each.size)
        name = f"demos{each.seed - ZERO_SHOT:03d}"
        teacher = study.order.teacher
        program, _ = how.taught(study, name, student, teacher, each.rows)
    elif each.seed == LABELS_ONLY:
        program = labelled(student, each.rows, how.max_labeled_demos)
    else:
        program = student.reset_copy()
    return tuple(tuple(predictor.demos) for predictor in program.predictors())
