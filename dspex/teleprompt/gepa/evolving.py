"""Evolution of instructions: the package `gepa` decides, a study runs and reflects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from dspex.core.example import Example
from dspex.evaluate.record.fingerprint import fingerprints
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.running.options import RunOptions
from dspex.programs.program import Program
from dspex.programs.settings import settings
from dspex.teleprompt.gepa.gepa_package import best_of_evolution
from dspex.teleprompt.gepa.reflection import (
    Reflecting,
    Reflection,
    Texts,
    Told,
    instructions_of,
)
from dspex.teleprompt.gepa.rollouts import Rollout, Scoring, rolling_out
from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.order import ANY_SCORE
from dspex.teleprompt.studies.study import Study

GIVEN: Final = "the program given"
"""What the first candidate is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolving:
    """How instructions evolve; see `GEPA`, whose words these are."""

    reflecting: Reflecting
    """How new ones are found."""
    metric_calls: int
    """Examples that are scored, at most but for what the last step began."""
    minibatch_size: int
    """Examples of a step."""
    selection: Literal["pareto", "current_best"]
    """Which candidate a step begins with."""
    components: str | Callable[..., Sequence[str]]
    """Which predictors it rewrites."""
    skip_perfect_score: bool
    """Whether a step without fault is left at that."""
    merges: int
    """How often candidates are merged at most; 0 for never."""
    failure_score: float
    """The score of what failed."""
    perfect_score: float
    """The score without fault."""
    seed: int
    """Of all draws."""
    passed_on: Mapping[str, Any] = field(default_factory=dict)
    """What else the package is told."""
    tracking: Mapping[str, Any] = field(default_factory=dict)
    """Where else it tells of the search; it decides nothing."""

    def parameters(self) -> dict[str, Any]:
        """Return what decides what is found, beside the metric."""
        how = self.reflecting
        return {
            "reflection_lm": how.lm,
            "instruction_proposer": how.proposer,
            "add_format_failure_as_feedback": how.reflects_on_format,
            **{
                name: getattr(self, name)
                for name in self.__slots__
                if name not in {"reflecting", "tracking"}
            },
        }


class Evolution:
    """The search of `GEPA`; it runs candidates and makes new ones for the package.

    Args:
        study: The study it works in.
        how: How instructions evolve.
        rows: The rows to choose by.
    """

    def __init__(self, study: Study, how: Evolving, rows: Sequence[Example]) -> None:
        self._study = study
        self._how = how
        self._rows = rows
        self._reflection = Reflection(study, how.reflecting)
        self._metric = Scoring(how.reflecting.metric)
        self._evaluations = 0
        self._latest: tuple[Program, EvaluationResult] | None = None
        self.scored = 0
        """How many examples were scored."""
        self.results: dict[int, EvaluationResult] = {}
        """The evaluation of each candidate on the rows to choose by, by its number."""

    def best(self) -> Candidate:
        """Evolve until as many examples are scored as there may be."""
        how, order = self._how, self._study.order
        number = best_of_evolution(
            self,
            instructions_of(order.student),
            trainset=list(order.trainset),
            valset=list(self._rows),
            candidate_selection_strategy=how.selection,
            skip_perfect_score=how.skip_perfect_score,
            perfect_score=how.perfect_score,
            reflection_minibatch_size=how.minibatch_size,
            module_selector=how.components,
            use_merge=how.merges > 0,
            max_merge_invocations=how.merges,
            max_metric_calls=how.metric_calls,
            track_best_outputs=False,
            seed=how.seed,
            **how.passed_on,
            **how.tracking,
        )
        return self._study.candidates[number]

    # What the package asks for; see `Candidates`.

    def rolled_out(self, texts: Texts, rows: Sequence[Example]) -> list[Rollout]:
        """Run a candidate on rows, and return what came of each."""
        how, study, metric = self._how, self._study, self._metric
        name = f"eval{self._evaluations:05d}"
        self._evaluations += 1
        if len(texts) > 1 and how.merges:
            # A merge takes the texts of several predictors in the order of a set,
            # which another process may have in another order.
            texts.update(study.once(f"{name}.texts", lambda: dict(texts)))
        program = self._program_of(texts)
        options = RunOptions(
            label=name,
            metric_range=ANY_SCORE,
            max_errors=study.order.max_errors,
            failure_score=how.failure_score,
            metrics=(metric.__name__,),
            fingerprints=lambda: fingerprints(
                program, metric, lm=settings.lm, adapter=settings.adapter
            ),
        )
        # Only steps on a few rows are reflected on; the others would fill the disk.
        keeps_steps = len(rows) <= how.minibatch_size
        work = rolling_out(program, metric, keeps_steps=keeps_steps)
        result = study.work(name, rows, work, options)
        self._latest = program, result
        self.scored += len(rows)
        pairs = zip(rows, result.outcomes, strict=True)
        return [
            Rollout.of(example, outcome, failure_score=how.failure_score)
            for example, outcome in pairs
        ]

    def told(
        self, texts: Texts, rollouts: Sequence[Rollout], names: Sequence[str]
    ) -> dict[str, list[Told]]:
        """Return what there is to say of some predictors in such runs."""
        return self._reflection.told(self._program_of(texts), rollouts, names)

    def proposed(
        self, texts: Texts, told: Mapping[str, Sequence[Told]], names: Sequence[str]
    ) -> Texts:
        """Return new instructions for some predictors."""
        return self._reflection.proposed(texts, told, names)

    def measured(self, number: int, texts: Texts, parents: Sequence[int]) -> None:
        """Report the candidate that was run on all rows just before."""
        assert self._latest is not None, "it was run"  # noqa: S101 - held by the package
        program, result = self._latest
        self.results[number] = result
        origin = "merged" if len(parents) > 1 else "by reflection"
        self._study.report(
            Candidate.measured(
                program,
                result,
                number=number,
                label=self._label(texts) if number else GIVEN,
                origin=origin if number else "as it was given",
                parents=parents,
                facts={
                    "texts": dict(texts),
                    "scored_before": self.scored - len(self._rows),
                },
            )
        )

    # Inside.

    def _program_of(self, texts: Mapping[str, str]) -> Program:
        program = self._study.order.student.deepcopy()
        for name, predictor in program.named_predictors():
            if name in texts:
                predictor.signature = predictor.signature.with_instructions(texts[name])
        return program

    def _label(self, texts: Texts) -> str:
        """Return the first instruction that is another one than was given."""
        given = instructions_of(self._study.order.student)
        changed = (texts[name] for name in given if texts[name] != given[name])
        return next(changed, "unchanged")
