"""`LabeledFewShot`: show the model some of the examples as they are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from dspex.core.callbacks import with_callbacks
from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.evaluate.devset import checked_set
from dspex.programs.program import Program

P = TypeVar("P", bound=Program)


class LabeledFewShot:
    """Gives every predictor `k` examples of the training set as demos.

    When to use it: first, as the yardstick for anything more costly; it makes no call.
    When not: for programs with steps between, which the examples say nothing about.

    The algorithm is DSPy's: one random generator with seed 0 draws for one predictor
    after the other.

    Args:
        k: Demos for each predictor.

    Raises:
        ConfigurationError: `k` is below one.
    """

    callback_kind: ClassVar[str] = "compile"

    def __init__(self, k: int = 16) -> None:
        if k < 1:
            raise ConfigurationError(
                f"k is {k}; it counts demos. Pass at least 1, or use the program as is."
            )
        self.k = k

    @with_callbacks
    def compile(
        self, student: P, *, trainset: Sequence[Example], sample: bool = True
    ) -> P:
        """Return a copy of `student` with demos; `student` stays as it is.

        Args:
            student: The program.
            trainset: Where the demos come from. Nobody needs to say which fields are
                inputs: the program's signatures do.
            sample: Draw them at random; else take the first `k`.

        Raises:
            ConfigurationError: The training set is empty.
        """
        refuse_dspy(student, "student")
        rows = checked_set(trainset, "trainset", have_inputs=False)
        return labelled(student, rows, self.k, sample=sample)


def labelled(student: P, rows: Sequence[Example], k: int, *, sample: bool = True) -> P:
    """Return a copy of a program whose predictors have `k` of the examples as demos.

    Args:
        student: The program; it is left as it is.
        rows: Where the demos come from.
        k: How many, at most.
        sample: Draw them at random; else take the first.
    """
    compiled = student.reset_copy()
    rng = random.Random(0)  # noqa: S311 - a draw that can be repeated, no secret
    count = min(k, len(rows))
    for predictor in compiled.predictors():
        drawn = rng.sample(list(rows), count) if sample else list(rows[:count])
        predictor.demos = drawn
    return compiled
