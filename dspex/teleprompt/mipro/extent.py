"""How much `MIPROv2` tries, and on which rows; pure but for the draws it makes."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.teleprompt.mipro.prompt_search import Trials

Auto = Literal["light", "medium", "heavy"]
"""How much is tried, in a word."""

SHARE_TO_CHOOSE_BY: Final = 0.8
"""The part of the training set to choose by, where no valset is given."""
MOST_TO_CHOOSE_BY: Final = 1000
"""Rows of it at most."""
SMALLEST_TO_PART: Final = 50
"""With more rows than this, `auto` tries on a part of them."""

_AUTO: Final[Mapping[Auto, tuple[int, int]]] = {
    "light": (6, 100),
    "medium": (12, 300),
    "heavy": (18, 1000),
}
"""By that word: sets of demos, and rows to choose by at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is tried, on what."""

    trainset: Sequence[Example]
    """What demos are made of."""
    valset: Sequence[Example]
    """What is chosen by."""
    instructions: int
    """Instructions for each predictor, the present one included."""
    demo_sets: int
    """Sets of demos."""
    is_zero_shot: bool
    """Whether only instructions are tried, and demos but shown to the proposer."""
    trials: Trials
    """How combinations are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody asked for; `None` where nothing was said."""

    auto: Auto | None
    """How much, in a word."""
    num_candidates: int | None
    """How many instructions and sets."""
    num_trials: int | None
    """How many combinations."""
    minibatch_size: int | None
    """Rows of a trial; `None` for all."""
    full_every: int
    """Trials after which the best is scored on all rows."""
    seed: int
    """Of the sampler."""


def extent_of(
    asked: Asked,
    trainset: Sequence[Example],
    valset: Sequence[Example] | None,
    *,
    predictors: int,
    is_zero_shot: bool,
    rng: random.Random,
) -> Extent:
    """Return how much is tried.

    Args:
        asked: What was asked for.
        trainset: The training set.
        valset: The rows to choose by; a part of the training set unless given.
        predictors: How many the program has.
        is_zero_shot: Whether no demos are tried.
        rng: Where rows are drawn from; it goes on from there.

    Raises:
        ConfigurationError: Numbers contradict one another, or a set is too small.
    """
    learning, choosing = _sets(trainset, valset)
    if asked.auto is None:
        candidates, trials = _counted(asked, predictors, is_zero_shot=is_zero_shot)
        size, instructions = asked.minibatch_size, candidates
    else:
        _check_not_counted(asked)
        candidates, most = _AUTO[asked.auto]
        places = rng.sample(range(len(choosing)), min(most, len(choosing)))
        choosing = [choosing[place] for place in places]
        size = asked.minibatch_size if len(choosing) > SMALLEST_TO_PART else None
        # Demos matter more, so where they are tried they get the larger part.
        instructions = candidates if is_zero_shot else candidates // 2
        trials = trials_for(candidates, predictors, is_zero_shot=is_zero_shot)
    if size is not None and size > len(choosing):
        raise ConfigurationError(
            f"minibatch_size is {size}, and there are {len(choosing)} rows to choose "
            "by; expected a part of them. Pass a smaller one, or minibatch=False."
        )
    return Extent(
        trainset=learning,
        valset=choosing,
        instructions=instructions,
        demo_sets=candidates,
        is_zero_shot=is_zero_shot,
        trials=Trials(
            count=trials,
            minibatch_size=size,
            full_every=asked.full_every,
            seed=asked.seed,
        ),
    )


def trials_for(candidates: int, predictors: int, *, is_zero_shot: bool) -> int:
    """Return how many combinations are worth trying, as DSPy reckons it.

    Example:
        >>> trials_for(6, 1, is_zero_shot=False)
        10
    """
    chosen = predictors if is_zero_shot else 2 * predictors
    return int(max(2 * chosen * math.log2(candidates), 1.5 * candidates))


def _sets(
    trainset: Sequence[Example], valset: Sequence[Example] | None
) -> tuple[Sequence[Example], Sequence[Example]]:
    if valset is not None:
        return trainset, valset
    if len(trainset) < 2:
        raise ConfigurationError(
            "the trainset has one example, and no valset is given; expected one to "
            "learn from and one to choose by. Pass a valset, or more examples."
        )
    many = max(1, int(len(trainset) * SHARE_TO_CHOOSE_BY))
    cut = len(trainset) - min(MOST_TO_CHOOSE_BY, many)
    return trainset[:cut], trainset[cut:]


def _counted(asked: Asked, predictors: int, *, is_zero_shot: bool) -> tuple[int, int]:
    candidates, trials = asked.num_candidates, asked.num_trials
    if candidates is None:
        raise ConfigurationError(
            "auto is None and num_candidates is not given; expected one of the two. "
            "Pass num_candidates=, and num_trials= to compile()."
        )
    if candidates < 1:
        raise ConfigurationError(
            f"num_candidates is {candidates}; it counts. Pass 1 or more."
        )
    if trials is None:
        good = trials_for(candidates, predictors, is_zero_shot=is_zero_shot)
        raise ConfigurationError(
            f"auto is None and num_trials is not given; for {candidates} candidates "
            f"about {good} are good. Pass num_trials={good} to compile()."
        )
    return candidates, trials


def _check_not_counted(asked: Asked) -> None:
    if asked.num_candidates is not None or asked.num_trials is not None:
        raise ConfigurationError(
            f"auto is {asked.auto!r} and num_candidates or num_trials is given too; "
            "expected one way of saying how much to try. Pass auto=None with them."
        )
