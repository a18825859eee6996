"""The worker: one short-lived actor for one attempt at one example."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dspex.core.example import Example
from dspex.core.once import Unrepeatable, watch_unrepeatable
from dspex.core.safe_text import text_of_error
from dspex.evaluate.metric import Judgement
from dspex.evaluate.outcome import (
    ErrorNote,
    Outcome,
    OutcomeKind,
    Stage,
    Stamp,
    kind_of,
    note,
)
from supervisors import Actor, Handle, Scope, within


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the work on one example gave."""

    score: float
    """The metric's number."""
    columns: Mapping[str, float | None] = field(default_factory=dict)
    """All its numbers by name, where it gave several."""
    lost: Mapping[str, ErrorNote] = field(default_factory=dict)
    """Why a column has no number, by its name."""
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
            lost={
                name: note(error, "metric") for name, error in judgement.lost.items()
            },
            feedback=judgement.feedback,
            prediction=prediction,
        )


class WorkFailed(Exception):  # noqa: N818 - carries a failure, and is none itself
    """The work on one example raised; says in whose code."""

    def __init__(
        self,
        error: BaseException,
        stage: Stage,
        prediction: Any = None,
        value: Any = None,
    ) -> None:
        super().__init__(text_of_error(error))
        self.error = error
        self.stage = stage
        self.prediction = prediction
        self.value = value


Work = Callable[[Example], Measured]
"""Program and metric for one example. Raises `WorkFailed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """An outcome, for the aggregator to accept. Asked; the reply says whether."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Begin:
    """Do the work. Cast to oneself, so that the start is acknowledged first."""


class WorkerActor(Actor):
    """Runs program and metric for one example and proposes the outcome."""

    def __init__(
        self,
        *,
        stamp: Stamp,
        example: Example,
        work: Work,
        scope: Scope,
        begun: Unrepeatable,
        context: contextvars.Context,
        aggregator: str,
    ) -> None:
        super().__init__()
        self._stamp = stamp
        self._example = example
        self._work = work
        self._scope = scope
        self._begun = begun
        self._context = context
        self._aggregator = aggregator

    def on_start(self) -> None:
        """Acknowledge the start; the work comes next."""
        self.actor_ref.cast(_Begin())

    def on_receive(self, message: object) -> None:
        """Do the work, hand the outcome in, and end."""
        if not isinstance(message, _Begin):
            super().on_receive(message)
            return
        # A fresh copy: nothing of one example is seen by the next on this thread.
        outcome = self._context.copy().run(self._attempt)
        # Whoever aggregates may be restarting; the outcome waits for it.
        aggregator = Handle(self.surroundings.registry, self._aggregator)
        aggregator.call(Propose(outcome=outcome), timeout=None, idempotent=True)
        self.exit()

    def _attempt(self) -> Outcome:
        with within(self._scope), watch_unrepeatable(self._begun):
            outcome = attempt(self._stamp, self._example, self._work)
        return replace(outcome, may_run_again=not self._begun)


def attempt(stamp: Stamp, example: Example, work: Work) -> Outcome:
    """Do the work on an example; whatever it raises becomes an outcome."""
    began = time.perf_counter()
    try:
        measured = work(example)
    except WorkFailed as failed:
        outcome = Outcome(
            stamp=stamp,
            kind=kind_of(failed.error, failed.stage),
            stage=failed.stage,
            prediction=failed.prediction,
            value=failed.value,
            error=note(failed.error, failed.stage),
        )
    except BaseException as error:  # noqa: BLE001 - a bug of ours ends one example, not the run
        outcome = Outcome(
            stamp=stamp,
            kind=OutcomeKind.INFRASTRUCTURE,
            stage="runtime",
            error=note(error, "runtime"),
        )
    else:
        outcome = Outcome(
            stamp=stamp,
            kind=OutcomeKind.SCORED,
            score=measured.score,
            columns=measured.columns,
            lost=measured.lost,
            feedback=measured.feedback,
            prediction=measured.prediction,
            value=measured.value,
        )
    return replace(outcome, latency=time.perf_counter() - began)
