"""`BootstrapFewShot`: let a teacher answer, keep what the metric accepts as demos.

The algorithm is DSPy's, with its results; the work runs on the evaluation engine, many
examples at a time. What is kept does not depend on which answer came first: examples
and errors count in the order of the training set, and what was worked on beyond the
last one needed is left. How far the hands run ahead is for `forecast` to say.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from dspex.core import defaults
from dspex.core.callbacks import with_callbacks
from dspex.core.errors import (
    ConfigurationError,
    EvaluationError,
    EvaluationInterrupted,
)
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.evaluate import run_errors
from dspex.evaluate.devset import checked_set
from dspex.evaluate.engine import work_through
from dspex.evaluate.metric import Metric, checked_metric, judge
from dspex.evaluate.options import RunOptions
from dspex.evaluate.outcome import OutcomeKind, ends_every_example, kind_of
from dspex.evaluate.plan import Ended
from dspex.evaluate.result import EvaluationResult
from dspex.evaluate.worker import Measured, WorkFailed
from dspex.programs.program import Program
from dspex.programs.settings import context, settings
from dspex.teleprompt.bootstrap_result import BootstrapResult
from dspex.teleprompt.demos import Tried, demos_of, first_accepted
from dspex.teleprompt.forecast import Forecast
from dspex.teleprompt.labeled_few_shot import LabeledFewShot
from dspex.teleprompt.search import Search
from dspex.teleprompt.teacher import Teacher

P = TypeVar("P", bound=Program)


class BootstrapFewShot:
    """Gives predictors demos that the program itself made and the metric accepted.

    When to use it: programs with several steps, or with reasoning, whose steps no
    example shows. When not: where labelled examples already say it all; compare with
    `LabeledFewShot`, which costs nothing.

    Args:
        metric: `metric(example, prediction, trace)`; what it accepts becomes a demo.
            Of several by name, the first one decides. `None` accepts every answer.
        metric_threshold: The number a metric must reach; `None` accepts what is true.
        teacher_settings: Settings under which the teacher runs, such as `lm`.
        max_bootstrapped_demos: Demos made by the teacher, at most.
        max_labeled_demos: Demos in all, filled up with plain examples.
        max_rounds: How often an example is tried; later rounds at temperature 1.
        max_errors: Errors after which to stop, in the order of the examples; each
            round that fails is one. Else the setting, else 10.
        num_threads: Examples worked on at a time; else the setting, else 16. Fewer than
            twice as many are worked on that turn out not to be needed.
        display_progress: `None` shows a bar on a terminal and nothing elsewhere.

    Attributes:
        result: The teacher's run of the last `compile`: outcomes, calls, seconds, and
            in `not_needed` what was asked ahead of time and in vain.

    Raises:
        ConfigurationError: A number makes no sense.
    """

    callback_kind: ClassVar[str] = "compile"

    def __init__(
        self,
        metric: Metric | None = None,
        metric_threshold: float | None = None,
        teacher_settings: Mapping[str, Any] | None = None,
        max_bootstrapped_demos: int = 4,
        max_labeled_demos: int = 16,
        max_rounds: int = 1,
        max_errors: float | None = None,
        num_threads: int | None = None,
        *,
        display_progress: bool | None = None,
    ) -> None:
        self.metric = None if metric is None else checked_metric(metric)
        self.metric_threshold = metric_threshold
        self.teacher_settings = dict(teacher_settings or {})
        self.max_bootstrapped_demos = max_bootstrapped_demos
        self.max_labeled_demos = max_labeled_demos
        self.max_rounds = max_rounds
        for name in ("max_bootstrapped_demos", "max_labeled_demos"):
            _check_count(name, getattr(self, name), least=0)
        _check_count("max_rounds", max_rounds, least=1)
        self.max_errors = max_errors
        self.num_threads = num_threads
        self.display_progress = display_progress
        self.result: BootstrapResult | None = None

    @with_callbacks
    def compile(
        self,
        student: P,
        *,
        teacher: Program | None = None,
        trainset: Sequence[Example],
    ) -> P:
        """Return a copy of `student` with demos; student and teacher stay as they are.

        Args:
            student: The program to improve.
            teacher: The program that answers; a copy of the student unless given.
            trainset: The examples to work on, in order.

        Raises:
            ConfigurationError: The training set is empty, or student and teacher are
                not built alike.
            EvaluationError: The teacher's run could not go on.
            EvaluationInterrupted: Ctrl-C; `.best_so_far` is the program made of what
                was accepted until then.
        """
        refuse_dspy(student, "student")
        rows = checked_set(trainset, "trainset")
        taught = student.reset_copy()
        teacher = self._teacher(taught, teacher, rows)
        _check_alike(taught, teacher)
        try:
            result = self._run(teacher, rows)
        except EvaluationInterrupted as interrupted:
            interrupted.best_so_far = self._taught(taught, interrupted.result, rows)
            raise
        return self._taught(taught, result, rows)

    def _teacher(
        self, student: Program, teacher: Program | None, rows: Sequence[Example]
    ) -> Program:
        copy = (teacher or student).deepcopy()
        if self.max_labeled_demos and not getattr(copy, "_compiled", False):
            labelled = LabeledFewShot(k=self.max_labeled_demos)
            return labelled.compile(copy, trainset=rows)
        return copy

    # The teacher's run.

    def _run(self, teacher: Program, rows: Sequence[Example]) -> BootstrapResult:
        wanted = self.max_bootstrapped_demos
        if not wanted:
            return BootstrapResult(examples=rows, outcomes=(None,) * len(rows))
        options = RunOptions(
            concurrency=self.num_threads or settings.concurrency,
            max_errors=math.inf,
            display_progress=self.display_progress,
            label="bootstrap",
        )
        limit = self._limit(len(rows))
        answering = Teacher(teacher)
        search = Search(
            Forecast(
                examples=len(rows),
                demos=wanted,
                errors=limit,
                at_once=options.concurrency,
            )
        )

        def work(example: Example) -> Measured:
            return self._attempt(answering, example, limit)

        try:
            result = work_through(rows, work, options, steering=search)
        except (EvaluationInterrupted, EvaluationError) as stopped:
            stopped.result = self._keep(stopped.result, search)
            raise
        return self._judged(self._keep(result, search), search)

    def _keep(self, result: EvaluationResult, search: Search) -> BootstrapResult:
        self.result = BootstrapResult.of(result, needed=search.course.needed)
        return self.result

    def _limit(self, examples: int) -> float:
        """Errors at which to stop; a share of the examples is taken as their number."""
        limit = self.max_errors or settings.max_errors or defaults.MAX_ERRORS
        return max(1, math.ceil(limit * examples)) if limit < 1 else limit

    @staticmethod
    def _judged(result: BootstrapResult, search: Search) -> BootstrapResult:
        """Raise when the search ended with an error, as it would have one by one."""
        number = search.stopped_by_errors
        outcome = None if number is None else result.outcomes[number]
        if outcome is None:
            return result
        ended = Ended(reason="fatal" if outcome.is_fatal else "max_errors")
        error = run_errors.stopped(ended, outcome, result)
        raise error from run_errors.cause_of(outcome)

    def _attempt(self, teacher: Teacher, example: Example, limit: float) -> Measured:
        """Let the teacher answer one example, as often as `max_rounds` allows.

        An error costs a round and no more, unless every other round would meet it too.
        """
        errors = 0
        failed: WorkFailed | None = None
        measured = Measured(score=0.0)
        for round_number in range(self.max_rounds):
            try:
                measured = self._round(teacher, example, round_number)
                failed = None
            except WorkFailed as caught:
                failed = caught
                kind = kind_of(caught.error, caught.stage)
                # An answer that does not fit measures the model; see `counts_as_error`.
                errors += kind is not OutcomeKind.MODEL
                given_up = kind is OutcomeKind.CANCELLED
                if given_up or errors >= limit or ends_every_example(caught.error):
                    break
            if measured.score:
                break
        if failed is not None:
            failed.value = Tried(errors=errors)
            raise failed
        demos = measured.value
        return replace(measured, value=Tried(demos=demos, errors=errors))

    def _round(self, teacher: Teacher, example: Example, number: int) -> Measured:
        copy = teacher.without(example)
        trace: list[Any] = []
        with ExitStack() as stack:
            stack.enter_context(context(**self.teacher_settings))
            stack.enter_context(context(trace=trace))
            if number > 0 and settings.lm is not None:
                lm = settings.lm.copy(rollout_id=number, temperature=1.0)
                stack.enter_context(context(lm=lm))
            try:
                prediction = copy(**example.inputs())
            except BaseException as error:
                raise WorkFailed(error, "program") from error
            try:
                accepted = self._accepts(example, prediction, trace)
            except BaseException as error:
                raise WorkFailed(error, "metric", prediction) from error
        return Measured(
            score=float(accepted),
            prediction=prediction,
            value=demos_of(copy, trace) if accepted else None,
        )

    def _accepts(self, example: Example, prediction: Any, trace: list[Any]) -> bool:
        if self.metric is None:
            return True
        score = judge(self.metric, example, prediction, trace).score
        # Compared with None: a threshold of zero is one, too.
        if self.metric_threshold is not None:
            return score >= self.metric_threshold
        return bool(score)

    # From outcomes to demos.

    def _taught(
        self, student: P, result: BootstrapResult, rows: Sequence[Example]
    ) -> P:
        steps = first_accepted(result.outcomes, self.max_bootstrapped_demos)
        used = set(steps)
        rest = [row for number, row in enumerate(rows) if number not in used]
        random.Random(0).shuffle(rest)  # noqa: S311 - to be repeated, no secret
        rng = random.Random(0)  # noqa: S311 - to be repeated, no secret
        for name, predictor in student.named_predictors():
            made = [demo for step in steps.values() for demo in step.get(name, ())]
            made = made[: self.max_bootstrapped_demos]
            room = max(0, min(self.max_labeled_demos - len(made), len(rest)))
            predictor.demos = [*made, *rng.sample(rest, room)]
        student._compiled = True  # noqa: SLF001 - DSPy's mark, read by programs
        return student


def _check_alike(student: Program, teacher: Program) -> None:
    taught, teaching = student.named_predictors(), teacher.named_predictors()
    if not taught:
        raise ConfigurationError(
            f"{type(student).__name__} has no predictor to give demos to. Make one in "
            "its __init__, or check that it is not compiled already."
        )
    if [name for name, _ in taught] != [name for name, _ in teaching]:
        raise ConfigurationError(
            "student and teacher have different predictors: "
            f"{[name for name, _ in taught]} and {[name for name, _ in teaching]}. "
            "Build both from the same class."
        )
    for (name, mine), (_, theirs) in zip(taught, teaching, strict=True):
        if not mine.signature.equals(theirs.signature):
            raise ConfigurationError(
                f"predictor {name!r} has another signature in the teacher than in the "
                "student. Build both from the same class."
            )


def _check_count(name: str, value: int, *, least: int) -> None:
    if value < least:
        raise ConfigurationError(
            f"{name} is {value}; it counts, from {least} on. Pass {least} or more."
        )
