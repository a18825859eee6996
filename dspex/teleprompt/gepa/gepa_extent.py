"""How much `GEPA` tries; pure reckoning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.teleprompt.mipro.extent import Auto

_CANDIDATES: Final[Mapping[Auto, int]] = {"light": 6, "medium": 12, "heavy": 18}
"""By how much is tried, how many candidates that is for."""
_STEP: Final = 35
"""Rows of a trial, as the reckoning of `auto` takes them."""
_FULL_EVERY: Final = 5
"""Trials between two scores on all rows, as that reckoning takes them."""
_OF_A_MERGE: Final = 5
"""Rows a merged candidate is tried on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolutionExtent:
    """How much is tried, said in one of three ways; `None` where nothing was said.

    Raises:
        ConfigurationError: It is said not at all, or twice.
    """

    auto: Auto | None
    """In a word."""
    max_full_evals: int | None
    """In times of all rows."""
    max_metric_calls: int | None
    """In examples that are scored."""

    def __post_init__(self) -> None:
        said = (self.auto, self.max_full_evals, self.max_metric_calls)
        if sum(each is not None for each in said) != 1:
            raise ConfigurationError(
                f"auto={self.auto!r}, max_full_evals={self.max_full_evals!r} and "
                f"max_metric_calls={self.max_metric_calls!r}; expected exactly one of "
                "them, to say how much to try. Pass auto='light' to begin with."
            )

    def calls(
        self,
        predictors: int,
        trainset: Sequence[Example],
        valset: Sequence[Example] | None,
    ) -> int:
        """Return how many examples are scored, as DSPy reckons it.

        Args:
            predictors: How many the program has.
            trainset: The examples to reflect on.
            valset: The examples to choose by; the training set unless given.
        """
        if self.max_metric_calls is not None:
            return self.max_metric_calls
        if self.max_full_evals is not None:
            return self.max_full_evals * (len(trainset) + len(valset or ()))
        assert self.auto is not None, "one of the three is given"  # noqa: S101 - held above
        rows = trainset if valset is None else valset
        return calls_for(_CANDIDATES[self.auto], max(predictors, 1), len(rows))


def calls_for(candidates: int, predictors: int, rows: int) -> int:
    """Return how many examples are worth scoring, as DSPy reckons it.

    Args:
        candidates: For how many candidates.
        predictors: How many the program has.
        rows: How many there are to choose by.

    Example:
        >>> calls_for(6, 1, 100)
        780
    """
    trials = int(max(4 * predictors * math.log2(candidates), 1.5 * candidates))
    tried = rows + 5 * candidates + trials * _STEP
    if not trials:
        return tried
    full = (trials + 1) // _FULL_EVERY + 1 + (trials < _FULL_EVERY)
    return tried + full * rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoned:
    """What an evolution does, at least and at most."""

    least: int
    """Examples that are scored at least."""
    most: int
    """Examples that are scored at most."""
    reflections: int
    """Steps that reflect, at most."""


def reckoned(calls: int, first: int, *, minibatch: int, merges: bool) -> Reckoned:
    """Return what an evolution does that is to score so many examples.

    Args:
        calls: How many it is to score. When they are scored it stops, and not before
            the step at hand is done.
        first: Rows to choose by; they are scored first, and by each step that finds
            something.
        minibatch: Rows of a step; it scores them twice, and reflects in between.
        merges: Whether candidates are merged as well.

    Example:
        >>> reckoned(100, 20, minibatch=3, merges=True)
        Reckoned(least=100, most=125, reflections=14)
    """
    step = 2 * minibatch
    if calls <= first:
        return Reckoned(least=first, most=first, reflections=0)
    tried = max(step, _OF_A_MERGE if merges else 0)
    return Reckoned(
        least=calls,
        most=calls - 1 + tried + first,
        reflections=-(-(calls - first) // step),
    )
