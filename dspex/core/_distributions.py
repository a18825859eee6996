"""Student's t and the fair coin, exact to about twelve digits, without numpy.

Both rest on the regularised incomplete beta function, evaluated as a continued
fraction by Lentz's method (Press et al., Numerical Recipes, section 6.4).
"""

from __future__ import annotations

import math
from functools import lru_cache

_TINY = 1e-300
"""Stands in for a zero divisor in Lentz's method."""


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), 0 <= x <= 1."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    # The fraction converges fast below the mean of the distribution; above it, the
    # mirror image does.
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(1 - x, b, a)
    log_front = (
        math.lgamma(a + b)
        - math.lgamma(a)
        - math.lgamma(b)
        + a * math.log(x)
        + b * math.log1p(-x)
    )
    return math.exp(log_front) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    value = upper = 1.0
    lower = 0.0
    for step in range(20_000):
        term = _term(step, x, a, b)
        upper = 1 + term / upper or _TINY
        lower = 1 / (1 + term * lower or _TINY)
        value *= upper * lower
        if step and abs(1 - upper * lower) < 1e-15:
            break
    return value


def _term(step: int, x: float, a: float, b: float) -> float:
    """Return the coefficient after `step` of 1 + d1/(1 + d2/(1 + ...))."""
    m, is_even_step = divmod(step, 2)
    if is_even_step:
        m += 1
        return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))


def t_two_sided(t: float, degrees: float) -> float:
    """Return how probable a t at least as far from 0 is."""
    return incomplete_beta(degrees / (degrees + t * t), degrees / 2, 0.5)


@lru_cache(maxsize=64)
def t_quantile(confidence: float, degrees: float) -> float:
    """Return the t that a two-sided interval of this confidence reaches out to."""
    outside = 1 - confidence
    low, high = 0.0, 1.0
    while t_two_sided(high, degrees) > outside:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if t_two_sided(middle, degrees) > outside:
            low = middle
        else:
            high = middle
    return high


def fair_coin_two_sided(heads: int, tails: int) -> float:
    """Return how probable a split at least as uneven is; 1 for no throw at all."""
    fewer, throws = min(heads, tails), heads + tails
    if throws == 0:
        return 1.0
    return min(1.0, 2 * incomplete_beta(0.5, throws - fewer, fewer + 1))
