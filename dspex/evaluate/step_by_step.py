"""An evaluation for debugging: one example after another, without any actor.

A debugger stops where the program stands, and an error is raised as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dspex.core.example import Example
from dspex.evaluate.awaiting import needs_loop
from dspex.evaluate.metric import Metric
from dspex.evaluate.options import RunOptions
from dspex.evaluate.outcome import Outcome, OutcomeKind, Stamp
from dspex.evaluate.result import EvaluationResult
from dspex.evaluate.scoring import ascoring, scoring
from dspex.evaluate.traces import Tracing
from dspex.evaluate.worker import AsyncWork, Measured, WorkFailed
from dspex.programs.concurrency import run_coroutine


def on_this_thread(
    examples: Sequence[Example],
    program: Callable[..., Any],
    metric: Metric,
    options: RunOptions,
    tracing: Tracing,
) -> EvaluationResult:
    """Score a program on the calling thread.

    Raises:
        Exception: What the program or the metric raised, with its own traceback.
    """
    if needs_loop(program) or needs_loop(metric):
        awork = tracing.around_async(ascoring(program, metric, options.metric_range))
        return run_coroutine(on_this_loop(examples, awork, options))
    work = tracing.around(scoring(program, metric, options.metric_range))
    outcomes = []
    for number, example in enumerate(examples):
        try:
            measured = work(example)
        except WorkFailed as failed:
            # The user's own error with the user's own traceback, nothing of ours.
            raise failed.error from None
        outcomes.append(_debugged(number, measured))
    return EvaluationResult(
        examples=examples,
        outcomes=tuple(outcomes),
        failure_score=options.failure_score,
        metric_range=options.metric_range,
    )


async def on_this_loop(
    examples: Sequence[Example], work: AsyncWork, options: RunOptions
) -> EvaluationResult:
    """Do the work on the running loop; see `on_this_thread`."""
    outcomes = []
    for number, example in enumerate(examples):
        try:
            measured = await work(example)
        except WorkFailed as failed:
            raise failed.error from None
        outcomes.append(_debugged(number, measured))
    return EvaluationResult(
        examples=examples,
        outcomes=tuple(outcomes),
        failure_score=options.failure_score,
        metric_range=options.metric_range,
    )


def _debugged(number: int, measured: Measured) -> Outcome:
    return Outcome(
        stamp=Stamp(run="debug", example=number),
        kind=OutcomeKind.SCORED,
        score=measured.score,
        columns=measured.columns,
        lost=measured.lost,
        feedback=measured.feedback,
        prediction=measured.prediction,
        trace=measured.trace,
    )
