"""Several trials of each example: what they come to. Pure.

Numbers of all trials stand in one sequence, those of an example side by side. The unit
that is counted is the example: a thousand trials of one example tell about one example.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from dspex.core.errors import ConfigurationError

T = TypeVar("T")


def by_example(numbers: Iterable[T], trials: int) -> Iterator[tuple[T, ...]]:
    """Yield the numbers of each example, going over them once.

    Example:
        >>> list(by_example([1, 2, 3, 4], 2))
        [(1, 2), (3, 4)]
    """
    rest = iter(numbers)
    while several := tuple(itertools.islice(rest, trials)):
        yield several


def means(numbers: Sequence[float], trials: int) -> tuple[float, ...]:
    """Return the mean of each example's trials."""
    if trials == 1:
        return tuple(numbers)
    return tuple(statistics.fmean(each) for each in by_example(numbers, trials))


def means_of_known(
    numbers: Sequence[float | None], trials: int
) -> tuple[float | None, ...]:
    """Return the mean of each example's trials that have a number, else `None`.

    Example:
        >>> means_of_known([1.0, None, None, None], 2)
        (1.0, None)
    """
    if trials == 1:
        return tuple(numbers)
    known = (
        [number for number in each if number is not None]
        for each in by_example(numbers, trials)
    )
    return tuple(statistics.fmean(each) if each else None for each in known)


def pass_at_k(passed: int, trials: int, k: int) -> float:
    """Return how probably at least one of k trials passes, without bias.

    It is the share of the ways to take k of the trials that hold one that passed (Chen
    et al., Evaluating Large Language Models Trained on Code, 2021, equation 1).

    Args:
        passed: How many of the trials passed.
        trials: How many there were.
        k: How many are taken.

    Raises:
        ConfigurationError: There are fewer than k trials, or k is below one.

    Example:
        >>> pass_at_k(1, 4, 2)
        0.5
    """
    if not 1 <= k <= trials:
        raise ConfigurationError(
            f"pass_at({k!r}) cannot be told from {trials} "
            f"trial{'s' if trials > 1 else ''} of each example; a number from 1 to "
            f"{trials} was expected. Evaluate(trials={max(k, 1)}) makes more."
        )
    return 1 - math.comb(trials - passed, k) / math.comb(trials, k)
