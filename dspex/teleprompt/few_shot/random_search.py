"""`BootstrapFewShotWithRandomSearch`: the best of many sets of demos, drawn by seed.

The candidates and the choice are DSPy's. All of them are made and scored side by side;
what comes back, and in what order, changes nothing, as each is drawn by its own seed
and the first of the best is taken.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from dspex.client.budget import Budget
from dspex.core.callbacks import with_callbacks
from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.foreign import refuse_dspy
from dspex.evaluate.devset import checked_set
from dspex.evaluate.metric import Metric, checked_metric
from dspex.programs.program import Program
from dspex.programs.settings import settings
from dspex.programs.walk import beside
from dspex.teleprompt.few_shot.bootstrapping import Bootstrapping
from dspex.teleprompt.few_shot.labeled_few_shot import labelled
from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.conducting import Found
from dspex.teleprompt.studies.judging import lift_of, planned
from dspex.teleprompt.studies.order import Order, checked_budget, checked_rows
from dspex.teleprompt.studies.plan import PerRun, PlanStep, StudyPlan
from dspex.teleprompt.studies.study import Study
from dspex.teleprompt.teleprompter import Teleprompter

P = TypeVar("P", bound=Program)

ZERO_SHOT, LABELS_ONLY, UNSHUFFLED = -3, -2, -1
"""Seeds that stand for what is tried before the drawn ones."""


class BootstrapFewShotWithRandomSearch(Teleprompter):
    """Chooses the best of many sets of demos by their score.

    It tries the program without demos, with labelled examples only, with demos
    bootstrapped in the order of the training set, and then with
    `num_candidate_programs` sets bootstrapped from a shuffled one. Of equal scores the
    first wins.

    When to use it: as the next step after `BootstrapFewShot`, when a few hundred calls
    are affordable. When not: when the instruction is what is wrong; see `COPRO` and
    `MIPROv2`.

    Args:
        metric: `metric(example, prediction, trace)`; it accepts demos and scores.
        teacher_settings: Settings under which the teacher runs, such as `lm`.
        max_bootstrapped_demos: Demos made by the teacher, at most.
        max_labeled_demos: Demos in all, filled up with plain examples.
        max_rounds: How often an example is tried as a demo.
        num_candidate_programs: How many sets are drawn.
        num_threads: Examples worked on at a time, in all of it together; else the
            setting, else 16.
        max_errors: Errors after which a run stops, and the search with it; else the
            setting, else 10.
        stop_at_score: Points at which to stop, looking at the candidates in order.
        metric_threshold: The number a metric must reach for a demo.
        display_progress: `None` shows a line on a terminal and nothing elsewhere.

    Raises:
        ConfigurationError: A number makes no sense.
    """

    def __init__(
        self,
        metric: Metric,
        teacher_settings: Mapping[str, Any] | None = None,
        max_bootstrapped_demos: int = 4,
        max_labeled_demos: int = 16,
        max_rounds: int = 1,
        num_candidate_programs: int = 16,
        num_threads: int | None = None,
        max_errors: float | None = None,
        stop_at_score: float | None = None,
        metric_threshold: float | None = None,
        *,
        display_progress: bool | None = None,
    ) -> None:
        self.metric = checked_metric(metric)
        self.teacher_settings = dict(teacher_settings or {})
        self.max_bootstrapped_demos = max_bootstrapped_demos
        self.max_labeled_demos = max_labeled_demos
        self.max_rounds = max_rounds
        self.num_candidate_programs = num_candidate_programs
        self.num_threads = num_threads
        self.max_errors = max_errors
        self.stop_at_score = stop_at_score
        self.metric_threshold = metric_threshold
        self.display_progress = display_progress
        self._bootstrapping()  # refuses what makes no sense before any work starts
        if num_candidate_programs < 0:
            raise ConfigurationError(
                f"num_candidate_programs is {num_candidate_programs}; it counts. Pass "
                "0 or more."
            )
        if num_candidate_programs and max_bootstrapped_demos < 1:
            raise ConfigurationError(
                "max_bootstrapped_demos is 0, so the drawn candidates would have no "
                "demos to bootstrap. Pass 1 or more, or num_candidate_programs=0."
            )

    @with_callbacks
    def compile(
        self,
        student: P,
        *,
        teacher: Program | None = None,
        trainset: Sequence[Example],
        valset: Sequence[Example] | None = None,
        restrict: Iterable[int] | None = None,
        labeled_sample: bool = True,
        testset: Sequence[Example] | None = None,
        budget: Budget | None = None,
        run: str | None = None,
    ) -> P:
        """Return the best candidate; student and teacher stay as they are.

        Its `candidate_programs` are all of them, best first, in DSPy's shape: dicts
        with `score`, `subscores`, `seed` and `program`.

        Args:
            student: The program to improve.
            teacher: The program that answers; a copy of the student unless given.
            trainset: The examples demos are made of.
            valset: The examples to choose by; the training set unless given. When it is
                given the winner is judged on it too, each half by what the
                other half chooses; see `study`.
            restrict: Seeds to try; by default -3 (no demos), -2 (labels only), -1 (not
                shuffled), and 0 up to `num_candidate_programs`.
            labeled_sample: Whether the labelled demos of seed -2 are drawn at random.
            testset: Examples on which only the winner is judged, beside the student.
            budget: What it may spend, together with what else is spent in it. When it
                is used up, the best until then is returned.
            run: A name for this study. When it is interrupted, whatever by, the same
                call goes on where it stopped, also in another process.

        Raises:
            BudgetExceededError: The budget was used up before a candidate was scored.
            ConfigurationError: A set is empty, `restrict` leaves nothing, or student
                and teacher are not built alike.
            EvaluationError: A run could not go on.
            EvaluationInterrupted: Ctrl-C; `.best_so_far` is the best until then.
            RunChangedError: The study of that name was begun with something else.
        """
        refuse_dspy(student, "student")
        seeds = self._seeds(restrict)
        how = self._bootstrapping()
        order = Order(
            optimiser=type(self).__name__,
            student=student,
            teacher=teacher,
            metric=self.metric,
            trainset=checked_set(trainset, "trainset"),
            valset=checked_rows(valset, "valset"),
            testset=checked_rows(testset, "testset"),
            parameters={
                **how.parameters(),
                "seeds": seeds,
                "stop_at_score": self.stop_at_score,
                "labeled_sample": labeled_sample,
            },
            run=run,
            budget=checked_budget(budget),
            concurrency=self.num_threads or settings.concurrency,
            max_errors=how.max_errors,
            display_progress=self.display_progress,
        )

        def search(study: Study) -> Found[P]:
            drawing = _Drawing(study, student, how, labeled_sample=labeled_sample)
            best = self._best(study, [partial(drawing.tried, seed) for seed in seeds])
            winner: P = best.program
            lift = lift_of(study, winner, chosen_on=order.valset)
            return Found(program=winner, number=best.number, lift=lift)

        winner = self._conduct(order, search, candidates=len(seeds))
        _attach(winner, () if self.study is None else self.study.candidates)
        return winner

    def plan(
        self,
        student: Program,
        *,
        teacher: Program | None = None,
        trainset: Sequence[Example],
        valset: Sequence[Example] | None = None,
        restrict: Iterable[int] | None = None,
        labeled_sample: bool = True,  # noqa: ARG002 - as compile
        testset: Sequence[Example] | None = None,
    ) -> StudyPlan:
        """Return what `compile` would ask, without asking it; its arguments, too."""
        rows, how = checked_set(trainset, "trainset"), self._bootstrapping()
        seeds = self._seeds(restrict)
        sizes = [_size(seed, how) for seed in seeds if seed >= UNSHUFFLED]
        chosen_on = checked_rows(valset, "valset") or rows
        each = PerRun.rehearsed(how.with_most_demos(student, rows), rows, self.metric)
        scored = len(seeds) * len(chosen_on)
        scoring = PlanStep(
            what="candidates on the rows to choose by",
            least=scored if self.stop_at_score is None else len(chosen_on),
            most=scored,
            each=each,
        )
        if testset is not None:
            judging = planned(checked_rows(testset, "testset"), each)
        else:
            judging = planned(valset, each, is_chosen_there=True)
        return StudyPlan(
            optimiser=type(self).__name__,
            steps=(how.planned(student, teacher, rows, sizes), scoring, *judging),
        )

    def _best(
        self, study: Study, pieces: Sequence[Callable[[], Candidate]]
    ) -> Candidate:
        """Return the best candidate; one that is good enough ends the search."""
        tried: list[Candidate] = []
        for candidate in study.side_by_side(pieces):
            tried.append(candidate)
            enough = self.stop_at_score
            if enough is not None and (candidate.score or 0.0) >= enough:
                break
        study.forget(above=tried[-1].number)
        return max(tried, key=lambda each: (each.score or 0.0, -each.number))

    def _seeds(self, restrict: Iterable[int] | None) -> list[int]:
        seeds = range(ZERO_SHOT, self.num_candidate_programs)
        if restrict is None:
            return list(seeds)
        wanted = set(restrict)
        chosen = [seed for seed in seeds if seed in wanted]
        if not chosen:
            raise ConfigurationError(
                f"restrict is {sorted(wanted)}; none of it is a seed of a candidate, "
                f"which are {seeds.start} to {seeds.stop - 1}. Name one of those."
            )
        return chosen

    def _bootstrapping(self) -> Bootstrapping:
        return Bootstrapping.as_told(self)


BootstrapRS = BootstrapFewShotWithRandomSearch
"""DSPy's short name."""


