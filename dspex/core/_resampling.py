"""The bootstrap: what the mean of a list would be, had other examples been drawn.

Bias-corrected and accelerated (BCa; Efron and Tibshirani, An Introduction to the
Bootstrap, chapter 14), in plain Python: the time is that of drawing `resamples` times
as many numbers as there are scores.
"""

from __future__ import annotations

import math
import random
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

_NORMAL = statistics.NormalDist()


def bootstrap_ends(
    scores: Sequence[float], *, confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    """Return both ends of the BCa interval of the mean.

    The same scores in another order give the same ends.

    Args:
        scores: At least two.
        confidence: Strictly between 0 and 1.
        resamples: How many lists are drawn.
        seed: Where the drawing starts.
    """
    ordered = sorted(scores)
    if ordered[0] == ordered[-1]:
        return ordered[0], ordered[0]
    center = statistics.fmean(ordered)
    draw = random.Random(seed).choices  # noqa: S311 - statistics, no secret
    means = sorted(
        statistics.fmean(draw(ordered, k=len(ordered))) for _ in range(resamples)
    )
    bias = _bias(means, center)
    acceleration = _acceleration(ordered, center)
    reach = _NORMAL.inv_cdf((1 + confidence) / 2)

    def end(z: float) -> float:
        shifted = bias + z
        share = _NORMAL.cdf(bias + shifted / (1 - acceleration * shifted))
        # Rounding may carry a mean, or what lies between two, past the scores.
        return min(max(_quantile(means, share), ordered[0]), ordered[-1])

    return end(-reach), end(reach)


def _bias(means: Sequence[float], center: float) -> float:
    """Return how far the middle of the resampled means lies from the mean, in z."""
    # Means equal to the centre lie half below it, or a short list of whole numbers
    # would look biased.
    below = bisect_left(means, center) + bisect_right(means, center)
    share = below / (2 * len(means))
    least = 0.5 / len(means)
    return _NORMAL.inv_cdf(min(max(share, least), 1 - least))


def _acceleration(scores: Sequence[float], center: float) -> float:
    """Return a sixth of the mean's skewness, as the jackknife sees it."""
    squares = math.fsum((score - center) ** 2 for score in scores)
    cubes = math.fsum((score - center) ** 3 for score in scores)
    # Of scores that are almost the same the power may be too small for a float.
    scale = 6 * squares**1.5
    return cubes / scale if scale else 0.0


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
