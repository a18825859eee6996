"""`LabeledFewShot`: show the model some of the examples as they are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from dspex.client.budget import Budget
from dspex.core import defaults
from dspex.core.callbacks import with_callbacks
from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.evaluate.devset import checked_set
from dspex.evaluate.metric import Metric, checked_metric
from dspex.programs.program import Program
from dspex.programs.settings import settings
from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.conducting import Found
from dspex.teleprompt.studies.judging import lift_of, planned
from dspex.teleprompt.studies.order import Order, checked_budget, checked_rows
from dspex.teleprompt.studies.plan import PerRun, StudyPlan
from dspex.teleprompt.studies.study import Study
from dspex.teleprompt.teleprompter import Teleprompter

P = TypeVar("P", bound=Program)


class LabeledFewShot(Teleprompter):
    """Gives every predictor `k` examples of the training set as demos.

    When to use it: first, as the yardstick for anything more costly; it makes no call.
    When not: for programs with steps between, which the examples say nothing about.

    The algorithm is DSPy's: one random generator with seed 0 draws for one predictor
    after the other.

    Args:
        k: Demos for each predictor.
        metric: What judges the result, where there is a set to judge it on.
        num_threads: Examples judged at a time; else the setting, else 16.
        max_errors: Errors after which judging stops; else the setting, else 10.
        display_progress: `None` shows a line on a terminal and nothing elsewhere.

    Raises:
        ConfigurationError: `k` is below one.
    """

    def __init__(
        self,
        k: int = 16,
        *,
        metric: Metric | None = None,
        num_threads: int | None = None,
        max_errors: float | None = None,
        display_progress: bool | None = None,
    ) -> None:
        if k < 1:
            raise ConfigurationError(
                f"k is {k}; it counts demos. Pass at least 1, or use the program as is."
            )
        self.k = k
        self.metric = None if metric is None else checked_metric(metric)
        self.num_threads = num_threads
        self.max_errors = max_errors
        self.display_progress = display_progress

    @with_callbacks
    def compile(
        self,
        student: P,
        *,
        trainset: Sequence[Example],
        sample: bool = True,
        valset: Sequence[Example] | None = None,
        testset: Sequence[Example] | None = None,
        budget: Budget | None = None,
        run: str | None = None,
    ) -> P:
        """Return a copy of `student` with demos; `student` stays as it is.

        Args:
            student: The program.
            trainset: Where the demos come from. Nobody needs to say which fields are
                inputs: the program's signatures do.
            sample: Draw them at random; else take the first `k`.
            valset: Examples to judge the result on, beside the student; see `study`.
            testset: The same.
            budget: What the judging may spend.
            run: A name for this study, under which its judging is recorded. When it is
                interrupted, the same call goes on where it stopped.

        Raises:
            BudgetExceededError: The budget was used up before the result was judged.
            ConfigurationError: A set is empty, or there is one to judge on and no
                metric.
            EvaluationError: The judging could not go on.
            EvaluationInterrupted: Ctrl-C during the judging; `.best_so_far` is the
                program.
            RunChangedError: The study of that name was begun with something else.
        """
        refuse_dspy(student, "student")
        rows = checked_set(trainset, "trainset", have_inputs=False)
        judged_on = self._judged_on(valset, testset)
        order = Order(
            optimiser="LabeledFewShot",
            student=student,
            metric=self.metric,
            trainset=rows,
            valset=valset,
            testset=testset,
            parameters={"k": self.k, "sample": sample},
            run=run,
            # Nothing is asked, so there is nothing to keep.
            persist=None if judged_on else False,
            budget=checked_budget(budget),
            concurrency=self.num_threads or settings.concurrency,
            max_errors=self.max_errors or settings.max_errors or defaults.MAX_ERRORS,
            display_progress=self.display_progress,
        )

        def search(study: Study) -> Found[P]:
            made = labelled(student, rows, self.k, sample=sample)
            how = "drawn from" if sample else "the first of"
            study.report(
                Candidate(
                    number=0,
                    label=f"{min(self.k, len(rows))} labelled demos",
                    origin=f"examples {how} the training set, as they are",
                    state=made.dump_state(),
                    program=made,
                )
            )
            return Found(program=made, number=0, lift=lift_of(study, made))

        return self._conduct(order, search, candidates=1)

    def plan(
        self,
        student: Program,
        *,
        trainset: Sequence[Example],
        valset: Sequence[Example] | None = None,
        testset: Sequence[Example] | None = None,
    ) -> StudyPlan:
        """Return what `compile` would ask, without asking it; its arguments, too."""
        rows = checked_set(trainset, "trainset", have_inputs=False)
        judged_on = self._judged_on(valset, testset)
        if judged_on is None:
            return StudyPlan(optimiser="LabeledFewShot")
        shown = labelled(student, rows, self.k)
        each = PerRun.rehearsed(shown, judged_on, self.metric)
        steps = tuple(planned(judged_on, each))
        return StudyPlan(optimiser="LabeledFewShot", steps=steps)

    def _judged_on(
        self, valset: Sequence[Example] | None, testset: Sequence[Example] | None
    ) -> Sequence[Example] | None:
        """Return the rows the result is judged on; `None` for none.

        Raises:
            ConfigurationError: There are some and no metric, or there is none in them.
        """
        rows = checked_rows(valset, "valset")
        rows = checked_rows(testset, "testset") or rows
        if rows is not None and self.metric is None:
            raise ConfigurationError(
                "there are examples to judge the result on, and no metric; expected "
                "both or neither. Pass metric= to LabeledFewShot()."
            )
        return rows


def labelled(student: P, rows: Sequence[Example], k: int, *, sample: bool = True) -> P:
    """Return a copy of a program whose predictors have `k` of the examples as demos.

    Args:
        student: The program; it is left as it is.
        rows: Where the demos come from.
        k: How many, at most.
        sample: Draw them at random; else take the first.
    """
    compiled = student.reset_copy()
    rng = random.Random(0)  # noqa: S311 - a draw that can be repeated, no secret
    count = min(k, len(rows))
    for predictor in compiled.predictors():
        drawn = rng.sample(list(rows), count) if sample else list(rows[:count])
        predictor.demos = drawn
    return compiled
