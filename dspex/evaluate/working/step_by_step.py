"""An evaluation for debugging: one example after another, without any actor.

A debugger stops where the program stands, and an error is raised as it is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dspex.core.example import Example
from dspex.core.spending import Spending, counting
from dspex.evaluate.metric import Metric
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.running.options import RunOptions
from dspex.evaluate.working.awaiting import needs_loop
from dspex.evaluate.working.scoring import ascoring, scoring
from dspex.evaluate.working.traces import Tracing
from dspex.evaluate.working.worker import (
    AsyncWork,
    Measured,
    WorkFailed,
    as_fields,
    draw_of,
)
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
    debugged = _Debugged(examples, options)
    for stamp, example in debugged.attempts():
        spending, began = Spending(), time.perf_counter()
        try:
            with counting(spending), draw_of(stamp):
                measured = work(example)
        except WorkFailed as failed:
            # The user's own error with the user's own traceback, nothing of ours.
            raise failed.error from None
        debugged.add(stamp, measured, spending, time.perf_counter() - began)
    return debugged.result()


async def on_this_loop(
    examples: Sequence[Example], work: AsyncWork, options: RunOptions
) -> EvaluationResult:
    """Do the work on the running loop; see `on_this_thread`."""
    debugged = _Debugged(examples, options)
    for stamp, example in debugged.attempts():
        spending, began = Spending(), time.perf_counter()
        try:
            with counting(spending), draw_of(stamp):
                measured = await work(example)
        except WorkFailed as failed:
            raise failed.error from None
        debugged.add(stamp, measured, spending, time.perf_counter() - began)
    return debugged.result()


class _Debugged:
    """What was measured so far."""

    def __init__(self, examples: Sequence[Example], options: RunOptions) -> None:
        self._examples = examples
        self._options = options
        self._outcomes: list[Outcome] = []

    def attempts(self) -> Iterator[tuple[Stamp, Example]]:
        """Yield what is to be worked on, the trials of an example side by side."""
        for number, example in enumerate(self._examples):
            for trial in range(self._options.trials):
                yield Stamp(run="debug", example=number, trial=trial), example

    def add(
        self, stamp: Stamp, measured: Measured, spending: Spending, seconds: float
    ) -> None:
        """Keep what came of one of them."""
        self._outcomes.append(
            Outcome(
                stamp=stamp,
                kind=OutcomeKind.SCORED,
                score=measured.score,
                columns=measured.columns,
                lost=measured.lost,
                feedback=measured.feedback,
                prediction=measured.prediction,
                trace=measured.trace,
                latency=seconds,
                **as_fields(spending.total(), stamp),
            )
        )

    def result(self) -> EvaluationResult:
        """Return what they come to."""
        options, outcomes = self._options, tuple(self._outcomes)
        return EvaluationResult(
            examples=self._examples,
            metrics=options.metrics,
            outcomes=outcomes,
            trials=options.trials,
            failure_score=options.failure_score,
            metric_range=options.metric_range,
            seconds=math.fsum(outcome.latency for outcome in outcomes),
        )
