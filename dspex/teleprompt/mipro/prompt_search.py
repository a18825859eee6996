"""The search of `MIPROv2`: which instruction and which demos, by Optuna's sampler.

The trials and the choice are DSPy's. One trial follows another, since what the sampler
proposes depends on all scores before; the examples of each are scored side by side.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.teleprompt.few_shot.demo_sets import Demos
from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.study import Study

BASELINE: Final = 0
"""The number of the candidate that is the program as it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What there is to choose from, by predictor."""

    instructions: Sequence[Sequence[str]]
    """The instructions; the first is the present one."""
    demos: Sequence[Demos] | None
    """The sets of demos; `None` to try instructions only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """How trials are made."""

    count: int
    """How many."""
    minibatch_size: int | None
    """Rows of each; `None` for all of them."""
    full_every: int
    """Trials on a part of the rows after which the best is scored on all of them."""
    seed: int
    """The sampler's seed."""

    @property
    def last(self) -> int:
        """The number of the trial after which all ends with a full score."""
        return self.count + self.count // self.full_every + self._is_odd

    def rows_at_most(self, rows: int) -> int:
        """Return how many rows are scored at most, of so many to choose by."""
        if self.minibatch_size is None:
            return rows * (1 + self.count)
        full = 1 + self.count // self.full_every + self._is_odd
        return self.minibatch_size * self.count + full * rows

    @property
    def _is_odd(self) -> bool:
        return self.count % self.full_every != 0


@dataclass(kw_only=True)
class _Combination:
    """One choice of everything, which several trials may have made."""

    candidate: Candidate
    params: Mapping[str, int]
    seen: list[float] = field(default_factory=list)
    is_full: bool = False

    @property
    def mean(self) -> float:
        """The mean of its scores on parts of the rows."""
        return sum(self.seen) / len(self.seen)


