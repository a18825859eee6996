"""A score is none that can be counted, compared or relied on."""

from __future__ import annotations

from typing import Any

from dspex.core.errors.base import DspexError
from dspex.core.errors.work import EvaluationError


class MetricRangeError(DspexError, ValueError):
    """A metric gave a score outside the range it was said to have.

    Attributes:
        metric: What the metric is called.
        score: What it gave.
        metric_range: The lowest and the highest score expected.
    """

    code = "metric_range"

    def __init__(
        self,
        message: str,
        *,
        metric: str,
        score: float,
        metric_range: tuple[float, float],
    ) -> None:
        super().__init__(message)
        self.metric = metric
        self.score = score
        self.metric_range = metric_range


class IncompleteResultError(EvaluationError):
    """A question needs every example measured, and some were not.

    Attributes:
        result: The result that is not complete.
    """

    code = "incomplete_result"


class NotBetterError(DspexError, AssertionError):
    """A program was to be better than another, and that is not shown.

    Attributes:
        comparison: What was found (a `Comparison`).
    """

    code = "not_better"

    def __init__(self, message: str, *, comparison: Any = None) -> None:
        super().__init__(message)
        self.comparison = comparison
