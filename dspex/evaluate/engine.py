"""Working through examples under the tree: what `Evaluate` and optimisers share."""

from __future__ import annotations

import asyncio
import contextvars
import importlib.metadata
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, cast

from dspex.core import defaults
from dspex.core.errors import (
    ConfigurationError,
    EvaluationCancelledError,
    EvaluationError,
    EvaluationInterrupted,
)
from dspex.core.example import Example
from dspex.core.home import home
from dspex.evaluate.control import EvaluationRun
from dspex.evaluate.errors_allowed import ErrorLimit
from dspex.evaluate.opening import (
    check_rows,
    checking,
    last_attempts,
    open_recording,
)
from dspex.evaluate.outage import Outage
from dspex.evaluate.outcome import Outcome
from dspex.evaluate.plan import Ended, Plan
from dspex.evaluate.progress import Progress
from dspex.evaluate.record.head import Fingerprints, RunHead
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.recorded import recorded_result
from dspex.evaluate.recording import Recording
from dspex.evaluate.result import EvaluationResult
from dspex.evaluate.retrying import RetryAnswers, rules_for
from dspex.evaluate.run import Run, new_run_id
from dspex.evaluate.source import Check, checked_example
from dspex.evaluate.steering import Steering
from dspex.evaluate.worker import AsyncWork, Work
from dspex.evaluate.workers import Workers
from dspex.runtime.runtime import Runtime, current_runtime

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
    """Failures after which to stop: a count, a share such as 0.05 of what is settled,
    or `math.inf` for no limit."""
    retry_answers: RetryAnswers | None = None
    """Further attempts after a failure that followed an answer; see `RetryAnswers`."""
    max_outage: float | None = None
    """Seconds for which what all examples need may be away before the run ends; `None`
    for the runtime's own `max_outage`."""
    failure_score: float = defaults.FAILURE_SCORE
    """What an example without a score adds to the mean."""
    metric_range: tuple[float, float] = defaults.METRIC_RANGE
    """The lowest and the highest score of the metric."""
    display_progress: bool | None = None
    """`None` shows a bar on a terminal, `True` also elsewhere, `False` never."""
    label: str = "evaluate"
    """What the progress bar says is being done."""
    trials: int = 1
    """How often each example is measured."""
    metric_timeout: float | None = None
    """Seconds of an example's time its metric may take; `None` for no limit."""
    total_timeout: float | None = None
    """Seconds the whole run may take; `None` for no limit."""
    run: str | None = None
    """The run's name, to go on with it later; `None` draws one."""
    persist: bool | None = False
    """Whether a record is kept on disk; `None` is what the runtime's `Config` says. A
    run that has a name is recorded in any case."""
    metrics: tuple[str, ...] = ()
    """The metrics' names, the one that is the score first; for the record."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What its caller wants to be remembered, in JSON values; for the record."""
    fingerprints: Callable[[], Fingerprints] = Fingerprints
    """Takes digests of what the run measures; for the record."""

    def __post_init__(self) -> None:
        ErrorLimit(self.max_errors)
        rules_for(self.retry_answers)
        for name in (
            "concurrency",
            "timeout",
            "trials",
            "metric_timeout",
            "total_timeout",
            "max_outage",
        ):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigurationError(
                    f"{name} is {value!r}; it must be above zero. "
                    "Leave it out for the default."
                )


