"""Bootstrapping: a teacher answers, and what the metric accepts becomes demos.

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
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, TypeVar

from dspex.core.errors import ConfigurationError, EvaluationError
from dspex.core.example import Example
from dspex.evaluate.metric import Metric, checked_metric, judge, metric_names
from dspex.evaluate.record.fingerprint import fingerprints
from dspex.evaluate.results.outcome import OutcomeKind, ends_every_example, kind_of
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.running import run_errors
from dspex.evaluate.running.options import RunOptions
from dspex.evaluate.running.plan import Ended
from dspex.evaluate.working.worker import Measured, WorkFailed
from dspex.programs.program import Program
from dspex.programs.settings import context, settings
from dspex.teleprompt.few_shot.bootstrap_result import BootstrapResult
from dspex.teleprompt.few_shot.demos import Tried, demos_of, first_accepted
from dspex.teleprompt.few_shot.forecast import Forecast
from dspex.teleprompt.few_shot.labeled_few_shot import labelled
from dspex.teleprompt.few_shot.search import Search
from dspex.teleprompt.few_shot.teacher import Teacher
from dspex.teleprompt.studies.order import allowed_errors
from dspex.teleprompt.studies.plan import PerRun, PlanStep
from dspex.teleprompt.studies.study import Study, StudyStopped

P = TypeVar("P", bound=Program)


class Told(Protocol):
    """An optimiser that makes demos, with the arguments it was told."""

    metric: Any
    metric_threshold: float | None
    teacher_settings: dict[str, Any]
    max_bootstrapped_demos: int
    max_labeled_demos: int
    max_rounds: int
    max_errors: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrapping:
    """How demos are made; see `BootstrapFewShot`, whose words these are.

    Raises:
        ConfigurationError: A number makes no sense.
    """

    metric: Metric | None = None
    """Decides what becomes a demo; `None` accepts every answer."""
    metric_threshold: float | None = None
    """The number it must reach; `None` accepts what is true."""
    teacher_settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings under which the teacher runs."""
    max_bootstrapped_demos: int = 4
    """Demos made by the teacher, at most."""
    max_labeled_demos: int = 16
    """Demos in all."""
    max_rounds: int = 1
    """How often an example is tried."""
    max_errors: float = math.inf
    """Errors after which to stop, in the order of the examples."""

    def __post_init__(self) -> None:
        if self.metric is not None:
            checked_metric(self.metric)
        for name in ("max_bootstrapped_demos", "max_labeled_demos"):
            _check_count(name, getattr(self, name), least=0)
        _check_count("max_rounds", self.max_rounds, least=1)

    @classmethod
    def as_told(cls, told: Told) -> Self:
        """Return how an optimiser makes demos, with the settings in force.

        Raises:
            ConfigurationError: A number makes no sense.
        """
        return cls(
            metric=told.metric,
            metric_threshold=told.metric_threshold,
            teacher_settings=told.teacher_settings,
            max_bootstrapped_demos=told.max_bootstrapped_demos,
            max_labeled_demos=told.max_labeled_demos,
            max_rounds=told.max_rounds,
            max_errors=allowed_errors(told.max_errors),
        )

    def parameters(self) -> dict[str, Any]:
        """Return what decides which demos it makes, beside the metric."""
        return {
            "metric_threshold": self.metric_threshold,
            "teacher_settings": dict(self.teacher_settings),
            "max_bootstrapped_demos": self.max_bootstrapped_demos,
            "max_labeled_demos": self.max_labeled_demos,
            "max_rounds": self.max_rounds,
            "max_errors": self.max_errors,
        }

    def taught(
        self,
        study: Study,
        name: str,
        student: P,
        teacher: Program | None,
        rows: Sequence[Example],
    ) -> tuple[P, BootstrapResult]:
        """Return a copy of `student` with demos, and the teacher's run.

        Args:
            study: The study that does it.
            name: What the run is called there.
            student: The program; it is left as it is.
            teacher: Who answers; a copy of the student unless given.
            rows: The examples to work on, in order.

        Raises:
            ConfigurationError: Student and teacher are not built alike.
            EvaluationError: The teacher's run could not go on.
            StudyStopped: The study was stopped; it holds what was made until then.
        """
        copy = student.reset_copy()
        teacher = self._teacher(student, teacher, rows)
        check_alike(copy, teacher)
        if not self.max_bootstrapped_demos:
            nothing = BootstrapResult(examples=rows, outcomes=(None,) * len(rows))
            return self._with_demos(copy, nothing, rows), nothing
        forecast = Forecast(
            examples=len(rows),
            demos=self.max_bootstrapped_demos,
            errors=self._limit(len(rows)),
            at_once=study.order.concurrency,
        )
        search = Search(forecast)

        def kept(result: EvaluationResult) -> BootstrapResult:
            return BootstrapResult.of(result, needed=search.course.needed)

        try:
            made = kept(self._run(study, name, teacher, rows, search))
        except EvaluationError as error:
            error.result = kept(error.result)
            raise
        except StudyStopped as stopped:
            if stopped.result is not None:
                result = kept(stopped.result)
                stopped.result = result
                stopped.best_so_far = self._with_demos(copy, result, rows)
            raise
        return self._with_demos(copy, _judged(made, search), rows), made

    def with_most_demos(self, student: P, rows: Sequence[Example]) -> P:
        """Return a program with as many demos as one may get, for a rehearsal."""
        most = max(self.max_labeled_demos, self.max_bootstrapped_demos)
        return labelled(student, rows, most) if most else student.reset_copy()

    def planned(
        self,
        student: Program,
        teacher: Program | None,
        rows: Sequence[Example],
        sizes: Sequence[int],
    ) -> PlanStep:
        """Return what making several sets of demos may ask.

        Args:
            student: The program.
            teacher: Who answers.
            rows: The examples to work on.
            sizes: How many demos are wanted for each set.
        """
        asked = self._teacher(student, teacher, rows)
        return PlanStep(
            what="demos: the teacher on an example",
            least=sum(min(size, len(rows)) for size in sizes),
            most=len(rows) * self.max_rounds * sum(size > 0 for size in sizes),
            each=PerRun.rehearsed(asked, rows, self.metric),
        )

    def _teacher(
        self, student: Program, teacher: Program | None, rows: Sequence[Example]
    ) -> Program:
        copy = (teacher or student).deepcopy()
        if self.max_labeled_demos and not getattr(copy, "_compiled", False):
            return labelled(copy, rows, self.max_labeled_demos)
        return copy

    # The teacher's run.

    def _run(
        self,
        study: Study,
        name: str,
        teacher: Program,
        rows: Sequence[Example],
        search: Search,
    ) -> EvaluationResult:
        metric = {} if self.metric is None else self.metric
        options = RunOptions(
            max_errors=math.inf,
            label=name,
            metrics=metric_names(metric),
            fingerprints=lambda: fingerprints(
                teacher, metric, lm=settings.lm, adapter=settings.adapter
            ),
        )
        limit = self._limit(len(rows))
        answering = Teacher(teacher)

        def work(example: Example) -> Measured:
            return self._attempt(answering, example, limit)

        return study.work(name, rows, work, options, steering=search)

    def _limit(self, examples: int) -> float:
        """Errors at which to stop; a share of the examples is taken as their number."""
        limit = self.max_errors
        return max(1, math.ceil(limit * examples)) if limit < 1 else limit

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
            failed.value = Tried(errors=errors).plain()
            raise failed
        demos = measured.value
        return replace(measured, value=Tried(demos=demos, errors=errors).plain())

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

    def _with_demos(
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


def _judged(result: BootstrapResult, search: Search) -> BootstrapResult:
    """Raise when the search ended with an error, as it would have one by one."""
    number = search.stopped_by_errors
    outcome = None if number is None else result.outcomes[number]
    if outcome is None:
        return result
    ended = Ended(reason="fatal" if outcome.is_fatal else "max_errors")
    error = run_errors.stopped(ended, outcome, result)
    raise error from run_errors.cause_of(outcome)


def check_alike(student: Program, teacher: Program) -> None:
    """Hold that student and teacher are built alike.

    Raises:
        ConfigurationError: They are not.
    """
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
