"""What a teacher's accepted run leaves: demos, by the predictor that made them."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from dspex.core.example import Example
from dspex.evaluate.results.outcome import Outcome, OutcomeKind
from dspex.programs.program import Program

Steps = Mapping[str, Sequence[Example]]
"""By predictor name, the demos one accepted run of the teacher gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What the rounds on one example came to."""

    demos: Steps | None = None
    """What it gives; `None` when no round was accepted."""
    errors: int = 0
    """Rounds that failed and count for `max_errors`."""

    def plain(self) -> dict[str, Any]:
        """Return it as an outcome keeps it, and the record of its run."""
        demos = self.demos
        kept = None if demos is None else {name: list(demos[name]) for name in demos}
        return {"demos": kept, "errors": self.errors}

    @classmethod
    def of(cls, outcome: Outcome | None) -> Self | None:
        """Return what an outcome says of it; `None` when it says nothing.

        A worker that was killed, or out of time, left no word of its rounds.
        """
        told = None if outcome is None else outcome.value
        if not isinstance(told, Mapping):
            return None
        return cls(demos=told["demos"], errors=told["errors"])


def demos_of(program: Program, trace: Sequence[Any]) -> Steps:
    """Turn a trace into demos, by the name of the predictor that made each step.

    A predictor that was called several times gives one of its steps, drawn by DSPy's
    rule: the last one, or with even chance one of those before.
    """
    names = {id(predictor): name for name, predictor in program.named_predictors()}
    found: dict[str, list[Example]] = {}
    for predictor, inputs, prediction in trace:
        name = names.get(id(predictor))
        if name is not None:
            demo = Example(augmented=True, **inputs, **dict(prediction.items()))
            found.setdefault(name, []).append(demo)
    return {name: [_one_of(demos)] for name, demos in found.items()}


def _one_of(demos: list[Example]) -> Example:
    if len(demos) == 1:
        return demos[0]
    text = json.dumps([demo.toDict() for demo in demos], sort_keys=True, default=repr)
    seed = hashlib.sha256(text.encode()).hexdigest()
    rng = random.Random(seed)  # noqa: S311 - to be repeated, no secret
    earlier = rng.random() < 0.5
    return rng.choice(demos[:-1]) if earlier else demos[-1]


def demos_in(outcome: Outcome | None) -> Steps | None:
    """The demos an outcome brought; `None` when its example was not accepted."""
    tried = Tried.of(outcome)
    return None if tried is None else tried.demos


def first_accepted(outcomes: Sequence[Outcome | None], count: int) -> dict[int, Steps]:
    """The first examples accepted with their demos, looking as far as there is no gap.

    Args:
        outcomes: One for each example, in order; `None` for what is not known, which
            is also so of what was given up.
        count: How many are wanted.
    """
    chosen: dict[int, Steps] = {}
    for number, outcome in enumerate(outcomes):
        is_known = outcome is not None and outcome.kind is not OutcomeKind.CANCELLED
        if not is_known or len(chosen) == count:
            break
        demos = demos_in(outcome)
        if demos is not None:
            chosen[number] = demos
    return chosen
