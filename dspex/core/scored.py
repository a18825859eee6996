"""Values that count as their score: they compare, add up and divide like numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

Result = TypeVar("Result", bool, float)


class Scored:
    """A value with a score, for `max()`, `sum()` and comparisons with numbers.

    Equality is not among them: two values of the same score are not the same.
    """

    __slots__ = ()

    def __float__(self) -> float:
        """Return the score; subclasses say which."""
        raise NotImplementedError

    def __lt__(self, other: object) -> bool:
        return _on_scores(self, other, lambda a, b: a < b)

    def __le__(self, other: object) -> bool:
        return _on_scores(self, other, lambda a, b: a <= b)

    def __gt__(self, other: object) -> bool:
        return _on_scores(self, other, lambda a, b: a > b)

    def __ge__(self, other: object) -> bool:
        return _on_scores(self, other, lambda a, b: a >= b)

    def __add__(self, other: object) -> float:
        return _on_scores(self, other, lambda a, b: a + b)

    __radd__ = __add__

    def __truediv__(self, other: object) -> float:
        return _on_scores(self, other, lambda a, b: a / b)

    def __rtruediv__(self, other: object) -> float:
        return _on_scores(self, other, lambda a, b: b / a)


def _on_scores(
    left: Scored, right: object, operation: Callable[[float, float], Result]
) -> Result:
    if not isinstance(right, int | float | Scored):
        return cast("Result", NotImplemented)
    return operation(float(left), float(right))
