"""Evaluation: every example counted once, whatever crashed on the way.

The names are loaded when they are asked for: a child process of an evaluation needs a
metric and no tree.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dspex.core.metrics import (
        EM,
        answer_exact_match,
        answer_passage_match,
        normalize_text,
    )
    from dspex.evaluate.evaluate import Evaluate
    from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind, Stamp
    from dspex.evaluate.results.result import EvaluationResult
    from dspex.evaluate.semantic import CompleteAndGrounded, SemanticF1

_HOMES = {
    "EM": "dspex.core.metrics",
    "CompleteAndGrounded": "dspex.evaluate.semantic",
    "ErrorNote": "dspex.evaluate.results.outcome",
    "Evaluate": "dspex.evaluate.evaluate",
    "EvaluationResult": "dspex.evaluate.results.result",
    "Outcome": "dspex.evaluate.results.outcome",
    "OutcomeKind": "dspex.evaluate.results.outcome",
    "SemanticF1": "dspex.evaluate.semantic",
    "Stamp": "dspex.evaluate.results.outcome",
    "answer_exact_match": "dspex.core.metrics",
    "answer_passage_match": "dspex.core.metrics",
    "normalize_text": "dspex.core.metrics",
}
"""The module of each public name."""

__all__ = [
    "EM",
    "CompleteAndGrounded",
    "ErrorNote",
    "Evaluate",
    "EvaluationResult",
    "Outcome",
    "OutcomeKind",
    "SemanticF1",
    "Stamp",
    "answer_exact_match",
    "answer_passage_match",
    "normalize_text",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_HOMES[name]), name)
