"""A teacher that answers for many at a time."""

from __future__ import annotations

from dspex.core.example import Example
from dspex.programs.program import Program


class Teacher:
    """Gives each attempt a copy of a program, which no other attempt sees.

    The demos themselves are shared, as nothing changes them: copying them along would
    cost more than all else that is ours in an attempt.

    Args:
        program: The program; it is left as it is.
    """

    def __init__(self, program: Program) -> None:
        self._demos = [list(predictor.demos) for predictor in program.predictors()]
        self._bare = program.deepcopy()
        for predictor in self._bare.predictors():
            predictor.demos = []

    def without(self, example: Example) -> Program:
        """Return a copy that never shows an example its own answer."""
        copy = self._bare.deepcopy()
        for predictor, demos in zip(copy.predictors(), self._demos, strict=True):
            predictor.demos = [demo for demo in demos if demo != example]
        return copy
