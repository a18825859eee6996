"""A run is ordered: the plan of it, and the record that it begins or goes on with."""

from __future__ import annotations

import contextvars
import importlib.metadata
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from dspex.core.example import Example
from dspex.core.home import home
from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.running.earlier import Earlier
from dspex.evaluate.running.opening import checking, last_attempts, open_recording
from dspex.evaluate.running.options import RunOptions
from dspex.evaluate.running.plan import Plan
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.running.run import Run, new_run_id
from dspex.evaluate.scheduling.errors_allowed import ErrorLimit
from dspex.evaluate.scheduling.retrying import rules_for
from dspex.evaluate.scheduling.source import Check, checked_example
from dspex.evaluate.scheduling.steering import Steering
from dspex.evaluate.working.worker import AsyncWork, Work
from dspex.evaluate.working.workers import Workers
from dspex.runtime.runtime import Runtime, current_runtime

NONE_EARLIER: Final = Earlier()
"""Nothing was measured before."""


def ordered(
    examples: Iterable[Example],
    work: Work | AsyncWork,
    options: RunOptions,
    *,
    workers: Workers | None = None,
    steering: Steering | None = None,
    earlier: Earlier = NONE_EARLIER,
) -> Run:
    """Return a run that is ready to begin.

    Args:
        examples: What to work on.
        work: What to do with each.
        options: How many at a time, how long, how many errors.
        workers: What carries the work out; threads unless given.
        steering: Decides how far to go.
        earlier: What was measured before; its final outcomes are not made again.

    Raises:
        RunBusyError: The run has a name, and somebody else works on it.
        RunChangedError: It was begun with another program, metric, or data.
        RecordError: Its record cannot be used.
    """
    runtime = current_runtime()
    name = new_run_id() if options.run is None else options.run
    recording, goes_on = _recording(name, examples, options, runtime)
    check: Check = checked_example
    attempts = {each.stamp.key: each.stamp.attempt for each in earlier.outcomes}
    if recording is not None and goes_on:
        check = checking(recording, check)
        attempts = last_attempts(recording.record)
        if steering is not None:
            _told(steering, recording.record)
        # What earlier owners of this record took is in it.
        earlier = Earlier(outcomes=earlier.outcomes)
    elif recording is not None and isinstance(examples, Sequence):
        recording.take_over(earlier, examples)
        earlier = earlier.in_the_record()
    plan = _plan(name, examples, work, options, runtime, attempts, steering)
    return Run(
        runtime, plan, earlier, check=check, workers=workers, recording=recording
    )


def _told(steering: Steering, record: RunRecord) -> None:
    """Tell a steering what an earlier owner of the record has found."""
    for outcome in record.outcomes():
        if outcome is not None and outcome.is_settled:
            steering.hear(outcome)


def _plan(
    name: str,
    examples: Iterable[Example],
    work: Work | AsyncWork,
    options: RunOptions,
    runtime: Runtime,
    attempts: Mapping[tuple[int, int], int],
    steering: Steering | None,
) -> Plan:
    return Plan(
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
        label=options.label,
        part_of=options.part_of,
    )


def _recording(
    name: str, examples: Iterable[Example], options: RunOptions, runtime: Runtime
) -> tuple[Recording | None, bool]:
    """The run's record, and whether the run had begun before."""
    total = len(examples) if isinstance(examples, Sequence) else None
    persist = options.persist
    if persist is None:
        persist = runtime.config.persist
    if not persist and total is not None and options.run is None:
        return None, False
    on_disk = persist or options.run is not None
    place = (runtime.config.home or home()) if on_disk else None
    return open_recording(_head(name, total, options), place, examples)


def _head(name: str, total: int | None, options: RunOptions) -> RunHead:
    return RunHead(
        run=name,
        created=time.time(),
        version=dspex_version(),
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
        part_of=options.part_of,
    )


def dspex_version() -> str:
    """Return the version of dspex that is installed, for the head of a record."""
    try:
        return importlib.metadata.version("dspex")
    except importlib.metadata.PackageNotFoundError:
        # Run from its folder, without being installed.
        return "unknown"
