"""Evaluation: every example counted once, whatever crashed on the way."""

from dspex.core.metrics import (
    EM,
    answer_exact_match,
    answer_passage_match,
    normalize_text,
)
from dspex.evaluate.evaluate import Evaluate
from dspex.evaluate.outcome import ErrorNote, Outcome, OutcomeKind, Stamp
from dspex.evaluate.result import EvaluationResult
from dspex.evaluate.semantic import CompleteAndGrounded, SemanticF1

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
