"""Working through examples under the tree: what `Evaluate` and optimisers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from dspex.core.errors import EvaluationError
from dspex.core.example import Example
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.results.standing import Rules
from dspex.evaluate.running.concluding import concluded, recorded_as, result_of
from dspex.evaluate.running.control import EvaluationRun
from dspex.evaluate.running.earlier import Earlier
from dspex.evaluate.running.options import RunOptions
from dspex.evaluate.running.ordering import NONE_EARLIER, ordered
from dspex.evaluate.running.plan import Ended
from dspex.evaluate.running.progress import Progress
from dspex.evaluate.running.run import Run
from dspex.evaluate.running.run_errors import cancelled, interrupted
from dspex.evaluate.scheduling.steering import Steering
from dspex.evaluate.working.worker import AsyncWork, Work
from dspex.evaluate.working.workers import Workers

TICK = 0.1
"""Seconds between two looks at how far a run is."""


def work_through(
    examples: Iterable[Example],
    work: Work | AsyncWork,
    options: RunOptions,
    *,
    steering: Steering | None = None,
    earlier: Earlier = NONE_EARLIER,
    workers: Workers | None = None,
) -> EvaluationResult:
    """Do the work on every example, in worker actors, and count each once.

    Args:
        examples: What to work on.
        work: What to do with each.
        options: How many at a time, how long, how many errors.
        steering: Decides how far to go; `max_errors` and errors that would meet every
            example end nothing then.
        earlier: What was measured before; its final outcomes are not made again.
        workers: What carries the work out; threads unless given. Work that is a
            coroutine function needs those on a loop.

    Raises:
        EvaluationError: The run could not go on: too many errors, a wrong key, an
            outage. It holds the result so far.
        EvaluationInterrupted: Ctrl-C; it holds the result so far.
    """
    run = ordered(
        examples, work, options, steering=steering, earlier=earlier, workers=workers
    )
    try:
        ended = _wait(run, options)
    except KeyboardInterrupt:
        raise interrupted(result_of(run, options), recorded_as(run)) from None
    except EvaluationError as error:
        error.result = result_of(run, options)
        raise
    return concluded(run, ended, options)


def start_run(
    examples: Iterable[Example],
    work: Work | AsyncWork,
    options: RunOptions,
    *,
    steering: Steering | None = None,
    earlier: Earlier = NONE_EARLIER,
    workers: Workers | None = None,
    needs: ExitStack | None = None,
    told: Callable[[EvaluationResult], None] = lambda _result: None,
) -> EvaluationRun:
    """Begin what `work_through` does, and return at once.

    Args:
        examples: See `work_through`.
        work: See `work_through`.
        options: See `work_through`.
        steering: See `work_through`.
        earlier: See `work_through`.
        workers: See `work_through`.
        needs: What the work needs until the end of the run; closed then.
        told: Hears of the result when somebody has asked for it.
    """
    run = ordered(
        examples, work, options, steering=steering, earlier=earlier, workers=workers
    )

    def conclude(ended: Ended) -> EvaluationResult:
        result = concluded(run, ended, options)
        told(result)
        return result

    return EvaluationRun(run, conclude, needs)


async def awork_through(
    examples: Iterable[Example],
    work: Work | AsyncWork,
    options: RunOptions,
    *,
    earlier: Earlier = NONE_EARLIER,
    workers: Workers | None = None,
) -> EvaluationResult:
    """Do as `work_through` does, while the running loop goes on.

    Raises:
        CancelledError: The task that awaits this was cancelled, and the run has ended
            in order; its cause is an `EvaluationCancelledError`. Cancelled once more
            meanwhile, it does not wait for that end.
        EvaluationError: The run could not go on; it holds the result so far.
    """
    run = ordered(examples, work, options, earlier=earlier, workers=workers)
    try:
        ended = await _await(run, options)
    except asyncio.CancelledError as error:
        # The very error, and none of ours: see `EvaluationCancelledError`.
        raise error from cancelled(result_of(run, options), recorded_as(run))
    except EvaluationError as error:
        error.result = result_of(run, options)
        raise
    return concluded(run, ended, options)


def _wait(run: Run, options: RunOptions) -> Ended:
    with run, _progress(run, options, why=run.waits_for) as progress:
        return run.wait(TICK, progress)


async def _await(run: Run, options: RunOptions) -> Ended:
    async with run:
        # To ask what it waits for would hold the loop up.
        with _progress(run, options) as progress:
            return await run.await_end(TICK, progress)


def _progress(
    run: Run, options: RunOptions, *, why: Callable[[], str] = str
) -> Progress:
    total, trials = run.plan.total, run.plan.trials
    return Progress(
        options.label,
        None if total is None else total * trials,
        show=options.display_progress,
        why=why,
        rules=Rules(
            failure_score=options.failure_score,
            metric_range=options.metric_range,
            trials=trials,
        ),
    )
