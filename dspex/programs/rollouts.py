"""Running a program several times over, each time as another rollout.

What `BestOfN` and `Refine` share: copies that ask the model anew, which attempt is the
best, how many may fail, and what must not be tried again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from dspex.core.errors import (
    BudgetExceededError,
    ConfigurationError,
    LMAuthError,
    LMBillingError,
    LMCancelledError,
    MissingInputError,
    RuntimeClosedError,
    SignatureError,
    UnexpectedInputError,
)
from dspex.core.foreign import refuse_dspy
from dspex.core.once import watch_unrepeatable
from dspex.core.prediction import Prediction
from dspex.programs.predict import Predict
from dspex.programs.program import Program
from dspex.programs.settings import context, settings
from dspex.programs.trace import TraceStep
from dspex.programs.walk import everything_in

HOPELESS: Final = (
    BudgetExceededError,
    ConfigurationError,
    LMAuthError,
    LMBillingError,
    LMCancelledError,
    MissingInputError,
    RuntimeClosedError,
    SignatureError,
    UnexpectedInputError,
)
"""Errors that the next round would end with as well."""

ROLLOUT_TEMPERATURE: Final = 1.0
"""The temperature of a round, unless the predictor has one of its own."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One round: a copy of a program, and the program it was copied from."""

    number: int
    """Which round it is, from 1."""
    program: Program
    """The copy; whatever is done to it is seen in this round only."""
    original: Program
    """Where it came from."""
    trace: list[TraceStep]
    """Where the steps of the round go."""

    def steps(self) -> list[TraceStep]:
        """Return the steps of the round as steps of the original's predictors."""
        pairs = zip(
            predictors_in(self.program), predictors_in(self.original), strict=True
        )
        originals = {id(copied): (copied, original) for copied, original in pairs}
        return [
            _as_original(*originals[id(predictor)], inputs, prediction)
            if id(predictor) in originals
            else (predictor, inputs, prediction)
            for predictor, inputs, prediction in self.trace
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One round that gave an answer."""

    prediction: Any
    """What the program answered."""
    reward: float
    """What the reward function said of it."""
    steps: list[TraceStep]
    """The steps of the round."""


class Contest:
    """Several rounds of one program: which was the best, and how many failed.

    Args:
        name: Who holds it, for messages.
        rounds: How many rounds there are at most.
        threshold: A reward that is good enough to stop; `None` for none.
        may_fail: How many rounds may fail.
    """

    def __init__(
        self, name: str, *, rounds: int, threshold: float | None, may_fail: int
    ) -> None:
        self._name = name
        self._rounds = rounds
        self._threshold = threshold
        self._may_fail = may_fail
        self._best: Attempt | None = None
        self._errors: list[Exception] = []
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether no further round follows the one that runs."""
        return self._is_over

    def rollouts(self, program: Program) -> Iterator[Rollout]:
        """Yield a copy for each round until it is over.

        No two rounds share an answer of the cache: each predictor of a copy asks with
        its own `rollout_id`, counted from the one it has, and with temperature 1
        unless it has another.
        """
        for number in range(1, self._rounds + 1):
            if self._is_over:
                return
            self._is_over = number == self._rounds
            copied = program.deepcopy()
            for predictor in predictors_in(copied):
                predictor.config = {
                    "temperature": ROLLOUT_TEMPERATURE,
                    **predictor.config,
                    "rollout_id": _first_rollout(predictor) + number - 1,
                }
            yield Rollout(number=number, program=copied, original=program, trace=[])

    @contextmanager
    def round(self, rollout: Rollout) -> Iterator[None]:
        """Run a round in this block: its steps are kept apart, its error is counted.

        Raises:
            Exception: The error of the round, when too many failed, or when it cannot
                be run again and none gave an answer.
        """
        with watch_unrepeatable() as begun:
            try:
                with context(trace=rollout.trace):
                    yield
            except Exception as error:  # noqa: BLE001 - counted, raised when too many
                self._failed(rollout.number, error, may_go_on=not begun)
            self._is_over = self._is_over or bool(begun)

    def judge(self, rollout: Rollout, prediction: Any, reward: Any) -> None:
        """Count an answer in; among equally good ones the first stays.

        Raises:
            ConfigurationError: When the reward is no number.
        """
        value = _checked_reward(reward, self._name)
        if self._best is None or value > self._best.reward:
            self._best = Attempt(
                prediction=prediction, reward=value, steps=rollout.steps()
            )
        if self._threshold is not None and value >= self._threshold:
            self._is_over = True

    def winner(self) -> Any:
        """Return the best answer, and put its steps into the trace.

        Raises:
            Exception: The last error, when no round gave an answer.
        """
        if self._best is None:
            raise self._told(self._errors[-1])
        trace: list[TraceStep] | None = settings.trace
        if trace is not None:
            trace.extend(self._best.steps)
        return self._best.prediction

    def _failed(self, number: int, error: Exception, *, may_go_on: bool) -> None:
        self._errors.append(error)
        too_many = len(self._errors) > self._may_fail
        in_vain = self._best is None and not may_go_on
        if isinstance(error, HOPELESS) or too_many or in_vain:
            raise self._told(error)
        _log.warning(
            "%s: round %d of %d failed with %s; %d may fail",
            self._name,
            number,
            self._rounds,
            type(error).__name__,
            self._may_fail,
        )

    def _told(self, error: Exception) -> Exception:
        """The error, with a note about the rounds that failed before it."""
        earlier = ", ".join(type(each).__name__ for each in self._errors[:-1])
        if earlier:
            error.add_note(
                f"{self._name}: {len(self._errors)} of at most {self._rounds} rounds "
                f"failed, those before with {earlier}; {self._may_fail} may fail."
            )
        return error


def _as_original(
    copied: Predict, original: Predict, inputs: dict[str, Any], prediction: Prediction
) -> TraceStep:
    """The step, without the inputs that only the copy had."""
    added = copied.signature.fields.keys() - original.signature.fields.keys()
    kept = {name: value for name, value in inputs.items() if name not in added}
    return original, kept, prediction


def predictors_in(program: Program) -> list[Predict]:
    """Return every predictor of a program, those of compiled parts included."""
    found = everything_in(program, skip_compiled=False)
    return [item for _, item in found if isinstance(item, Predict)]


def _first_rollout(predictor: Predict) -> int:
    model = predictor.lm or settings.lm
    own = model.dump_state() if model is not None else {}
    return int(predictor.config.get("rollout_id") or own.get("rollout_id") or 0)


def _checked_reward(reward: Any, name: str) -> float:
    """Return a reward as a number.

    Raises:
        ConfigurationError: When it is none.
    """
    try:
        number = float(reward)
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number):
        raise ConfigurationError(
            f"the reward function of {name} returned {type(reward).__name__!r}, which "
            "is no number; expected a number, a bool, or a Prediction with a field "
            "'score'. Return 0.0 where there is nothing to reward."
        )
    return number