class _Drawing:
    """Makes and scores the candidate of a seed."""

    def __init__(
        self,
        study: Study,
        student: Program,
        how: Bootstrapping,
        *,
        labeled_sample: bool,
    ) -> None:
        self._study = study
        self._student = student
        self._how = how
        self._labeled_sample = labeled_sample

    def tried(self, seed: int) -> Candidate:
        """Make the candidate of a seed, score it and report it."""
        study, order = self._study, self._study.order
        number = seed - ZERO_SHOT
        program, label, origin = self._made(seed, f"{number:03d}")
        rows = order.trainset if order.valset is None else order.valset
        result = study.score(f"{number:03d}.score", program, rows)
        return study.report(
            Candidate.measured(
                program,
                result,
                number=number,
                label=label,
                origin=origin,
                facts={"seed": seed},
            )
        )

    def _made(self, seed: int, name: str) -> tuple[Program, str, str]:
        """Return a candidate, what it is called, and how it was made."""
        rows, how = list(self._study.order.trainset), self._how
        if seed == ZERO_SHOT:
            program = self._student.reset_copy()
            return program, "no demos", "the program without demos"
        if seed == LABELS_ONLY:
            many, drawn = how.max_labeled_demos, self._labeled_sample
            program = self._student.reset_copy()
            if many:
                program = labelled(program, rows, many, sample=drawn)
            return program, "labels only", "demos that are examples as they are"
        order, size = "in their order", _size(seed, how)
        if seed != UNSHUFFLED:
            rng = random.Random(seed)  # noqa: S311 - to be repeated, no secret
            rng.shuffle(rows)
            order = f"shuffled by seed {seed}"
        how = replace(how, max_bootstrapped_demos=size)
        teacher = self._study.order.teacher
        program, made = how.taught(
            self._study, f"{name}.demos", self._student, teacher, rows
        )
        demos = f"up to {size} demos, {order}"
        origin = f"a teacher's answers to the rows {order}: {made.taken}"
        return program, demos, origin


def _size(seed: int, how: Bootstrapping) -> int:
    """Return how many demos the candidate of a seed gets; drawn as DSPy draws it."""
    if seed == UNSHUFFLED:
        return how.max_bootstrapped_demos
    rng = random.Random(seed)  # noqa: S311 - to be repeated, no secret
    return rng.randint(1, how.max_bootstrapped_demos)


def _attach(winner: Program, candidates: Sequence[Candidate]) -> None:
    """Give the winner all candidates, the best first, as DSPy does."""
    ranked = sorted(candidates, key=lambda each: -(each.score or 0.0))
    told = [
        {
            "score": each.score,
            "subscores": list(each.scores),
            "seed": each.facts["seed"],
            "program": each.program,
        }
        for each in ranked
    ]
    vars(winner)["candidate_programs"] = beside(told)
