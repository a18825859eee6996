"""`MIPROv2`: instructions and demos together, chosen by a Bayesian sampler."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, get_args

from dspex.client.budget import Budget
from dspex.core.callbacks import with_callbacks
from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.core.lm import LanguageModel
from dspex.evaluate.devset import checked_set
from dspex.evaluate.metric import Metric, checked_metric
from dspex.evaluate.record.fingerprint import rows_digest
from dspex.programs.program import Program
from dspex.programs.settings import context, settings
from dspex.teleprompt.few_shot.bootstrapping import Bootstrapping
from dspex.teleprompt.few_shot.demo_sets import drawn_sets
from dspex.teleprompt.mipro.extent import Asked, Auto, extent_of
from dspex.teleprompt.mipro.grounded import SHOWN_DEMOS, Grounds
from dspex.teleprompt.mipro.mipro_search import MIPROSearch, save_all
from dspex.teleprompt.mipro.prompt_search import import_optuna
from dspex.teleprompt.studies.judging import planned
from dspex.teleprompt.studies.order import (
    Order,
    allowed_errors,
    checked_budget,
    checked_rows,
)
from dspex.teleprompt.studies.plan import PerRun, PlanStep, StudyPlan
from dspex.teleprompt.teleprompter import Teleprompter

P = TypeVar("P", bound=Program)


class MIPROv2(Teleprompter):
    """Finds an instruction and a set of demos for each predictor, both at once.

    Demos are bootstrapped, instructions proposed in the light of the program, its data
    and these demos, and a Bayesian sampler tries combinations of them, most of them on
    a part of the rows.

    When to use it: where both matter, several hundred calls are affordable, and there
    are a hundred examples or more. When not: with few examples, or where one of the two
    is clearly what is wrong; see `BootstrapFewShotWithRandomSearch` and `COPRO`.

    It needs the extra `optuna`.

    Args:
        metric: `metric(example, prediction, trace)`; it accepts demos and scores.
        prompt_model: Who proposes instructions; the configured model unless given.
        task_model: The model of the program; the configured one unless given.
        teacher_settings: Settings under which the teacher runs, such as `lm`.
        max_bootstrapped_demos: Demos made by the teacher, at most; with both at 0 only
            instructions are tried.
        max_labeled_demos: Demos in all, filled up with plain examples.
        auto: How much is tried: "light", "medium", "heavy"; `None` to say it by
            `num_candidates` and `num_trials`.
        num_candidates: Instructions and sets of demos, each.
        num_threads: Examples worked on at a time, in all of it together; else the
            setting, else 16.
        max_errors: Errors after which a run stops, and the search with it; else the
            setting, else 10.
        seed: Of all draws.
        init_temperature: How freely the model proposes.
        verbose: DSPy's; the study's result tells what was tried.
        track_stats: Whether the winner has DSPy's `trial_logs`, `candidate_programs`
            and `mb_candidate_programs` (each score, the best first), `score`,
            `total_calls` (evaluations) and `prompt_model_total_calls` (answers).
        log_dir: A folder that gets `evaluated_programs/program_N.json` for each
            candidate, beside the study's record.
        metric_threshold: The number a metric must reach for a demo.
        display_progress: `None` shows a line on a terminal and nothing elsewhere.

    Raises:
        ConfigurationError: A number or a word makes no sense, or Optuna is not there.
    """

    def __init__(
        self,
        metric: Metric,
        prompt_model: LanguageModel | None = None,
        task_model: LanguageModel | None = None,
        teacher_settings: Mapping[str, Any] | None = None,
        max_bootstrapped_demos: int = 4,
        max_labeled_demos: int = 4,
        auto: Auto | None = "light",
        num_candidates: int | None = None,
        num_threads: int | None = None,
        max_errors: float | None = None,
        seed: int = 9,
        init_temperature: float = 1.0,
        verbose: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
        track_stats: bool = True,  # noqa: FBT001, FBT002 - DSPy's signature
        log_dir: str | Path | None = None,
        metric_threshold: float | None = None,
        *,
        display_progress: bool | None = None,
    ) -> None:
        if auto not in (None, *get_args(Auto)):
            raise ConfigurationError(
                f"auto is {auto!r}; expected 'light', 'medium', 'heavy' or None. Pass "
                "None to choose num_candidates and num_trials yourself."
            )
        self.metric = checked_metric(metric)
        self.prompt_model = prompt_model
        self.task_model = task_model
        self.teacher_settings = dict(teacher_settings or {})
        self.max_bootstrapped_demos = max_bootstrapped_demos
        self.max_labeled_demos = max_labeled_demos
        self.auto = auto
        self.num_candidates = num_candidates
        self.num_threads = num_threads
        self.max_errors = max_errors
        self.seed = seed
        self.init_temperature = init_temperature
        self.verbose = verbose
        self.track_stats = track_stats
        self.log_dir = None if log_dir is None else Path(log_dir)
        self.metric_threshold = metric_threshold
        self.display_progress = display_progress
        import_optuna()

    @with_callbacks
    def compile(
        self,
        student: P,
        *,
        trainset: Sequence[Example],
        teacher: Program | None = None,
        valset: Sequence[Example] | None = None,
        num_trials: int | None = None,
        max_bootstrapped_demos: int | None = None,
        max_labeled_demos: int | None = None,
        seed: int | None = None,
        minibatch: bool = True,
        minibatch_size: int = 35,
        minibatch_full_eval_steps: int = 5,
        program_aware_proposer: bool = True,
        data_aware_proposer: bool = True,
        view_data_batch_size: int = 10,
        tip_aware_proposer: bool = True,
        fewshot_aware_proposer: bool = True,
        requires_permission_to_run: bool | None = None,
        provide_traceback: bool | None = None,
        testset: Sequence[Example] | None = None,
        budget: Budget | None = None,
        run: str | None = None,
    ) -> P:
        """Return the best candidate; student and teacher stay as they are.

        Args:
            student: The program to improve; demos it has are those of the first trial.
            trainset: The examples that demos are made of and that proposals look at.
            teacher: The program that answers; a copy of the student unless given.
            valset: The examples to choose by; unless given, the last 80 % of the
                training set, which then does not learn from them. When it is given the
                winner is judged on it too, each half by what the other half chooses.
            num_trials: How many combinations are tried; without `auto` only.
            max_bootstrapped_demos: As for the class.
            max_labeled_demos: As for the class.
            seed: As for the class.
            minibatch: Whether to try on a part of the rows; `auto` decides by itself.
            minibatch_size: How many rows that are.
            minibatch_full_eval_steps: Trials after which the best is scored on all.
            program_aware_proposer: Whether proposals see the program's code.
            data_aware_proposer: Whether they see a summary of the training set.
            view_data_batch_size: Examples looked at together for that.
            tip_aware_proposer: Whether each has a tip, which is drawn.
            fewshot_aware_proposer: Whether they see demos.
            requires_permission_to_run: DSPy's; `plan` tells what a call would cost.
            provide_traceback: DSPy's; errors are in the runs of the study.
            testset: Examples on which only the winner is judged, beside the student.
            budget: What it may spend, together with what else is spent in it. When it
                is used up, the best until then is returned.
            run: A name for this study. When it is interrupted, whatever by, the same
                call goes on where it stopped, also in another process.

        Raises:
            BudgetExceededError: The budget was used up before a candidate was scored.
            ConfigurationError: A set is empty or too small, or numbers contradict one
                another.
            EvaluationError: A run could not go on.
            EvaluationInterrupted: Ctrl-C; `.best_so_far` is the best until then.
            RunChangedError: The study of that name was begun with something else.
        """
        refuse_dspy(student, "student")
        if requires_permission_to_run:
            raise ConfigurationError(
                "requires_permission_to_run asks nobody any more, here as in DSPy; "
                "expected it to be left out. Call plan() to see what it would cost."
            )
        del provide_traceback
        how, is_zero_shot = self._bootstrapping(
            max_bootstrapped_demos, max_labeled_demos
        )
        # A seed of 0 is one.
        seed = self.seed if seed is None else seed
        rng = random.Random(seed)  # noqa: S311 - to be repeated, no secret
        extent = extent_of(
            self._asked(
                seed,
                num_trials,
                minibatch_size if minibatch else None,
                minibatch_full_eval_steps,
            ),
            checked_set(trainset, "trainset"),
            checked_rows(valset, "valset"),
            predictors=len(student.predictors()),
            is_zero_shot=is_zero_shot,
            rng=rng,
        )
        grounds = Grounds(
            program=program_aware_proposer,
            data=data_aware_proposer,
            tips=tip_aware_proposer,
            demos=fewshot_aware_proposer,
            view_data_batch_size=view_data_batch_size,
        )
        prompt_model = self.prompt_model or settings.lm
        search = MIPROSearch(
            student=student,
            how=how,
            extent=extent,
            grounds=grounds,
            prompt_model=prompt_model,
            temperature=self.init_temperature,
            rng=rng,
        )
        with ExitStack() as stack:
            if self.task_model is not None:
                stack.enter_context(context(lm=self.task_model))
            order = Order(
                optimiser="MIPROv2",
                student=student,
                teacher=teacher,
                metric=self.metric,
                trainset=extent.trainset,
                valset=checked_rows(valset, "valset"),
                testset=checked_rows(testset, "testset"),
                parameters={
                    **how.parameters(),
                    "prompt_model": prompt_model,
                    "init_temperature": self.init_temperature,
                    "grounds": asdict(grounds),
                    "trials": asdict(extent.trials),
                    "num_candidates": (extent.instructions, extent.demo_sets),
                    "chosen_on": rows_digest(extent.valset),
                },
                run=run,
                budget=checked_budget(budget),
                concurrency=self.num_threads or settings.concurrency,
                max_errors=how.max_errors,
                display_progress=self.display_progress,
            )
            winner = self._conduct(order, search)
        if self.track_stats:
            search.describe(winner)
        if self.log_dir is not None and self.study is not None:
            save_all(self.log_dir, self.study.candidates)
        return winner

    def plan(
        self,
        student: Program,
        *,
        trainset: Sequence[Example],
        teacher: Program | None = None,
        valset: Sequence[Example] | None = None,
        num_trials: int | None = None,
        max_bootstrapped_demos: int | None = None,
        max_labeled_demos: int | None = None,
        seed: int | None = None,
        minibatch: bool = True,
        minibatch_size: int = 35,
        minibatch_full_eval_steps: int = 5,
        program_aware_proposer: bool = True,
        data_aware_proposer: bool = True,
        view_data_batch_size: int = 10,
        tip_aware_proposer: bool = True,
        fewshot_aware_proposer: bool = True,
        testset: Sequence[Example] | None = None,
    ) -> StudyPlan:
        """Return what `compile` would ask, without asking it; its arguments, too."""
        how, is_zero_shot = self._bootstrapping(
            max_bootstrapped_demos, max_labeled_demos
        )
        seed = self.seed if seed is None else seed
        size = minibatch_size if minibatch else None
        asked = self._asked(seed, num_trials, size, minibatch_full_eval_steps)
        grounds = Grounds(
            program=program_aware_proposer,
            data=data_aware_proposer,
            tips=tip_aware_proposer,
            demos=fewshot_aware_proposer,
            view_data_batch_size=view_data_batch_size,
        )
        rng = random.Random(seed)  # noqa: S311 - to be repeated, no secret
        predictors = len(student.predictors())
        extent = extent_of(
            asked,
            checked_set(trainset, "trainset"),
            checked_rows(valset, "valset"),
            predictors=predictors,
            is_zero_shot=is_zero_shot,
            rng=rng,
        )
        sets = drawn_sets(extent.demo_sets, extent.trainset, how, rng)
        sizes = [each.size for each in sets if each.is_bootstrapped(how)]
        shown = how.with_most_demos(student, extent.trainset)
        each = PerRun.rehearsed(shown, extent.valset, self.metric)
        fewest = predictors * (extent.instructions - 1)
        about = grounds.described_at_most(
            rows=len(extent.trainset), predictors=predictors
        )
        proposals = PlanStep(
            what="proposals asked of the prompt model",
            least=fewest,
            most=fewest + about,
            each=PerRun(calls=1.0),
        )
        scored = extent.trials.rows_at_most(len(extent.valset))
        scoring = PlanStep(
            what="combinations on the rows to choose by",
            least=min(scored, 2 * len(extent.valset)),
            most=scored,
            each=each,
        )
        judging = planned(checked_rows(testset, "testset"), each)
        return StudyPlan(
            optimiser="MIPROv2",
            steps=(
                how.planned(student, teacher, extent.trainset, sizes),
                proposals,
                scoring,
                *judging,
            ),
        )

    def _asked(
        self,
        seed: int,
        num_trials: int | None,
        minibatch_size: int | None,
        full_every: int,
    ) -> Asked:
        return Asked(
            auto=self.auto,
            num_candidates=self.num_candidates,
            num_trials=num_trials,
            minibatch_size=minibatch_size,
            full_every=full_every,
            seed=seed,
        )

    def _bootstrapping(
        self, max_bootstrapped_demos: int | None, max_labeled_demos: int | None
    ) -> tuple[Bootstrapping, bool]:
        """Return how demos are made, and whether they are but shown to the proposer."""
        made, labels = max_bootstrapped_demos, max_labeled_demos
        made = self.max_bootstrapped_demos if made is None else made
        labels = self.max_labeled_demos if labels is None else labels
        if not made and labels:
            raise ConfigurationError(
                f"max_bootstrapped_demos is 0 and max_labeled_demos {labels}; expected "
                "both at 0, to try instructions only, or demos to bootstrap. Pass "
                "max_bootstrapped_demos=1 or more."
            )
        how = Bootstrapping(
            metric=self.metric,
            metric_threshold=self.metric_threshold,
            teacher_settings=self.teacher_settings,
            max_bootstrapped_demos=made or SHOWN_DEMOS,
            max_labeled_demos=labels,
            max_errors=allowed_errors(self.max_errors),
        )
        return how, not made