def work_through(
    examples: Iterable[Example],
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


def start_run(
    examples: Iterable[Example],
    work: Work | AsyncWork,
    options: RunOptions,
    *,
    known: Iterable[Outcome] = (),
    workers: Workers | None = None,
    needs: ExitStack | None = None,
    told: Callable[[EvaluationResult], None] = lambda _result: None,
) -> EvaluationRun:
    """Begin what `work_through` does, and return at once.

    Args:
        examples: See `work_through`.
        work: See `work_through`.
        options: See `work_through`.
        known: See `work_through`.
        workers: See `work_through`.
        needs: What the work needs until the end of the run; closed then.
        told: Hears of the result when somebody has asked for it.
    """
    run = _ordered(examples, work, options, known=known, workers=workers)

    def conclude(ended: Ended) -> EvaluationResult:
        result = _concluded(run, ended, options)
        told(result)
        return result

    return EvaluationRun(run, conclude, needs)


async def awork_through(
    examples: Iterable[Example],
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
    examples: Iterable[Example],
    work: Work | AsyncWork,
    options: RunOptions,
    *,
    workers: Workers | None,
    steering: Steering | None = None,
    known: Iterable[Outcome] = (),
) -> Run:
    runtime = current_runtime()
    name = options.run or new_run_id()
    total = len(examples) if isinstance(examples, Sequence) else None
    recording, goes_on = _recording(name, total, options, runtime)
    check: Check = checked_example
    attempts: Mapping[tuple[int, int], int] = {}
    if recording is not None and goes_on:
        check = checking(recording, check)
        attempts = last_attempts(recording.record)
        if isinstance(examples, Sequence):
            check_rows(recording, examples)
    plan = Plan(
        run=name,
        examples=examples,
        work=work,
        concurrency=options.concurrency,
        trials=options.trials,
        timeout=options.timeout,
        metric_timeout=options.metric_timeout,
        run_timeout=options.total_timeout,
        max_errors=ErrorLimit(options.max_errors),
        retry=rules_for(options.retry_answers, failure_score=options.failure_score),
        max_outage=options.max_outage or runtime.config.max_outage,
        attempts=attempts,
        context=contextvars.copy_context(),
        steering=steering,
    )
    return Run(runtime, plan, known, check=check, workers=workers, recording=recording)


def _recording(
    name: str, total: int | None, options: RunOptions, runtime: Runtime
) -> tuple[Recording | None, bool]:
    """The run's record, and whether the run had begun before."""
    persist = options.persist
    if persist is None:
        persist = runtime.config.persist
    if not persist and total is not None and options.run is None:
        return None, False
    head = RunHead(
        run=name,
        created=time.time(),
        version=_version(),
        fingerprints=options.fingerprints(),
        trials=options.trials,
        total=total,
        metrics=options.metrics,
        failure_score=options.failure_score,
        metric_range=options.metric_range,
        settings={
            "concurrency": options.concurrency,
            "timeout": options.timeout,
            "metric_timeout": options.metric_timeout,
            "total_timeout": options.total_timeout,
            "max_errors": options.max_errors,
            "notes": dict(options.notes),
        },
    )
    on_disk = persist or options.run is not None
    place = (runtime.config.home or home()) if on_disk else None
    return open_recording(head, place)


def _version() -> str:
    try:
        return importlib.metadata.version("dspex")
    except importlib.metadata.PackageNotFoundError:
        # Run from its folder, without being installed.
        return "unknown"


def _concluded(run: Run, ended: Ended, options: RunOptions) -> EvaluationResult:
    """The result of a run that has ended by itself.

    Raises:
        EvaluationError: It could not go on.
    """
    result = _result(run, options)
    if ended.outage is not None:
        raise _away(ended.outage, run.plan, result) from ended.outage.error
    if ended.outcome is not None:
        raise stopped_error(ended, ended.outcome, result) from cause_of(ended.outcome)
    if ended.error is not None:
        raise _broken(ended, result) from ended.error
    return result


def _broken(ended: Ended, result: EvaluationResult) -> EvaluationError:
    """The error for what ended a run from outside of its examples."""
    if ended.reason == "stream":
        text = (
            f"the stream of examples raised after {result.n}: {ended.error}. What came "
            "before is measured and in .result. Mend the stream and evaluate again."
        )
    else:
        text = f"the evaluation stopped: {ended.error}"
    return EvaluationError(f"{text}\nSo far: {result}", result=result)


def _wait(run: Run, options: RunOptions) -> Ended:
    total = run.plan.total
    total = None if total is None else total * run.plan.trials
    show = options.display_progress
    with run, Progress(options.label, total, show=show) as progress:
        return run.wait(TICK, progress)


async def _await(run: Run, options: RunOptions) -> Ended:
    total = run.plan.total
    total = None if total is None else total * run.plan.trials
    show = options.display_progress
    async with run:
        with Progress(options.label, total, show=show) as progress:
            return await run.await_end(TICK, progress)


def _result(run: Run, options: RunOptions) -> EvaluationResult:
    plan, record = run.plan, None if run.recording is None else run.recording.record
    if plan.total is None and record is not None:
        # A stream: nobody holds its rows.
        return recorded_result(record, seconds=run.seconds, restarts=run.restarts)
    # A stream always has a record.
    examples = cast("Sequence[Example]", plan.examples)
    return EvaluationResult(
        examples=examples,
        outcomes=_outcomes(run, len(examples), record),
        trials=plan.trials,
        failure_score=options.failure_score,
        metric_range=options.metric_range,
        requests=run.requests.records(),
        seconds=run.seconds,
        restarts=run.restarts,
        refused=run.journal.tally.refused,
    )


def _outcomes(
    run: Run, count: int, record: RunRecord | None
) -> tuple[Outcome | None, ...]:
    """One for each example and trial, in order."""
    held, trials = run.journal.outcomes, run.plan.trials
    places = [divmod(place, trials) for place in range(count * trials)]
    if record is None or len(held) == len(run.journal.settled):
        return tuple(held.get(place) for place in places)
    # What this process has seen is whole; the rest was measured by an earlier one.
    before = record.outcomes(stop=len(places))
    return tuple(
        held.get(place) or earlier
        for place, earlier in zip(places, before, strict=True)
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


def _away(outage: Outage, plan: Plan, result: EvaluationResult) -> EvaluationError:
    """One error for the whole run, and how to go on when it is over."""
    text = (
        f"the evaluation stopped because {outage.what} has been away for more than "
        f"{plan.max_outage:g} s (max_outage): {outage.text}\nNothing that was "
        "measured is lost. When it is back, go on with evaluate(program, "
        f"resume=error.result).\nSo far: {result}"
    )
    return EvaluationError(text, result=result)


def cause_of(outcome: Outcome) -> BaseException | None:
    """The exception an outcome is about, in the process that saw it."""
    return None if outcome.error is None else outcome.error.error
