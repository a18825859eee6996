"""What came of one example, as a value with a stamp.

An outcome is *final* (scored; failed by program, metric or model) or *open* (failed by
infrastructure, out of time, cancelled). A final one is never replaced; an open one says
that nothing was measured.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from dspex.core.errors import (
    AdapterError,
    BudgetExceededError,
    ConfigurationError,
    LMAuthError,
    LMBillingError,
    LMCancelledError,
    LMError,
    LMInvalidRequestError,
    LMTimeoutError,
    RuntimeClosedError,
    WorkTimeoutError,
)
from dspex.core.lm import Usage
from dspex.core.safe_text import text_of_error
from dspex.evaluate.working.traced_call import TracedCall

Stage = Literal["program", "metric", "runtime"]
"""In whose code an error came up."""

NO_USAGE = Usage()
"""No tokens at all."""

LONGEST_TEXT = 2_000
"""Characters of an error's text that are kept."""


class OutcomeKind(Enum):
    """How an example ended."""

    SCORED = "scored"
    """The metric gave a number."""
    PROGRAM = "program"
    """The program raised."""
    METRIC = "metric"
    """The metric raised, or gave no number."""
    MODEL = "model"
    """The model's answer does not fit, or the model refused the request."""
    INFRASTRUCTURE = "infrastructure"
    """No answer was to be had: connection, provider, or a part of ours."""
    TIMEOUT = "timeout"
    """It took longer than it may."""
    CANCELLED = "cancelled"
    """It was given up, because the evaluation was."""

    @property
    def is_final(self) -> bool:
        """Whether something was measured, so that it is never run again."""
        # Nearly every one is; the set costs more, as it asks for a hash.
        return self is OutcomeKind.SCORED or self in _FINAL


_FINAL = frozenset(
    {
        OutcomeKind.SCORED,
        OutcomeKind.PROGRAM,
        OutcomeKind.METRIC,
        OutcomeKind.MODEL,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Which attempt at which example of which run."""

    run: str
    """The run."""
    example: int
    """The example's place in the set, from 0."""
    trial: int = 0
    """Which repetition of it."""
    attempt: int = 1
    """Which attempt at that, from 1; more than one only after a death from outside."""
    configuration: int = 1
    """Under which setting of the run's handle it began, from 1: its concurrency may be
    changed while it runs."""

    @property
    def key(self) -> tuple[int, int]:
        """What is counted once."""
        return self.example, self.trial

    def tags(self) -> dict[str, Any]:
        """The stamp, for the record of the requests made under it."""
        return {
            "run": self.run,
            "example": self.example,
            "trial": self.trial,
            "attempt": self.attempt,
            "configuration": self.configuration,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorNote:
    """An error, kept with its example."""

    stage: Stage
    """In whose code it came up."""
    type: str
    """The class of the exception."""
    message: str
    """Its text, at most 2,000 characters."""
    where: str
    """The last lines of its traceback."""
    error: BaseException | None = field(default=None, repr=False, compare=False)
    """The exception itself, in the process that saw it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one example."""

    stamp: Stamp
    """Which attempt this is the outcome of."""
    kind: OutcomeKind
    """How it ended."""
    score: float | None = None
    """The metric's number; `None` unless scored."""
    columns: Mapping[str, float | None] = field(default_factory=dict)
    """All the metric's numbers by name, where it gave several; `None` where one of
    several metrics failed and was not the first."""
    lost: Mapping[str, ErrorNote] = field(default_factory=dict)
    """Why a column has no number, by its name."""
    feedback: str | None = None
    """What the metric said in words."""
    prediction: Any = None
    """What the program gave, also when the metric then failed."""
    error: ErrorNote | None = None
    """What went wrong; `None` when scored."""
    stage: Stage | None = None
    """In whose code it failed; `None` when scored."""
    latency: float = 0.0
    """Seconds the program and the metric took."""
    usage: Usage = NO_USAGE
    """Tokens of the answers it had; those from the cache have none."""
    cost: float | None = None
    """Dollars for them; `None` without an answer, or when the price of one is not
    known."""
    calls: int = 0
    """Answers of models it had, those that a fallback took the place of included."""
    cached: int = 0
    """How many of those somebody else paid: from the cache, or shared with an equal
    call that was under way."""
    answers: tuple[str, ...] = ()
    """Ids of the calls whose answers it had, of an attempt after the first: what that
    one has paid for, and this one had from the cache, is no loss."""
    first_score: float | None = None
    """The score of the first attempt that had an answer, where a later one replaced
    it; `None` for all others."""
    evidence: tuple[str, ...] = ()
    """How each of its workers died, where it was set aside because they did."""
    trace: tuple[TracedCall, ...] = ()
    """The last calls of language models it made, where they are kept: see the argument
    `keep_traces` of `Evaluate`."""
    value: Any = None
    """What an optimiser's work gives besides (traces, demos)."""
    may_run_again: bool = True
    """Whether a run that goes on from here may begin it anew: not after it began
    something marked `retry=False`."""

    @property
    def seconds(self) -> float:
        """The same as `latency`."""
        return self.latency

    def explain(self) -> str:
        """Return all that is known of it as a text for people.

        How it ended, the error and where it was raised, what the program gave, how long
        that took, and each prompt with its answer, where they are kept.
        """
        from dspex.evaluate.results.explained import explained

        return explained(self)

    @property
    def is_settled(self) -> bool:
        """Whether a run that goes on from here leaves the example alone."""
        return self.kind.is_final or not self.may_run_again

    @property
    def is_fatal(self) -> bool:
        """Whether every other example would end the same way."""
        return self.error is not None and ends_every_example(self.error.error)


_FATAL = (
    BudgetExceededError,
    LMAuthError,
    LMBillingError,
    ConfigurationError,
    RuntimeClosedError,
)


def ends_every_example(error: BaseException | None) -> bool:
    """Whether an error is one that every other example would meet as well."""
    return isinstance(error, _FATAL)


def kind_of(error: BaseException, stage: Stage) -> OutcomeKind:
    """Say whose failure an error is.

    Example:
        >>> kind_of(LMTimeoutError("slow"), "program")
        <OutcomeKind.TIMEOUT: 'timeout'>
        >>> kind_of(ZeroDivisionError(), "metric")
        <OutcomeKind.METRIC: 'metric'>
    """
    match error:
        case LMCancelledError():
            return OutcomeKind.CANCELLED
        case LMTimeoutError():
            return OutcomeKind.TIMEOUT
        # Of the example itself; one that a program meets in its own work is its own.
        case WorkTimeoutError() if stage == "runtime":
            return OutcomeKind.TIMEOUT
        case LMInvalidRequestError() | AdapterError():
            return OutcomeKind.MODEL
        case LMError() | RuntimeClosedError() | ConfigurationError():
            return OutcomeKind.INFRASTRUCTURE
        case _:
            return OutcomeKind.METRIC if stage == "metric" else OutcomeKind.PROGRAM


def note(error: BaseException, stage: Stage) -> ErrorNote:
    """Keep an error: its class, its text, and where it was raised."""
    lines = traceback.format_exception(error, limit=-3)
    return ErrorNote(
        stage=stage,
        type=type(error).__name__,
        message=text_of_error(error)[:LONGEST_TEXT],
        where="".join(lines)[-LONGEST_TEXT:],
        error=error,
    )
