"""Evaluation: every example counted once, whatever crashed on the way."""

from dspex.evaluate.evaluate import Evaluate
from dspex.evaluate.outcome import ErrorNote, Outcome, OutcomeKind, Stamp
from dspex.evaluate.result import EvaluationResult

__all__ = [
    "ErrorNote",
    "Evaluate",
    "EvaluationResult",
    "Outcome",
    "OutcomeKind",
    "Stamp",
]
