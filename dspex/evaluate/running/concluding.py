"""A run has ended: its result, or the error that says why there is no whole one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from dspex.core.errors import RunChangedError
from dspex.core.example import Example
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.results.recorded import recorded_result
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.running import run_errors
from dspex.evaluate.running.opening import check_end
from dspex.evaluate.running.options import RunOptions
from dspex.evaluate.running.plan import Ended
from dspex.evaluate.running.run import Run


def concluded(run: Run, ended: Ended, options: RunOptions) -> EvaluationResult:
    """Return the result of a run that has ended by itself.

    Raises:
        EvaluationError: It could not go on.
        RunChangedError: Its stream is not the one its record was begun with.
        ConfigurationError: Its stream gave no example.
    """
    _check_stream(run, ended)
    result = result_of(run, options)
    if ended.outage is not None:
        most, name = run.plan.max_outage, recorded_as(run)
        error = run_errors.away(ended.outage, most, result, name)
        raise error from ended.outage.error
    if ended.outcome is not None:
        error = run_errors.stopped(ended, ended.outcome, result)
        raise error from run_errors.cause_of(ended.outcome)
    if ended.error is not None:
        raise run_errors.broken(ended, result) from ended.error
    broken = None if run.recording is None else run.recording.broken
    if broken is not None:
        raise run_errors.unrecorded(broken, result) from broken
    return result


def _check_stream(run: Run, ended: Ended) -> None:
    """Hold that a stream was the right one, which only its end tells."""
    if isinstance(ended.error, RunChangedError):
        raise ended.error
    recording, is_stream = run.recording, run.plan.total is None
    if recording is not None and is_stream and ended.reason == "complete":
        check_end(recording.record, run.taken)


def recorded_as(run: Run) -> str | None:
    """Return the name under which a run lies on disk; `None` when it does not."""
    recording = run.recording
    if recording is None or recording.record.place.path is None:
        return None
    return run.plan.run


def result_of(run: Run, options: RunOptions) -> EvaluationResult:
    """Return what a run has found, be it whole or not."""
    plan, record = run.plan, None if run.recording is None else run.recording.record
    if plan.total is None and record is not None:
        # A stream: nobody holds its rows.
        return recorded_result(record, seconds=run.seconds, restarts=run.restarts)
    # A stream always has a record.
    examples = cast("Sequence[Example]", plan.examples)
    return EvaluationResult(
        run=recorded_as(run),
        metrics=options.metrics,
        examples=examples,
        outcomes=_outcomes(run, len(examples), record),
        trials=plan.trials,
        failure_score=options.failure_score,
        metric_range=options.metric_range,
        requests=run.requests.records(),
        seconds=run.seconds,
        restarts=run.restarts,
        refused=run.refused,
    )


def _outcomes(
    run: Run, count: int, record: RunRecord | None
) -> tuple[Outcome | None, ...]:
    """One for each example and trial, in order."""
    held, trials = run.left_open | run.journal.outcomes, run.plan.trials
    places = [divmod(place, trials) for place in range(count * trials)]
    if record is None or not record.had_owners or len(held) == len(places):
        return tuple(map(held.get, places))
    # What this owner has seen is whole; the rest was measured by an earlier one.
    before = record.outcomes(stop=len(places))
    return tuple(
        held.get(place) or earlier
        for place, earlier in zip(places, before, strict=True)
    )
