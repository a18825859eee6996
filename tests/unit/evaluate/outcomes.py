"""Outcomes and results made by hand, for tests of what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dspex
from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind, Stamp
from dspex.evaluate.results.result import EvaluationResult


def scored(number: int, score: float, **more: Any) -> Outcome:
    """An example with a score."""
    return Outcome(
        stamp=Stamp(run="r", example=number),
        kind=OutcomeKind.SCORED,
        score=score,
        **{"prediction": dspex.Prediction(answer=f"answer {number}")} | more,
    )


def failed(
    number: int, kind: OutcomeKind, error: str = "Boom", text: str = "", **more: Any
) -> Outcome:
    """An example without a score."""
    note = ErrorNote(
        stage="program", type=error, message=text or f"at {number}", where=""
    )
    return Outcome(stamp=Stamp(run="r", example=number), kind=kind, error=note, **more)


def result_of(outcomes: Sequence[Outcome | None], **more: Any) -> EvaluationResult:
    """A result of such outcomes; with trials, those of an example side by side."""
    trials = more.get("trials", 1)
    examples = [
        dspex.Example(question=f"question {number}").with_inputs("question")
        for number in range(len(outcomes) // trials)
    ]
    stamped = [
        None
        if one is None
        else replace(one, stamp=Stamp(run="r", example=at // trials, trial=at % trials))
        for at, one in enumerate(outcomes)
    ]
    return EvaluationResult(**{"examples": examples, "outcomes": tuple(stamped)} | more)


def of_scores(*scores: float | None, **more: Any) -> EvaluationResult:
    """A result of scores; `None` for an example that timed out."""
    return result_of(
        [
            failed(number, OutcomeKind.TIMEOUT)
            if score is None
            else scored(number, score)
            for number, score in enumerate(scores)
        ],
        **more,
    )
