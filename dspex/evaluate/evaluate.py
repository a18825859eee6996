"""`Evaluate`: a program's score over a set of examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from dspex.core import defaults
from dspex.core.callbacks import with_callbacks
from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.evaluate.devset import Devset, all_of, begun, checked_devset
from dspex.evaluate.engine import awork_through, start_run, work_through
from dspex.evaluate.isolate.errand import Limits
from dspex.evaluate.metric import (
    Metric,
    MetricRange,
    checked_metric,
    checked_range,
    metric_name,
    metric_names,
)
from dspex.evaluate.record.fingerprint import fingerprints
from dspex.evaluate.results.report import Report
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.running.control import EvaluationRun
from dspex.evaluate.running.earlier import Earlier
from dspex.evaluate.running.notes import checked_notes
from dspex.evaluate.running.options import RunOptions
from dspex.evaluate.scheduling.retrying import RetryAnswers
from dspex.evaluate.working.scoring import ascoring, checked_program
from dspex.evaluate.working.step_by_step import on_this_loop, on_this_thread
from dspex.evaluate.working.traces import KeepTraces, Tracing, checked_keep
from dspex.evaluate.working.workplace import (
    Isolate,
    Workplace,
    checked_isolate,
    workplace,
    workplace_here,
)
from dspex.programs.settings import settings

T = TypeVar("T")


class Evaluate:
    """Scores a program on a set of examples, each counted once.

    Every example runs in a short-lived worker actor under the tree. What fails is kept
    with its example and never stops the others, until there are `max_errors` of it. A
    model's answer that does not fit the signature fails its example but is no error in
    that sense: it is what was to be measured.

    Example:
        >>> import dspex
        >>> rows = [{"n": 1}, {"n": 2}, {"n": 3}]
        >>> def double(n):
        ...     return dspex.Prediction(twice=2 * n)
        >>> def right(example, prediction):
        ...     return prediction.twice == 2 * example.n
        >>> evaluate = Evaluate(devset=dspex.load(rows, inputs=["n"]), metric=right)
        >>> print(evaluate(double))
        100.0 ± 0.0 (3 examples)

    Args:
        devset: The examples: a sequence; or a stream, which is any iterable or a
            function that gives one, of which each is taken when there is room for it.
            Examples of a stream are not held in memory.
        metric: From example and prediction to a number, a bool, a mapping of numbers
            or a `Prediction` with a `score` and maybe a `feedback`; an async function
            will do. Or several by name: the first is the score, all are `columns` of
            the result. It may also be given to the call.
        num_threads: DSPy's name for `concurrency`.
        concurrency: Examples worked on at a time; else the setting, else 16.
        timeout: Seconds one example may take; `None` for no limit.
        max_errors: Failures of program, metric or infrastructure after which to stop
            with an error that holds what was measured; else the setting, else 10.
            `math.inf` for no limit; a number between 0 and 1 is a share of what is
            settled, such as 0.05, judged from 20 examples on.
        retry_answers: Further attempts at an example that failed after an answer: a
            figure, or one by cause, such as `{"model": 1}` for an answer that does not
            fit; the causes are "model", "program" and "metric". None by default, as to
            draw again until it suits flatters a program; the score of the first attempt
            stands beside, in `outcome.first_score`. What got no answer is tried again
            in any case, and a low score never.
        max_outage: Seconds for which a provider may be down before the run ends with
            an error that says how to go on; else the runtime's, else 30. Until then
            nothing is handed out, and no example is charged for it. A provider that
            asks for longer than this with `Retry-After` ends the run within 5 s.
        failure_score: What an example without a score adds to the mean; 0.0.
        metric_range: The lowest and the highest score the metric gives; (0, 1). A score
            outside fails its example, and what was not measured lies inside.
        display_progress: `None` shows a bar on a terminal and nothing elsewhere.
        display_table: Whether each example is printed as a row; a number prints that
            many. For people: to work on, take the `results`.
        provide_traceback: Whether each failure is logged with the end of its traceback;
            else the setting, else not. It is in the result in any case.
        save_as_csv: A file for the rows, each value as text.
        save_as_json: A file for the rows, as a list of objects.
        isolate: "process" has program and metric done in processes of their own, for
            code that may hold the interpreter, crash it, or never end; see
            `dspex.evaluate.isolate`. They must be found by name in a module. "thread"
            has them done here.
        trials: How often each example is measured; 1. Its score is the mean.
        metric_timeout: Seconds of an example's time its metric may take; `None` for no
            limit of its own.
        total_timeout: Seconds the whole evaluation may take; what is not done then is
            not measured. `None` for no limit.
        run: A name for this evaluation. When it is interrupted, whatever by, the same
            call goes on where it stopped, also in another process.
        persist: Whether an evaluation without a name is recorded on disk as well; the
            runtime's `Config` says so unless given.
        keep_traces: Whose prompts and answers are kept with their outcome, also in the
            record: of what failed or scored below full ("wrong"; of the first 1,000),
            of "all", or of "none".
        notes: JSON values to remember in the record, such as a version of the program;
            what is called like a key or a password is masked.
        debug: Work on the caller's thread, one example after another, without deadline,
            progress bar or record; an error of the program or the metric is raised as
            it is.

    Raises:
        ConfigurationError: The set is empty, a number is not above zero, or there is no
            such folder.
    """

    callback_kind: ClassVar[str] = "evaluate"

    def __init__(
        self,
        *,
        devset: Devset,
        metric: Metric | None = None,
        num_threads: int | None = None,
        concurrency: int | None = None,
        timeout: float | None = None,
        max_errors: float | None = None,
        retry_answers: RetryAnswers | None = None,
        max_outage: float | None = None,
        failure_score: float = defaults.FAILURE_SCORE,
        metric_range: MetricRange = defaults.METRIC_RANGE,
        display_progress: bool | None = None,
        display_table: bool | int = False,
        provide_traceback: bool | None = None,
        save_as_csv: str | Path | None = None,
        save_as_json: str | Path | None = None,
        isolate: Isolate = "thread",
        trials: int = 1,
        metric_timeout: float | None = None,
        total_timeout: float | None = None,
        run: str | None = None,
        persist: bool | None = None,
        keep_traces: KeepTraces = "wrong",
        notes: Mapping[str, Any] | None = None,
        debug: bool = False,
    ) -> None:
        self.devset = checked_devset(devset)
        self.metric = None if metric is None else checked_metric(metric)
        self.debug = debug
        self.isolate = checked_isolate(isolate)
        self.concurrency = concurrency if concurrency is not None else num_threads
        self.max_errors = max_errors
        self.failure_score = failure_score
        self.metric_range = checked_range(metric_range)
        self.display_progress = display_progress
        self.display_table = display_table
        self.provide_traceback = provide_traceback
        self.save_as_csv = save_as_csv
        self.save_as_json = save_as_json
        self.keep_traces = checked_keep(keep_traces)
        self._limits = Limits(timeout=timeout, metric_range=self.metric_range)
        self._report()  # refuses a folder that is not there before anything else
        self._options = RunOptions(
            concurrency=_or(self.concurrency, defaults.CONCURRENCY),
            # A child's start does not count, and only its errand knows when it begins.
            timeout=timeout if isolate == "thread" else None,
            max_errors=_or(max_errors, defaults.MAX_ERRORS),
            retry_answers=retry_answers,
            max_outage=max_outage,
            failure_score=failure_score,
            metric_range=self.metric_range,
            display_progress=display_progress,
            trials=trials,
            metric_timeout=metric_timeout,
            total_timeout=total_timeout,
            run=run,
            persist=persist,
            notes=checked_notes(notes),
        )

    @property
    def num_threads(self) -> int | None:
        """DSPy's name for `concurrency`."""
        return self.concurrency

    def __repr__(self) -> str:
        name = None if self.metric is None else metric_name(self.metric)
        devset = self.devset
        count = f"{len(devset)}" if isinstance(devset, Sequence) else "a stream of"
        return f"Evaluate({count} examples, metric={name})"

    @with_callbacks
    def __call__(
        self,
        program: Callable[..., Any],
        metric: Metric | None = None,
        devset: Devset | None = None,
        num_threads: int | None = None,
        display_progress: bool | None = None,  # noqa: FBT001 - DSPy's signature
        display_table: bool | int | None = None,  # noqa: FBT001 - DSPy's signature
        callback_metadata: Mapping[str, Any] | None = None,  # noqa: ARG002 - see Args
        save_as_csv: str | Path | None = None,
        save_as_json: str | Path | None = None,
        *,
        resume: EvaluationResult | None = None,
        run: str | None = None,
    ) -> EvaluationResult:
        """Score a program. What is given here wins for this call.

        Args:
            program: Called with each example's inputs by name. A coroutine function,
                or a program with an `aforward` alone, runs on an event loop of this
                run; and so does all of it where a metric is one.
            metric: As for the class.
            devset: As for the class.
            num_threads: As for the class.
            display_progress: As for the class.
            display_table: As for the class.
            callback_metadata: For callbacks, which find it among their `inputs`.
            save_as_csv: As for the class.
            save_as_json: As for the class.
            resume: An earlier, unfinished result on the same examples; what it measured
                is not measured again.
            run: As for the class.

        Raises:
            ConfigurationError: There is no metric, or an argument makes no sense.
            EvaluationError: The run could not go on; `.result` has what was measured.
            EvaluationInterrupted: Ctrl-C; `.result` has what was measured.
        """
        metric, examples = self._checked(program, metric, devset)
        report = self._report(display_table, save_as_csv, save_as_json)
        earlier = Earlier.of(resume, examples)
        options = self._options_of(program, metric, num_threads, display_progress, run)
        if self.debug:
            result = on_this_thread(
                all_of(examples), program, metric, options, self._tracing()
            )
        else:
            with self._workplace(program, metric) as place:
                result = work_through(
                    examples,
                    place.work,
                    options,
                    earlier=earlier,
                    workers=place.workers,
                )
        report.give(result, metric_name(metric))
        return result

    def start(
        self,
        program: Callable[..., Any],
        metric: Metric | None = None,
        devset: Devset | None = None,
        *,
        resume: EvaluationResult | None = None,
        run: str | None = None,
    ) -> EvaluationRun:
        """Begin to score a program, and return at once.

        What comes back can be watched, paused, asked why it is not finished, and
        stopped. Nothing is shown on the way; tables and files come with its result.

        Args:
            program: As for a call.
            metric: As for the class.
            devset: As for the class.
            resume: As for a call.
            run: As for the class.

        Raises:
            ConfigurationError: There is no metric, an argument makes no sense, or
                `debug` is on, which works on the caller's thread.
        """
        if self.debug:
            raise ConfigurationError(
                "debug=True works on the caller's thread, and start() returns at once; "
                "expected one of the two. Call evaluate(program) to debug."
            )
        metric, examples = self._checked(program, metric, devset)
        report, name = self._report(), metric_name(metric)
        earlier = Earlier.of(resume, examples)
        options = self._options_of(program, metric, run=run)
        needs = ExitStack()
        try:
            place = needs.enter_context(self._workplace(program, metric))
            return start_run(
                examples,
                place.work,
                options,
                earlier=earlier,
                workers=place.workers,
                needs=needs,
                told=lambda result: report.give(result, name),
            )
        except BaseException:
            # Else the run closes what it needs, at its end.
            needs.close()
            raise

    @with_callbacks
    async def acall(
        self,
        program: Callable[..., Any],
        metric: Metric | None = None,
        devset: Devset | None = None,
        num_threads: int | None = None,
        display_progress: bool | None = None,  # noqa: FBT001 - as `__call__`
        display_table: bool | int | None = None,  # noqa: FBT001 - as `__call__`
        callback_metadata: Mapping[str, Any] | None = None,  # noqa: ARG002 - see Args
        save_as_csv: str | Path | None = None,
        save_as_json: str | Path | None = None,
        *,
        resume: EvaluationResult | None = None,
        run: str | None = None,
    ) -> EvaluationResult:
        """Score a program on the caller's event loop, which goes on meanwhile.

        What is a coroutine function, or has an `acall`, is awaited on that loop, and
        cancelled for real when its time is over. A plain program or metric runs in a
        thread; those of `dspex.metrics` only compute and are called on the loop.

        Cancelling the awaiting task ends the run in order, and its `CancelledError`
        goes on. What was measured is `error.__cause__.result`: that of the
        `EvaluationCancelledError` the error comes from.

        Args:
            program: Called or awaited with each example's inputs by name.
            metric: As for the class.
            devset: As for the class.
            num_threads: As for the class.
            display_progress: As for the class.
            display_table: As for the class.
            callback_metadata: For callbacks, which find it among their `inputs`.
            save_as_csv: As for the class.
            save_as_json: As for the class.
            resume: As for a call.
            run: As for the class.

        Raises:
            ConfigurationError: There is no metric, or an argument makes no sense.
            CancelledError: The awaiting task was cancelled.
            EvaluationError: The run could not go on; `.result` has what was measured.
        """
        metric, examples = self._checked(program, metric, devset)
        report = self._report(display_table, save_as_csv, save_as_json)
        earlier = Earlier.of(resume, examples)
        options = self._options_of(program, metric, num_threads, display_progress, run)
        if self.debug:
            work = ascoring(program, metric, self.metric_range)
            work = self._tracing().around_async(work)
            result = await on_this_loop(all_of(examples), work, options)
        else:
            async with workplace_here(
                program, metric, self.isolate, self._limits, self._tracing()
            ) as place:
                result = await awork_through(
                    examples,
                    place.work,
                    options,
                    earlier=earlier,
                    workers=place.workers,
                )
        report.give(result, metric_name(metric))
        return result

    def _workplace(
        self, program: Callable[..., Any], metric: Metric
    ) -> AbstractContextManager[Workplace]:
        return workplace(program, metric, self.isolate, self._limits, self._tracing())

    def _tracing(self) -> Tracing:
        _, full = self.metric_range
        return Tracing(self.keep_traces, full=full)

    def _checked(
        self,
        program: Callable[..., Any],
        metric: Metric | None,
        devset: Devset | None,
    ) -> tuple[Metric, Iterable[Example]]:
        checked_program(program)
        metric = checked_metric(_or(metric, self.metric))
        devset = self.devset if devset is None else checked_devset(devset)
        examples = begun(devset)
        return metric, examples

    def _options_of(
        self,
        program: Callable[..., Any],
        metric: Metric,
        num_threads: int | None = None,
        display_progress: bool | None = None,  # noqa: FBT001 - as `__call__` has it
        run: str | None = None,
    ) -> RunOptions:
        concurrency = _or(num_threads, self.concurrency)
        return replace(
            self._options,
            concurrency=_or(concurrency, settings.concurrency),
            max_errors=_or(self.max_errors, settings.max_errors),
            display_progress=_or(display_progress, self.display_progress),
            run=_or(run, self._options.run),
            metrics=metric_names(metric),
            fingerprints=lambda: fingerprints(
                program, metric, lm=settings.lm, adapter=settings.adapter
            ),
        )

    def _report(
        self,
        display_table: int | None = None,
        save_as_csv: str | Path | None = None,
        save_as_json: str | Path | None = None,
    ) -> Report:
        csv = _or(save_as_csv, self.save_as_csv)
        json = _or(save_as_json, self.save_as_json)
        return Report(
            table=_or(display_table, self.display_table),
            csv=None if csv is None else Path(csv),
            json=None if json is None else Path(json),
            traceback=_or(self.provide_traceback, settings.provide_traceback),
        )


def _or(value: T | None, otherwise: T) -> T:
    return otherwise if value is None else value
