"""Working through examples under the tree: what `Evaluate` and optimisers share."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dspex.core import defaults
from dspex.core.errors import (
    ConfigurationError,
    EvaluationCancelledError,
    EvaluationError,
    EvaluationInterrupted,
)
from dspex.core.example import Example
from dspex.evaluate.outcome import Outcome
from dspex.evaluate.plan import Ended, Plan
from dspex.evaluate.progress import Progress
from dspex.evaluate.result import EvaluationResult
from dspex.evaluate.run import Run, new_run_id
from dspex.evaluate.steering import Steering
from dspex.evaluate.worker import AsyncWork, Work
from dspex.evaluate.workers import Workers
from dspex.runtime.runtime import current_runtime

TICK = 0.1
"""Seconds between two looks at how far a run is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a set of examples is worked through.

    Raises:
        ConfigurationError: A number is not above zero.
    """

    concurrency: int = defaults.CONCURRENCY
    """Examples worked on at a time."""
    timeout: float | None = None
    """Seconds one example may take; `None` for no limit."""
    max_errors: float = defaults.MAX_ERRORS
    """Failures after which to stop; `math.inf` for no limit."""
    failure_score: float = defaults.FAILURE_SCORE
    """What an example without a score adds to the mean."""
    metric_range: tuple[float, float] = defaults.METRIC_RANGE
    """The lowest and the highest score of the metric."""
    display_progress: bool | None = None
    """`None` shows a bar on a terminal, `True` also elsewhere, `False` never."""
    label: str = "evaluate"
    """What the progress bar says is being done."""

    def __post_init__(self) -> None:
        for name in ("concurrency", "timeout", "max_errors"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(
                    f"{name} is {value!r}; it must be above zero. "
                    "Leave it out for the default."
                )


def work_through(
    examples: Sequence[Example],
    work: Work | AsyncWork,
    options: RunOptions,
    *,
    steering: Steering | None = None,
    known: Iterable[Outcome] = (),
    workers: Workers | None = None,
) -> EvaluationResult:
    """Do the work on every example, in worker actors, and count each once.

    Args:
        examples: What to work on.
        work: What to do with each.
        options: How many at a time, how long, how many errors.
        steering: Decides how far to go; `max_errors` and errors that would meet every
            example end nothing then.
        known: Outcomes of an interrupted run; its final ones are not made again.
        workers: What carries the work out; threads unless given. Work that is a
            coroutine function needs those on a loop.

    Raises:
        EvaluationError: The run could not go on: too many errors, a wrong key, an
            outage. It holds the result so far.
        EvaluationInterrupted: Ctrl-C; it holds the result so far.
    """
    run = _ordered(
        examples, work, options, steering=steering, known=known, workers=workers
    )
    try:
        ended = _wait(run, options)
    except KeyboardInterrupt:
        raise _interrupted(_result(run, options)) from None
    except EvaluationError as error:
        error.result = _result(run, options)
        raise
    return _concluded(run, ended, options)


async def awork_through(
    examples: Sequence[Example],
    work: Work | AsyncWork,
    options: RunOptions,
    *,
    known: Iterable[Outcome] = (),
    workers: Workers | None = None,
) -> EvaluationResult:
    """Do as `work_through` does, while the running loop goes on.

    Raises:
        CancelledError: The task that awaits this was cancelled, and the run has ended
            in order; its cause is an `EvaluationCancelledError`. Cancelled once more
            meanwhile, it does not wait for that end.
        EvaluationError: The run could not go on; it holds the result so far.
    """
    run = _ordered(examples, work, options, known=known, workers=workers)
    try:
        ended = await _await(run, options)
    except asyncio.CancelledError as error:
        # The very error, and none of ours: see `EvaluationCancelledError`.
        raise error from _cancelled(_result(run, options))
    except EvaluationError as error:
        error.result = _result(run, options)
        raise
    return _concluded(run, ended, options)


def _ordered(
    examples: Sequence[Example],
    work: Work | AsyncWork,
    options: RunOptions,
    *,
    workers: Workers | None,
    steering: Steering | None = None,
    known: Iterable[Outcome] = (),
) -> Run:
    max_errors = None if math.isinf(options.max_errors) else int(options.max_errors)
    plan = Plan(
        run=new_run_id(),
        examples=examples,
        work=work,
        concurrency=options.concurrency,
        timeout=options.timeout,
        max_errors=max_errors,
        context=contextvars.copy_context(),
        steering=steering,
    )
    return Run(current_runtime(), plan, known, workers=workers)


def _concluded(run: Run, ended: Ended, options: RunOptions) -> EvaluationResult:
    """The result of a run that has ended by itself.

    Raises:
        EvaluationError: It could not go on.
    """
    result = _result(run, options)
    if ended.outcome is not None:
        raise stopped_error(ended, ended.outcome, result) from cause_of(ended.outcome)
    return result


def _wait(run: Run, options: RunOptions) -> Ended:
    total = run.plan.total
    show = options.display_progress
    with run, Progress(options.label, total, show=show) as progress:
        return run.wait(TICK, progress)


async def _await(run: Run, options: RunOptions) -> Ended:
    total = run.plan.total
    show = options.display_progress
    async with run:
        with Progress(options.label, total, show=show) as progress:
            return await run.await_end(TICK, progress)


def _result(run: Run, options: RunOptions) -> EvaluationResult:
    journal, plan = run.journal, run.plan
    examples = plan.examples if isinstance(plan.examples, Sequence) else ()
    return EvaluationResult(
        examples=examples,
        outcomes=tuple(
            journal.outcomes.get((number, 0)) for number in range(len(examples))
        ),
        failure_score=options.failure_score,
        metric_range=options.metric_range,
        requests=run.requests.records(),
        seconds=run.seconds,
        restarts=run.restarts,
        refused=journal.tally.refused,
    )


def _interrupted(result: EvaluationResult) -> EvaluationInterrupted:
    done = sum(outcome is not None for outcome in result.outcomes)
    text = (
        f"interrupted after {done} of {result.n} examples; they are in .result. To go "
        "on where it stopped: evaluate(program, resume=error.result)"
    )
    return EvaluationInterrupted(text, result=result)


def _cancelled(result: EvaluationResult) -> EvaluationCancelledError:
    done = sum(outcome is not None for outcome in result.outcomes)
    text = (
        f"cancelled after {done} of {result.n} examples; they are in .result. To go on "
        "where it stopped: await evaluate.acall(program, resume=error.result)"
    )
    return EvaluationCancelledError(text, result=result)


def stopped_error(
    ended: Ended, outcome: Outcome, result: EvaluationResult
) -> EvaluationError:
    """One clear error for the whole run: the cause, the counts, the first example."""
    message = "" if outcome.error is None else outcome.error.message
    number = outcome.stamp.example
    if ended.reason == "fatal":
        text = f"the evaluation stopped at example {number}, as every other would end "
        text += f"the same way: {message}"
    else:
        lines = "\n  ".join(result.failure_summary())
        text = (
            f"the evaluation stopped because max_errors was reached:\n  {lines}\n"
            "Mend the cause, or allow more with max_errors=."
        )
    return EvaluationError(f"{text}\nSo far: {result}", result=result)


def cause_of(outcome: Outcome) -> BaseException | None:
    """The exception an outcome is about, in the process that saw it."""
    return None if outcome.error is None else outcome.error.error
