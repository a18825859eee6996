"""What a worker does: program and metric for one attempt at one example."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from dspex.core.draws import draw_from_here
from dspex.core.example import Example
from dspex.core.once import Unrepeatable, watch_unrepeatable_from_here
from dspex.core.safe_text import text_of_error
from dspex.evaluate.metric import Judgement
from dspex.evaluate.outcome import Outcome, OutcomeKind, Stage, Stamp, kind_of, note


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the work on one example gave."""

    score: float
    """The metric's number."""
    columns: Mapping[str, float] = field(default_factory=dict)
    """All its numbers by name, where it gave several."""
    feedback: str | None = None
    """What it said in words."""
    prediction: Any = None
    """What the program gave."""
    value: Any = None
    """What an optimiser wants besides."""

    @classmethod
    def of(cls, judgement: Judgement, prediction: Any) -> Measured:
        """What a metric said of a program's prediction."""
        return cls(
            score=judgement.score,
            columns=judgement.columns,
            feedback=judgement.feedback,
            prediction=prediction,
        )


class WorkFailed(Exception):  # noqa: N818 - carries a failure, and is none itself
    """The work on one example raised; says in whose code."""

    def __init__(
        self, error: BaseException, stage: Stage, prediction: Any = None
    ) -> None:
        super().__init__(text_of_error(error))
        self.error = error
        self.stage = stage
        self.prediction = prediction


Work = Callable[[Example], Measured]
"""Program and metric for one example. Raises `WorkFailed`."""


class AtWork(Protocol):
    """An attempt, as far as its work knows it."""

    @property
    def stamp(self) -> Stamp:
        """Which attempt it is."""

    @property
    def example(self) -> Example:
        """What to work on."""

    @property
    def answered(self) -> int:
        """How many earlier attempts failed after an answer."""

    @property
    def begun(self) -> Unrepeatable:
        """Where what must not be run again is noted."""

    def metric_begins(self) -> None:
        """Hear that the program is done and the metric begins."""


_at_work: ContextVar[AtWork | None] = ContextVar("dspex_at_work", default=None)


def metric_begins() -> None:
    """Say that the program is done and its metric begins, for its deadline."""
    attempt = _at_work.get()
    if attempt is not None:
        attempt.metric_begins()


def perform(attempt: AtWork, work: Work) -> Outcome:
    """Do the work of an attempt; whatever it raises becomes an outcome.

    Called in a context of its own, which is gone afterwards: nothing of one example is
    seen by the next.
    """
    _at_work.set(attempt)
    watch_unrepeatable_from_here(attempt.begun)
    if attempt.answered:
        # The kept answers are those that the last attempt failed with.
        draw_from_here(f"retry {attempt.answered}")
    began = time.perf_counter()
    try:
        measured = work(attempt.example)
    except WorkFailed as failed:
        return Outcome(
            stamp=attempt.stamp,
            kind=kind_of(failed.error, failed.stage),
            stage=failed.stage,
            prediction=failed.prediction,
            error=note(failed.error, failed.stage),
            latency=time.perf_counter() - began,
            may_run_again=not attempt.begun,
        )
    except BaseException as error:  # noqa: BLE001 - a bug of ours ends one example, not the run
        return Outcome(
            stamp=attempt.stamp,
            kind=OutcomeKind.INFRASTRUCTURE,
            stage="runtime",
            error=note(error, "runtime"),
            latency=time.perf_counter() - began,
            may_run_again=not attempt.begun,
        )
    return Outcome(
        stamp=attempt.stamp,
        kind=OutcomeKind.SCORED,
        score=measured.score,
        columns=measured.columns,
        feedback=measured.feedback,
        prediction=measured.prediction,
        value=measured.value,
        latency=time.perf_counter() - began,
        may_run_again=not attempt.begun,
    )
