"""`BootstrapFewShot`: let a teacher answer, keep what the metric accepts as demos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from dspex.client.budget import Budget
from dspex.core.callbacks import with_callbacks
from dspex.core.errors import EvaluationError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.evaluate.devset import checked_set
from dspex.evaluate.metric import Metric, checked_metric
from dspex.programs.program import Program
from dspex.programs.settings import settings
from dspex.teleprompt.few_shot.bootstrap_result import BootstrapResult
from dspex.teleprompt.few_shot.bootstrapping import Bootstrapping
from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.conducting import Found
from dspex.teleprompt.studies.judging import lift_of, planned
from dspex.teleprompt.studies.order import Order, checked_budget, checked_rows
from dspex.teleprompt.studies.plan import PerRun, StudyPlan
from dspex.teleprompt.studies.study import Study, StudyStopped
from dspex.teleprompt.teleprompter import Teleprompter

P = TypeVar("P", bound=Program)


class BootstrapFewShot(Teleprompter):
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
        display_progress: `None` shows a line on a terminal and nothing elsewhere.

    Attributes:
        result: The teacher's run of the last `compile`: outcomes, calls, seconds, and
            in `not_needed` what was asked ahead of time and in vain.

    Raises:
        ConfigurationError: A number makes no sense.
    """

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
        self.max_errors = max_errors
        self.num_threads = num_threads
        self.display_progress = display_progress
        self.result: BootstrapResult | None = None
        self.bootstrapping()  # refuses what makes no sense before any work starts

    @with_callbacks
    def compile(
        self,
        student: P,
        *,
        teacher: Program | None = None,
        trainset: Sequence[Example],
        valset: Sequence[Example] | None = None,
        budget: Budget | None = None,
        run: str | None = None,
    ) -> P:
        """Return a copy of `student` with demos; student and teacher stay as they are.

        Args:
            student: The program to improve.
            teacher: The program that answers; a copy of the student unless given.
            trainset: The examples to work on, in order.
            valset: Examples to judge the result on, beside the student; see `study`.
            budget: What it may spend, together with what else is spent in it.
            run: A name for this study. When it is interrupted, whatever by, the same
                call goes on where it stopped, also in another process.

        Raises:
            BudgetExceededError: The budget was used up before the demos were made.
            ConfigurationError: The training set is empty, or student and teacher are
                not built alike.
            EvaluationError: The teacher's run could not go on.
            EvaluationInterrupted: Ctrl-C; `.best_so_far` is the program made of what
                was accepted until then.
            RunChangedError: The study of that name was begun with something else.
        """
        refuse_dspy(student, "student")
        how = self.bootstrapping()
        order = Order(
            optimiser="BootstrapFewShot",
            student=student,
            teacher=teacher,
            metric=self.metric,
            trainset=checked_set(trainset, "trainset"),
            valset=checked_rows(valset, "valset"),
            parameters=how.parameters(),
            run=run,
            budget=checked_budget(budget),
            concurrency=self.num_threads or settings.concurrency,
            max_errors=how.max_errors,
            display_progress=self.display_progress,
        )

        def search(study: Study) -> Found[P]:
            return self._search(study, student, how)

        return self._conduct(order, search, candidates=1)

    def plan(
        self,
        student: Program,
        *,
        teacher: Program | None = None,
        trainset: Sequence[Example],
        valset: Sequence[Example] | None = None,
    ) -> StudyPlan:
        """Return what `compile` would ask, without asking it; its arguments, too."""
        rows, how = checked_set(trainset, "trainset"), self.bootstrapping()
        judging = checked_rows(valset, "valset") if self.metric is not None else None
        shown = how.with_most_demos(student, rows)
        return StudyPlan(
            optimiser="BootstrapFewShot",
            steps=(
                how.planned(student, teacher, rows, [how.max_bootstrapped_demos]),
                *planned(judging, PerRun.rehearsed(shown, rows, self.metric)),
            ),
        )

    def _search(self, study: Study, student: P, how: Bootstrapping) -> Found[P]:
        order = study.order
        try:
            taught, self.result = how.taught(
                study, "demos", student, order.teacher, order.trainset
            )
        except (EvaluationError, StudyStopped) as stopped:
            if isinstance(stopped.result, BootstrapResult):
                self.result = stopped.result
            raise
        study.report(
            Candidate(
                number=0,
                label="bootstrapped demos",
                origin=f"a teacher's answers: {self.result.taken}",
                state=taught.dump_state(),
                program=taught,
            )
        )
        return Found(program=taught, number=0, lift=lift_of(study, taught))

    def bootstrapping(self) -> Bootstrapping:
        """Return how demos are made, with the settings in force."""
        return Bootstrapping.as_told(self)
