"""`GEPA`: instructions that evolve by reflection on what went wrong, in words."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from dspex.client.budget import Budget
from dspex.core.callbacks import with_callbacks
from dspex.core.errors import ConfigurationError, MetricArgumentsError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.core.lm import LanguageModel
from dspex.evaluate.devset import checked_set
from dspex.programs.program import Program
from dspex.programs.settings import settings
from dspex.teleprompt.gepa.evolving import Evolution, Evolving
from dspex.teleprompt.gepa.gepa_extent import EvolutionExtent, reckoned
from dspex.teleprompt.gepa.gepa_package import import_gepa
from dspex.teleprompt.gepa.gepa_result import detailed
from dspex.teleprompt.gepa.reflection import Proposer, Reflecting
from dspex.teleprompt.gepa.rollouts import FeedbackMetric, Scoring
from dspex.teleprompt.mipro.extent import Auto
from dspex.teleprompt.mipro.mipro_search import save_all
from dspex.teleprompt.studies.conducting import Found
from dspex.teleprompt.studies.judging import lift_of, planned
from dspex.teleprompt.studies.order import Order, checked_budget, checked_rows
from dspex.teleprompt.studies.plan import PerRun, PlanStep, StudyPlan
from dspex.teleprompt.studies.study import Study
from dspex.teleprompt.teleprompter import Teleprompter

P = TypeVar("P", bound=Program)

_PASSED_ON: Final = frozenset(
    {
        "acceptance_criterion",
        "callbacks",
        "merge_val_overlap_floor",
        "mlflow_attach_existing",
        "mlflow_experiment_name",
        "mlflow_tracking_uri",
        "stop_callbacks",
        "tracking_key_prefix",
        "wandb_attach_existing",
    }
)
"""What of `gepa_kwargs` the package is told."""
_OWN_PROPOSER: Final = "What the instruction_proposer asks comes on top."


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
            or a `Prediction` with `score` and `feedback`. Asked for a score, it gets
            `None` for the last three. Asked for words on a predictor, it gets the
            run's trace, the predictor's name and its own step; the score it gives then
            does not count.
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
            as well, with the fields they should have.
        instruction_proposer: Your own proposer: called with `candidate`,
            `reflective_dataset` and `components_to_update`, it returns texts by name.
        component_selector: Which predictors a step rewrites: "round_robin", "all", or a
            function of the package's (state, trajectories, scores, number, candidate).
        use_merge: Whether candidates are merged as well.
        max_merge_invocations: How often, at most.
        num_threads: Examples worked on at a time; else the setting, else 16.
        failure_score: The score of what failed.
        perfect_score: The score without fault.
        log_dir: A folder that gets `evaluated_programs/program_N.json` for each
            candidate. Nothing is read from it: to go on with a search, name it with
            `compile(run=...)`.
        track_stats: Whether the winner has `detailed_results`, with DSPy's fields.
        use_wandb: Passed on to the package, as are the next three.
        wandb_api_key: See `use_wandb`.
        wandb_init_kwargs: See `use_wandb`.
        track_best_outputs: Whether those have the outputs as well.
        warn_on_score_mismatch: DSPy's; nothing is warned of, see `metric`.
        use_mlflow: See `use_wandb`.
        seed: Of all draws; `None` is 0.
        gepa_kwargs: More for the package: `stop_callbacks`, `acceptance_criterion`,
            `callbacks`, `merge_val_overlap_floor`, and what names a run of wandb or
            MLflow.
        display_progress: `None` shows a line on a terminal and nothing elsewhere.

    Raises:
        MetricArgumentsError: The metric takes other arguments.
        ConfigurationError: How much to try is said not at all or twice, nobody
            reflects, the package is not installed, or it is to be told what would break
            the search.
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
        instruction_proposer: Proposer | None = None,
        component_selector: str | Callable[..., Sequence[str]] = "round_robin",
        use_merge: bool = True,
        max_merge_invocations: int | None = 5,
        num_threads: int | None = None,
        failure_score: float = 0.0,
        perfect_score: float = 1.0,
        log_dir: str | Path | None = None,
        track_stats: bool = False,
        use_wandb: bool = False,
        wandb_api_key: str | None = None,
        wandb_init_kwargs: Mapping[str, Any] | None = None,
        track_best_outputs: bool = False,
        warn_on_score_mismatch: bool = True,
        use_mlflow: bool = False,
        seed: int | None = 0,
        gepa_kwargs: Mapping[str, Any] | None = None,
        display_progress: bool | None = None,
    ) -> None:
        self.metric = _checked_feedback(metric)
        self._extent = EvolutionExtent(
            auto=auto, max_full_evals=max_full_evals, max_metric_calls=max_metric_calls
        )
        if reflection_lm is None and instruction_proposer is None:
            raise ConfigurationError(
                "nobody is there to reflect; expected reflection_lm, best a strong "
                "model, or an instruction_proposer of your own. Pass "
                "reflection_lm=dspex.LM(...)."
            )
        if track_best_outputs and not track_stats:
            raise ConfigurationError(
                "track_best_outputs is given and track_stats is not; the outputs are "
                "part of the statistics. Pass track_stats=True as well."
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
        self.log_dir = None if log_dir is None else Path(log_dir)
        self.track_stats = track_stats
        self.track_best_outputs = track_best_outputs
        self.warn_on_score_mismatch = warn_on_score_mismatch
        self.seed = seed
        self.display_progress = display_progress
        self.gepa_kwargs = _checked_kwargs(gepa_kwargs or {})
        # Beside the settings: one of them is a secret.
        self._tracking = {
            "use_wandb": use_wandb,
            "wandb_api_key": wandb_api_key,
            "wandb_init_kwargs": wandb_init_kwargs,
            "use_mlflow": use_mlflow,
        }
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
        if not student.predictors():
            raise ConfigurationError(
                f"{type(student).__name__} has no predictor, and so no instruction to "
                "improve; expected one or more. Make one in its __init__."
            )
        rows = checked_set(trainset, "trainset")
        chosen_on = checked_rows(valset, "valset")
        how = self._evolving(student, rows, chosen_on)
        order = Order(
            optimiser="GEPA",
            student=student,
            metric=Scoring(self.metric),
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
        begun: list[Evolution] = []

        def search(study: Study) -> Found[P]:
            choosing = rows if chosen_on is None else chosen_on
            begun.append(Evolution(study, how, choosing))
            best = begun[0].best()
            winner: P = best.program
            lift = lift_of(study, winner, chosen_on=chosen_on)
            return Found(program=winner, number=best.number, lift=lift)

        winner = self._conduct(order, search)
        self._describe(winner, begun[0])
        return winner

    def _describe(self, winner: Program, evolution: Evolution) -> None:
        """Leave with the winner, and in files, what was asked for."""
        candidates = () if self.study is None else self.study.candidates
        if self.log_dir is not None:
            save_all(self.log_dir, candidates)
        if self.track_stats:
            vars(winner)["detailed_results"] = detailed(
                candidates,
                evolution.results if self.track_best_outputs else None,
                scored=evolution.scored,
                log_dir=None if self.log_dir is None else str(self.log_dir),
                seed=self.seed,
            )

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
        counts = reckoned(
            self._extent.calls(len(student.predictors()), rows, chosen_on),
            len(chosen_on or rows),
            minibatch=self.reflection_minibatch_size,
            merges=self.use_merge,
        )
        each = PerRun.rehearsed(student, rows, Scoring(self.metric))
        running = PlanStep(
            what="candidates on examples",
            least=counts.least,
            most=counts.most,
            each=each,
        )
        return StudyPlan(
            optimiser="GEPA",
            steps=(
                running,
                *self._reflecting(student, rows, counts.reflections, each),
                *planned(checked_rows(testset, "testset"), each),
            ),
            notes=() if self.instruction_proposer is None else (_OWN_PROPOSER,),
        )

    def _reflecting(
        self, student: Program, rows: Sequence[Example], steps: int, each: PerRun
    ) -> list[PlanStep]:
        """Return what reflecting asks: the metric for words, and who reflects."""
        times = steps * self._components(student)
        alone = PerRun.rehearsed(student, rows)
        planned_steps = []
        if each.calls > alone.calls:
            words = PlanStep(
                what="the metric's words on them",
                least=0,
                most=times * self.reflection_minibatch_size,
                each=PerRun(calls=each.calls - alone.calls),
            )
            planned_steps.append(words)
        if self.instruction_proposer is None:
            once = PerRun(calls=1.0)
            step = PlanStep(what="reflections", least=0, most=times, each=once)
            planned_steps.append(step)
        return planned_steps

    def _components(self, student: Program) -> int:
        """Return how many predictors one step rewrites at most."""
        one = self.component_selector == "round_robin"
        return 1 if one else len(student.predictors())

    def _evolving(
        self,
        student: Program,
        rows: Sequence[Example],
        chosen_on: Sequence[Example] | None,
    ) -> Evolving:
        seed = self.seed or 0
        return Evolving(
            reflecting=Reflecting(
                metric=self.metric,
                lm=self.reflection_lm,
                proposer=self.instruction_proposer,
                reflects_on_format=self.add_format_failure_as_feedback,
                seed=seed,
            ),
            metric_calls=self._extent.calls(len(student.predictors()), rows, chosen_on),
            minibatch_size=self.reflection_minibatch_size,
            selection=self.candidate_selection_strategy,
            components=self.component_selector,
            skip_perfect_score=self.skip_perfect_score,
            merges=(self.max_merge_invocations or 0) if self.use_merge else 0,
            failure_score=self.failure_score,
            perfect_score=self.perfect_score,
            seed=seed,
            passed_on=self.gepa_kwargs,
            tracking=self._tracking,
        )


def _checked_kwargs(told: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(told) - _PASSED_ON)
    if unknown:
        raise ConfigurationError(
            f"gepa_kwargs has {unknown}, which GEPA decides itself or cannot go on "
            f"with after a crash; it may have {sorted(_PASSED_ON)}. Leave the others "
            "out, or use the argument of GEPA."
        )
    return dict(told)


def _checked_feedback(metric: FeedbackMetric) -> FeedbackMetric:
    try:
        inspect.signature(metric).bind(None, None, None, None, None)
    except (TypeError, ValueError):
        raise MetricArgumentsError(
            "the metric does not take five arguments; expected metric(gold, pred, "
            "trace, pred_name, pred_trace), where the last two say about which "
            "predictor words are wanted. Give them defaults of None."
        ) from None
    return metric
