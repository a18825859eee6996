"""Metrics under the name people know: `from dspex.metrics import exact_match`."""

from __future__ import annotations

from dspex.core.metrics import (
    EM,
    F1,
    ExactMatch,
    HotPotF1,
    Metric,
    WordOverlap,
    answer_exact_match,
    answer_passage_match,
    exact_match,
    f1,
    normalize_answer,
    normalize_text,
)

__all__ = [
    "EM",
    "F1",
    "ExactMatch",
    "HotPotF1",
    "Metric",
    "WordOverlap",
    "answer_exact_match",
    "answer_passage_match",
    "exact_match",
    "f1",
    "normalize_answer",
    "normalize_text",
]
