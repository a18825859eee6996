"""`COPRO`: better instructions, one predictor after the other, by coordinate ascent.

The candidates and the choice are DSPy's. All wordings of one round are asked for side
by side, and scored side by side; what is chosen does not depend on which came first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from dspex.client.budget import Budget
from dspex.core.callbacks import with_callbacks
from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.core.lm import LanguageModel
from dspex.evaluate.devset import checked_set
from dspex.evaluate.metric import Metric, checked_metric
from dspex.programs.program import Program
from dspex.programs.settings import settings
from dspex.teleprompt.copro.ascent import Ascent, Climbing
from dspex.teleprompt.studies.conducting import Found
from dspex.teleprompt.studies.judging import lift_of, planned
from dspex.teleprompt.studies.order import (
    Order,
    allowed_errors,
    checked_budget,
    checked_rows,
)
from dspex.teleprompt.studies.plan import PerRun, PlanStep, StudyPlan
from dspex.teleprompt.studies.study import Study
from dspex.teleprompt.teleprompter import Teleprompter

P = TypeVar("P", bound=Program)


class COPRO(Teleprompter):
    """Asks a model for better instructions, and keeps what scores best.

    In each of `depth` rounds, and for one predictor after the other, `breadth` wordings
    are tried; the next round is asked for with the scores of the best of them in view.

    When to use it: where the instruction is what is wrong, and some hundreds of calls
    per round are affordable. When not: where examples would say it; compare with
    `BootstrapFewShotWithRandomSearch`.

    Args:
        prompt_model: Who proposes; the configured model unless given.
        metric: `metric(example, prediction)`; it scores.
        breadth: Wordings tried in each round, from 2 on.
        depth: Rounds.
        init_temperature: How freely the model proposes.
        track_stats: Whether the winner has DSPy's `results_best` and `results_latest`.
        num_threads: Examples worked on at a time, in all of it together; else the
            setting, else 16. `eval_kwargs` of a call may say it too.
        max_errors: Errors after which an evaluation stops, and the search with it.
        display_progress: `None` shows a line on a terminal and nothing elsewhere.

    Raises:
        ConfigurationError: There is no metric, or a number makes no sense.
    """

    def __init__(
        self,
        prompt_model: LanguageModel | None = None,
        metric: Metric | None = None,
        breadth: int = 10,
        depth: int = 3,
        init_temperature: float = 1.4,
        track_stats: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
        *,
        num_threads: int | None = None,
        max_errors: float | None = None,
        display_progress: bool | None = None,
    ) -> None:
        if breadth < 2:
            raise ConfigurationError(
                f"breadth is {breadth}; one of them is the instruction as it is. Pass "
                "2 or more."
            )
        if depth < 1:
            raise ConfigurationError(f"depth is {depth}; it counts rounds. Pass 1.")
        self.prompt_model = prompt_model
        self.metric = checked_metric(metric)
        self.breadth = breadth
        self.depth = depth
        self.init_temperature = init_temperature
        self.track_stats = track_stats
        self.num_threads = num_threads
        self.max_errors = max_errors
        self.display_progress = display_progress

    @with_callbacks
    def compile(
        self,
        student: P,
        *,
        trainset: Sequence[Example],
        eval_kwargs: Mapping[str, Any] | None = None,
        valset: Sequence[Example] | None = None,
        testset: Sequence[Example] | None = None,
        budget: Budget | None = None,
        run: str | None = None,
    ) -> P:
        """Return the best candidate; the student stays as it is.

        Its `candidate_programs` are the wordings that were tried, best first, in DSPy's
        shape: dicts with `score`, `program`, `instruction`, `prefix` and `depth`; its
        `total_calls` says how many evaluations there were.

        Args:
            student: The program to improve; demos it has are kept.
            trainset: The examples to score on.
            eval_kwargs: DSPy's: `num_threads` and `max_errors` of the evaluations,
                `display_progress` of the study; what else `Evaluate` would show of each
                evaluation is not shown.
            valset: Examples to judge the winner on, beside the student; see `study`.
            testset: The same.
            budget: What it may spend, together with what else is spent in it. When it
                is used up, the best until then is returned.
            run: A name for this study. When it is interrupted, whatever by, the same
                call goes on where it stopped, also in another process.

        Raises:
            BudgetExceededError: The budget was used up before a candidate was scored.
            ConfigurationError: A set is empty, or the program has no predictor.
            EvaluationError: An evaluation could not go on.
            EvaluationInterrupted: Ctrl-C; `.best_so_far` is the best until then.
            RunChangedError: The study of that name was begun with something else.
        """
        refuse_dspy(student, "student")
        told = dict(eval_kwargs or {})
        threads = told.get("num_threads") or self.num_threads or settings.concurrency
        order = Order(
            optimiser="COPRO",
            student=student,
            metric=self.metric,
            trainset=checked_set(trainset, "trainset"),
            valset=checked_rows(valset, "valset"),
            testset=checked_rows(testset, "testset"),
            parameters={
                "prompt_model": self.prompt_model,
                "breadth": self.breadth,
                "depth": self.depth,
                "init_temperature": self.init_temperature,
            },
            run=run,
            budget=checked_budget(budget),
            concurrency=threads,
            max_errors=allowed_errors(told.get("max_errors", self.max_errors)),
            display_progress=told.get("display_progress", self.display_progress),
        )
        if not student.predictors():
            raise ConfigurationError(
                f"{type(student).__name__} has no predictor whose instruction could be "
                "better. Make one in its __init__, or check that it is not compiled."
            )
        how = Climbing(
            breadth=self.breadth,
            depth=self.depth,
            temperature=self.init_temperature,
            lm=self.prompt_model,
        )
        ascents: list[Ascent] = []

        def search(study: Study) -> Found[P]:
            ascents.append(Ascent(study, how))
            best = ascents[0].climb()
            winner: P = best.program
            return Found(
                program=winner, number=best.number, lift=lift_of(study, winner)
            )

        winner = self._conduct(order, search)
        ascents[0].describe(winner, with_statistics=self.track_stats)
        return winner

    def plan(
        self,
        student: Program,
        *,
        trainset: Sequence[Example],
        eval_kwargs: Mapping[str, Any] | None = None,  # noqa: ARG002 - as compile
        valset: Sequence[Example] | None = None,
        testset: Sequence[Example] | None = None,
    ) -> StudyPlan:
        """Return what `compile` would ask, without asking it; its arguments, too."""
        rows = checked_set(trainset, "trainset")
        predictors = len(student.predictors())
        breadth, depth = self.breadth, self.depth
        # With several predictors each round tries all wordings again.
        rounds = range(1, depth + 1)
        tried = sum(rounds) if predictors > 1 else depth
        each = PerRun.rehearsed(student, rows, self.metric)
        asked = predictors * (breadth * depth - 1)
        scored = predictors * breadth * tried * len(rows)
        judging = checked_rows(testset if testset is not None else valset, "valset")
        return StudyPlan(
            optimiser="COPRO",
            steps=(
                PlanStep(
                    what="wordings asked of the prompt model",
                    least=asked,
                    most=asked,
                    each=PerRun(calls=1.0),
                ),
                PlanStep(
                    what="wordings on the training set",
                    least=predictors * len(rows),
                    most=scored,
                    each=each,
                ),
                *planned(judging, each),
            ),
        )