def check_rounds(name: str, rounds: Any, program: Any, reward: Any) -> None:
    """Refuse what cannot be run several times.

    Raises:
        ConfigurationError: When `rounds` is no count, `program` no program, when it
            must not be run again, or when `reward` cannot be called.
    """
    if not isinstance(rounds, int) or isinstance(rounds, bool) or rounds < 1:
        raise ConfigurationError(
            f"N={rounds!r} is no count of rounds; expected a whole number from 1 on. "
            f"Write {name}(module=..., N=3, ...)."
        )
    refuse_dspy(program, "module")
    refuse_dspy(reward, "reward_fn")
    if not isinstance(program, Program):
        raise ConfigurationError(
            f"module={program!r} is no program; {name} runs one several times. Pass a "
            "Program, such as dspex.ChainOfThought('question -> answer')."
        )
    if not callable(reward):
        raise ConfigurationError(
            f"reward_fn={reward!r} cannot be called; expected a function of the inputs "
            "and the prediction. Write reward_fn=lambda args, pred: 1.0."
        )
    if rounds > 1 and not may_run_again(program):
        raise ConfigurationError(
            f"{type(program).__name__} is marked retry=False, so it is never run "
            f"again, and {name} was to run it up to {rounds} times. Pass N=1, or take "
            "the mark away."
        )


def may_run_again(program: Program) -> bool:
    """Say whether neither a program nor one inside it is marked `retry=False`."""
    inside = (item for _, item in everything_in(program, skip_compiled=False))
    return all(
        getattr(item, "retry", True) is not False
        for item in inside
        if isinstance(item, Program)
    )