class PromptSearch:
    """Tries combinations of instructions and demos.

    Args:
        study: The study it works in.
        rows: The rows to choose by.
        choices: What there is to choose from.
        trials: How many, on how many rows.
        rng: Where minibatches are drawn from.
    """

    def __init__(
        self,
        study: Study,
        rows: Sequence[Example],
        choices: Choices,
        trials: Trials,
        rng: random.Random,
    ) -> None:
        self._study = study
        self._rows = rows
        self._choices = choices
        self._trials = trials
        self._rng = rng
        self._optuna = import_optuna()
        self._found: dict[tuple[tuple[str, int], ...], _Combination] = {}
        self._rows_scored = 0
        self.log: dict[int, dict[str, Any]] = {}
        """By trial, from 1: what was chosen, and how it scored; see DSPy."""

    def best(self) -> Candidate:
        """Return the best of what was scored on all rows, or the program given."""
        given = self._study.order.student.deepcopy()
        result = self._study.score("given.score", given, self._rows)
        baseline = Candidate.measured(
            given,
            result,
            number=BASELINE,
            label="the program given",
            origin="the program as it was given",
            facts={"params": {}},
        )
        self._study.report(baseline)
        self._note(1, "full_eval", baseline.score, given, len(self._rows))
        return self._search(baseline)

    @property
    def scored(self) -> list[dict[str, Any]]:
        """Every score in its order, in DSPy's shape, also of what was scored before."""
        return [
            {"score": told[f"{kind}_score"], "program": program, "full_eval": is_full}
            for _, told in sorted(self.log.items())
            for kind, is_full in (("full_eval", True), ("mb", self._is_whole))
            if (program := told.get(f"{kind}_program")) is not None
        ]

    def _search(self, baseline: Candidate) -> Candidate:
        sampling = self._sampling(baseline)
        best, trials = baseline, self._trials
        for _ in range(trials.count):
            trial = sampling.ask()
            number = trial.number + 1
            combination, score = self._tried(trial, number)
            if trials.minibatch_size is None:
                best = _better(best, combination.candidate)
            elif number % (trials.full_every + 1) == 0 or number == trials.last:
                full = self._full(number + 1)
                if full is not None:
                    best = _better(best, full.candidate)
                    sampling.add_trial(self._told(full.params, full.candidate.score))
            sampling.tell(trial, score)
        return best

    # One trial.

    def _tried(self, trial: Any, number: int) -> tuple[_Combination, float]:
        params = self._chosen(trial)
        key = tuple(params.items())
        combination = self._found.get(key)
        if combination is None:
            candidate = self._candidate(len(self._found) + 1, params)
            combination = _Combination(candidate=candidate, params=params)
            self._found[key] = combination
        self.log[number] = dict(params)
        if self._trials.minibatch_size is None:
            return combination, self._fully_scored(combination, number)
        rows, known = self._minibatch(), combination.candidate
        result = self._study.score(f"trial{number:04d}.score", known.program, rows)
        score = round(result.score, 2)
        self._note(number, "mb", score, known.program, len(rows))
        combination.seen.append(score)
        combination.candidate = self._study.report(
            replace(known, seen=combination.mean)
        )
        return combination, score

    def _minibatch(self) -> Sequence[Example]:
        """Draw the rows of a trial."""
        size = self._trials.minibatch_size
        if size is None or self._is_whole:
            return self._rows
        places = self._rng.sample(range(len(self._rows)), size)
        return [self._rows[place] for place in places]

    @property
    def _is_whole(self) -> bool:
        """Whether a trial is made on all rows."""
        size = self._trials.minibatch_size
        return size is None or size >= len(self._rows)

    def _note(
        self, number: int, kind: str, score: float | None, program: Any, rows: int
    ) -> None:
        """Note a score of a trial, as DSPy's `trial_logs` have it."""
        self._rows_scored += rows
        self.log.setdefault(number, {}).update(
            {
                f"{kind}_score": score,
                f"{kind}_program": program,
                "total_eval_calls_so_far": self._rows_scored,
            }
        )

    def _full(self, number: int) -> _Combination | None:
        """Score the best of what was tried on parts of the rows on all of them.

        Returns:
            It; `None` when all that was tried has been scored on all rows.
        """
        waiting = [each for each in self._found.values() if not each.is_full]
        if not waiting:
            return None
        chosen = max(waiting, key=lambda each: each.mean)
        self._fully_scored(chosen, number)
        return chosen

    def _fully_scored(self, combination: _Combination, number: int) -> float:
        """Score a combination on all rows, and return the points it got this time."""
        known, name = combination.candidate, f"trial{number:04d}.score"
        result = self._study.score(name, known.program, self._rows)
        points = round(result.score, 2)
        self._note(number, "full_eval", points, known.program, len(self._rows))
        if known.score is None or points > known.score:
            combination.candidate = self._study.report(
                replace(
                    known,
                    score=points,
                    scores=tuple(result.scores),
                    complete=result.complete,
                    run=result.run,
                )
            )
        combination.is_full = True
        return points

    # What a trial chooses.

    def _options(self) -> dict[str, int]:
        """Return how many there are of each thing to choose, by its name."""
        options: dict[str, int] = {}
        for number, instructions in enumerate(self._choices.instructions):
            options[f"{number}_predictor_instruction"] = len(instructions)
            if self._choices.demos is not None:
                options[f"{number}_predictor_demos"] = len(self._choices.demos)
        return options

    def _chosen(self, trial: Any) -> dict[str, int]:
        return {
            name: trial.suggest_categorical(name, range(many))
            for name, many in self._options().items()
        }

    def _candidate(self, number: int, params: Mapping[str, int]) -> Candidate:
        program = self._study.order.student.deepcopy()
        told = []
        for at, (name, predictor) in enumerate(program.named_predictors()):
            chosen = params[f"{at}_predictor_instruction"]
            text = self._choices.instructions[at][chosen]
            predictor.signature = predictor.signature.with_instructions(text)
            words = f"instruction {chosen}"
            if self._choices.demos is not None:
                demos = params[f"{at}_predictor_demos"]
                predictor.demos = list(self._choices.demos[demos][at])
                words += f", demos {demos}"
            told.append(words if name == "self" else f"{name}: {words}")
        label = "; ".join(told)
        return Candidate(
            number=number,
            label=label,
            origin=f"chosen by the sampler: {label}",
            parents=(BASELINE,),
            facts={"params": dict(params)},
            state=program.dump_state(),
            program=program,
        )

    # Optuna.

    def _sampling(self, baseline: Candidate) -> Any:
        """Return a study of Optuna that knows how the program given scores."""
        optuna = self._optuna
        sampler = optuna.samplers.TPESampler(seed=self._trials.seed, multivariate=True)
        with _quiet(optuna):
            sampling = optuna.create_study(direction="maximize", sampler=sampler)
        first = dict.fromkeys(self._options(), 0)
        sampling.add_trial(self._told(first, baseline.score))
        return sampling

    def _told(self, params: Mapping[str, int], score: float | None) -> Any:
        distribution = self._optuna.distributions.CategoricalDistribution
        options = self._options()
        return self._optuna.trial.create_trial(
            params=dict(params),
            distributions={
                name: distribution(range(options[name])) for name in options
            },
            value=score,
        )


def _better(best: Candidate, other: Candidate) -> Candidate:
    """Return the one with the higher score; of equal ones the one before."""
    return other if (other.score or 0.0) > (best.score or 0.0) else best


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Keep Optuna from writing to standard error what it begins, and nothing else."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def import_optuna() -> Any:
    """Return the package `optuna`, which is an extra.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise ConfigurationError(
            "MIPROv2 chooses with Optuna, which is not installed; expected the package "
            "optuna. Install it with: pip install 'dspex[optuna]'"
        ) from None
    return optuna
