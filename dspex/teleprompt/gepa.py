"""`GEPA`: instructions that evolve by reflection on what went wrong, in words."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

from dspex.client.budget import Budget
from dspex.core.callbacks import with_callbacks
from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.core.lm import LanguageModel
from dspex.evaluate.devset import checked_set
from dspex.programs.program import Program
from dspex.programs.settings import settings
from dspex.teleprompt.conducting import Found
from dspex.teleprompt.evolving import Evolution, Evolving, import_gepa
from dspex.teleprompt.extent import Auto
from dspex.teleprompt.judging import lift_of, planned
from dspex.teleprompt.order import Order, checked_budget, checked_rows
from dspex.teleprompt.plan import PerRun, PlanStep, StudyPlan
from dspex.teleprompt.study import Study
from dspex.teleprompt.teleprompter import Teleprompter

P = TypeVar("P", bound=Program)

FeedbackMetric = Callable[..., Any]
"""`metric(gold, pred, trace, pred_name, pred_trace)`: a number, or a `Prediction` with
`score` and `feedback`."""

_CANDIDATES: Final[Mapping[Auto, int]] = {"light": 6, "medium": 12, "heavy": 18}
"""By how much is tried, how many candidates that is for."""
_STEP: Final = 35
"""Rows of a trial, as the reckoning of `auto` takes them."""
_FULL_EVERY: Final = 5
"""Trials between two scores on all rows, as that reckoning takes them."""


class GEPA(Teleprompter):
    """Rewrites instructions by reflection on what went wrong, and evolves the best.

    Each step runs a candidate on a few training examples, shows a model what came of
    them with the metric's words, and asks for a better instruction; what does better on
    these is scored on the valset. Candidates that are best at some row are kept as
    parents. The evolution is that of the package `gepa`, which the extra `gepa` brings.

    When to use it: where the metric can say in words what was wrong, and instructions
    are what matters. When not: where the metric is a bare number and demos would do;
    see `BootstrapFewShotWithRandomSearch`.

    Args:
        metric: `metric(gold, pred, trace, pred_name, pred_trace)`; it gives a number,
            or a `Prediction` with `score` and `feedback`.
        auto: How much is tried: "light", "medium" or "heavy". One of this and the next
            two is to be given.
        max_full_evals: The same, in times of all rows.
        max_metric_calls: The same, in examples that are scored.
        reflection_minibatch_size: Training examples of one step.
        candidate_selection_strategy: Which candidate a step begins with: "pareto" or
            "current_best".
        reflection_lm: Who reflects; best a strong model. Needed unless
            `instruction_proposer` is given.
        skip_perfect_score: Whether a step without any fault is left at that.
        add_format_failure_as_feedback: Whether answers that do not fit are reflected on
            as well, with the form they should have.
        instruction_proposer: Your own proposer: called with `candidate`,
            `reflective_dataset` and `components_to_update`, it returns texts by name.
        component_selector: Which predictors a step rewrites: "round_robin" or "all".
        use_merge: Whether candidates are merged as well.
        max_merge_invocations: How often, at most.
        num_threads: Examples worked on at a time; else the setting, else 16.
        failure_score: The score of what failed.
        perfect_score: The score without fault.
        log_dir: DSPy's; the study's record keeps what it kept there.
        track_stats: Whether the winner has `detailed_results`, which is `study`.
        track_best_outputs: DSPy's; outputs are in the runs of the study.
        warn_on_score_mismatch: DSPy's; the whole program's score counts in any case.
        seed: Of all draws.
        display_progress: `None` shows a line on a terminal and nothing elsewhere.

    Raises:
        ConfigurationError: The metric takes other arguments, how much to try is said
            not at all or twice, nobody reflects, or the package is not installed.
    """

    def __init__(
        self,
        metric: FeedbackMetric,
        *,
        auto: Auto | None = None,
        max_full_evals: int | None = None,
        max_metric_calls: int | None = None,
        reflection_minibatch_size: int = 3,
        candidate_selection_strategy: Literal["pareto", "current_best"] = "pareto",
        reflection_lm: LanguageModel | None = None,
        skip_perfect_score: bool = True,
        add_format_failure_as_feedback: bool = False,
        instruction_proposer: Callable[..., Mapping[str, str]] | None = None,
        component_selector: str = "round_robin",
        use_merge: bool = True,
        max_merge_invocations: int | None = 5,
        num_threads: int | None = None,
        failure_score: float = 0.0,
        perfect_score: float = 1.0,
        log_dir: str | None = None,
        track_stats: bool = False,
        track_best_outputs: bool = False,
        warn_on_score_mismatch: bool = True,
        seed: int | None = 0,
        display_progress: bool | None = None,
    ) -> None:
        self.metric = _checked_feedback(metric)
        extents = (auto, max_full_evals, max_metric_calls)
        if sum(each is not None for each in extents) != 1:
            raise ConfigurationError(
                f"auto={auto!r}, max_full_evals={max_full_evals!r} and "
                f"max_metric_calls={max_metric_calls!r}; expected exactly one of them, "
                "to say how much to try. Pass auto='light' to begin with."
            )
        if reflection_lm is None and instruction_proposer is None:
            raise ConfigurationError(
                "nobody is there to reflect; expected reflection_lm, best a strong "
                "model, or an instruction_proposer of your own. Pass "
                "reflection_lm=dspex.LM(...)."
            )
        self.auto = auto
        self.max_full_evals = max_full_evals
        self.max_metric_calls = max_metric_calls
        self.reflection_minibatch_size = reflection_minibatch_size
        self.candidate_selection_strategy = candidate_selection_strategy
        self.reflection_lm = reflection_lm
        self.skip_perfect_score = skip_perfect_score
        self.add_format_failure_as_feedback = add_format_failure_as_feedback
        self.instruction_proposer = instruction_proposer
        self.component_selector = component_selector
        self.use_merge = use_merge
        self.max_merge_invocations = max_merge_invocations
        self.num_threads = num_threads
        self.failure_score = failure_score
        self.perfect_score = perfect_score
        self.log_dir = log_dir
        self.track_stats = track_stats
        self.track_best_outputs = track_best_outputs
        self.warn_on_score_mismatch = warn_on_score_mismatch
        self.seed = seed
        self.display_progress = display_progress
        import_gepa()

    @with_callbacks
    def compile(
        self,
        student: P,
        *,
        trainset: Sequence[Example],
        teacher: Program | None = None,
        valset: Sequence[Example] | None = None,
        testset: Sequence[Example] | None = None,
        budget: Budget | None = None,
        run: str | None = None,
    ) -> P:
        """Return the best candidate; the student stays as it is.

        Args:
            student: The program to improve; demos it has are kept.
            trainset: The examples to reflect on.
            teacher: DSPy's; there is none.
            valset: The examples to choose by; the training set unless given. When it is
                given the winner is judged on it too, each half by what the other half
                chooses.
            testset: Examples on which only the winner is judged, beside the student.
            budget: What it may spend, together with what else is spent in it. When it
                is used up, the best until then is returned.
            run: A name for this study. When it is interrupted, whatever by, the same
                call goes on where it stopped, also in another process.

        Raises:
            BudgetExceededError: The budget was used up before a candidate was scored.
            ConfigurationError: A set is empty, or there is a teacher.
            EvaluationInterrupted: Ctrl-C; `.best_so_far` is the best until then.
            RunChangedError: The study of that name was begun with something else.
        """
        refuse_dspy(student, "student")
        if teacher is not None:
            raise ConfigurationError(
                "teacher is given; GEPA learns from the student's own runs. Leave it "
                "out, and pass a strong model as reflection_lm."
            )
        rows = checked_set(trainset, "trainset")
        chosen_on = checked_rows(valset, "valset")
        how = self._evolving(student, rows, chosen_on)
        order = Order(
            optimiser="GEPA",
            student=student,
            metric=self.metric,
            trainset=rows,
            valset=chosen_on,
            testset=checked_rows(testset, "testset"),
            parameters=how.parameters(),
            run=run,
            budget=checked_budget(budget),
            concurrency=self.num_threads or settings.concurrency,
            max_errors=math.inf,
            display_progress=self.display_progress,
        )

        def search(study: Study) -> Found[P]:
            best = Evolution(
                study, how, rows if chosen_on is None else chosen_on
            ).best()
            winner: P = best.program
            lift = lift_of(study, winner, chosen_on=chosen_on)
            return Found(program=winner, number=best.number, lift=lift)

        winner = self._conduct(order, search)
        if self.track_stats:
            vars(winner)["detailed_results"] = self.study
        return winner

    def plan(
        self,
        student: Program,
        *,
        trainset: Sequence[Example],
        valset: Sequence[Example] | None = None,
        testset: Sequence[Example] | None = None,
    ) -> StudyPlan:
        """Return what `compile` would ask, without asking it; its arguments, too."""
        rows = checked_set(trainset, "trainset")
        chosen_on = checked_rows(valset, "valset")
        most = self._metric_calls(student, rows, chosen_on)
        each = PerRun.rehearsed(student, rows)
        # Each reflection is preceded by a step on some rows, and followed by another.
        reflections = most // (2 * self.reflection_minibatch_size)
        return StudyPlan(
            optimiser="GEPA",
            steps=(
                PlanStep(
                    what="candidates on examples",
                    least=len(chosen_on or rows),
                    # It stops when it has done so many, after the evaluation at hand.
                    most=most + len(chosen_on or rows),
                    each=each,
                ),
                PlanStep(
                    what="reflections",
                    least=0,
                    most=reflections,
                    each=PerRun(calls=1.0),
                ),
                *planned(checked_rows(testset, "testset"), each),
            ),
        )

    def _evolving(
        self,
        student: Program,
        rows: Sequence[Example],
        chosen_on: Sequence[Example] | None,
    ) -> Evolving:
        return Evolving(
            metric=self.metric,
            metric_calls=self._metric_calls(student, rows, chosen_on),
            minibatch_size=self.reflection_minibatch_size,
            selection=self.candidate_selection_strategy,
            components=self.component_selector,
            reflection_lm=self.reflection_lm,
            proposer=self.instruction_proposer,
            skip_perfect_score=self.skip_perfect_score,
            reflects_on_format=self.add_format_failure_as_feedback,
            merges=(self.max_merge_invocations or 0) if self.use_merge else 0,
            failure_score=self.failure_score,
            perfect_score=self.perfect_score,
            seed=self.seed or 0,
        )

    def _metric_calls(
        self,
        student: Program,
        rows: Sequence[Example],
        chosen_on: Sequence[Example] | None,
    ) -> int:
        """Return how many examples are scored."""
        if self.max_metric_calls is not None:
            return self.max_metric_calls
        if self.max_full_evals is not None:
            return self.max_full_evals * (len(rows) + len(chosen_on or ()))
        assert self.auto is not None, "one of the three is given"  # noqa: S101 - held above
        predictors = max(len(student.predictors()), 1)
        return calls_for(_CANDIDATES[self.auto], predictors, len(chosen_on or rows))


def calls_for(candidates: int, predictors: int, rows: int) -> int:
    """Return how many examples are worth scoring, as DSPy reckons it.

    Args:
        candidates: For how many candidates.
        predictors: How many the program has.
        rows: How many there are to choose by.

    Example:
        >>> calls_for(6, 1, 100)
        780
    """
    trials = int(max(4 * predictors * math.log2(candidates), 1.5 * candidates))
    tried = rows + 5 * candidates + trials * _STEP
    if not trials:
        return tried
    full = (trials + 1) // _FULL_EVERY + 1 + (trials < _FULL_EVERY)
    return tried + full * rows


def _checked_feedback(metric: FeedbackMetric) -> FeedbackMetric:
    try:
        inspect.signature(metric).bind(None, None, None, None, None)
    except (TypeError, ValueError):
        raise ConfigurationError(
            "the metric does not take five arguments; expected metric(gold, pred, "
            "trace, pred_name, pred_trace), where the last two say about which "
            "predictor words are wanted. Give them defaults of None."
        ) from None
    return metric
