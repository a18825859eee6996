"""Metrics under the name people know: `from dspex.metrics import exact_match`."""

from __future__ import annotations

from dspex.core.metrics import (
    EM,
    F1,
    ExactMatch,
    Metric,
    answer_exact_match,
    exact_match,
    normalize_answer,
    normalize_text,
)

__all__ = [
    "EM",
    "F1",
    "ExactMatch",
    "Metric",
    "answer_exact_match",
    "exact_match",
    "normalize_answer",
    "normalize_text",
]
