"""What a worker does: program and metric for one attempt at one example."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from dspex.core.draws import another_draw, draw_from_here
from dspex.core.example import Example
from dspex.core.once import Unrepeatable, watch_unrepeatable_from_here
from dspex.core.safe_text import text_of_error
from dspex.core.spending import Spending, Spent, count_from_here
from dspex.evaluate.metric import Judgement
from dspex.evaluate.results.outcome import (
    ErrorNote,
    Outcome,
    OutcomeKind,
    Stage,
    Stamp,
    kind_of,
    note,
)
from dspex.evaluate.working.telling import telling_of_example
from dspex.evaluate.working.traced_call import TracedCall
from supervisors import ExitReason, Stop

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""No columns, and none that is lost."""


# Not frozen, which makes the making of one cost three times as much: it goes from the
# work to the outcome, in one thread.
@dataclass(slots=True, kw_only=True)
class Measured:
    """What the work on one example gave."""

    score: float
    """The metric's number."""
    columns: Mapping[str, float | None] = field(default_factory=lambda: NOTHING)
    """All its numbers by name, where it gave several."""
    lost: Mapping[str, ErrorNote] = field(default_factory=lambda: NOTHING)
    """Why a column has no number, by its name."""
    feedback: str | None = None
    """What it said in words."""
    prediction: Any = None
    """What the program gave."""
    value: Any = None
    """What an optimiser wants besides."""
    trace: tuple[TracedCall, ...] = ()
    """The calls it made, where they are kept."""

    @classmethod
    def of(cls, judgement: Judgement, prediction: Any) -> Measured:
        """What a metric said of a program's prediction."""
        return cls(
            score=judgement.score,
            columns=judgement.columns,
            lost=_noted(judgement.lost) if judgement.lost else NOTHING,
            feedback=judgement.feedback,
            prediction=prediction,
        )


def _noted(lost: Mapping[str, Exception]) -> Mapping[str, ErrorNote]:
    return {name: note(error, "metric") for name, error in lost.items()}


class WorkFailed(Exception):  # noqa: N818 - carries a failure, and is none itself
    """The work on one example raised; says in whose code.

    An error of another process brings along what was `told` of it there.
    """

    def __init__(
        self,
        error: BaseException,
        stage: Stage,
        prediction: Any = None,
        value: Any = None,
        told: ErrorNote | None = None,
    ) -> None:
        super().__init__(text_of_error(error))
        self.error = error
        self.stage = stage
        self.prediction = prediction
        self.value = value
        self.told = told or note(error, stage)
        self.trace: tuple[TracedCall, ...] = ()


class WorkerDied(Exception):  # noqa: N818 - news of a death, and none's fault here
    """The process that did the work has ended; its worker ends for the same reason."""

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(str(reason))
        self.reason = reason


Work = Callable[[Example], Measured]
"""Program and metric for one example. Raises `WorkFailed` or `WorkerDied`."""
AsyncWork = Callable[[Example], Coroutine[Any, Any, Measured]]
"""The same for workers on an event loop."""


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
    def spending(self) -> Spending:
        """Where the answers it has are counted."""

    @property
    def begun(self) -> Unrepeatable:
        """Where what must not be run again is noted."""

    traced: Callable[[], tuple[TracedCall, ...]]
    """Gives the calls it made so far, where they are kept; for whoever gives it up."""

    def metric_begins(self) -> None:
        """Hear that the program is done and the metric begins."""


_at_work: ContextVar[AtWork | None] = ContextVar("dspex_at_work", default=None)


def metric_begins() -> None:
    """Say that the program is done and its metric begins, for its deadline."""
    attempt = _at_work.get()
    if attempt is not None:
        attempt.metric_begins()


def show_calls(traced: Callable[[], tuple[TracedCall, ...]]) -> None:
    """Let whoever gives this attempt up see the calls it made until then."""
    attempt = _at_work.get()
    if attempt is not None:
        attempt.traced = traced


def perform(attempt: AtWork, work: Work) -> Outcome:
    """Do the work of an attempt; whatever it raises becomes an outcome.

    Called in a context of its own, which is gone afterwards: nothing of one example is
    seen by the next.

    Raises:
        Stop: There is no outcome: what did the work is no more.
    """
    with telling_of_example(attempt.stamp, attempt.example) as told:
        told.outcome = _performed(attempt, work)
    return told.outcome


def _performed(attempt: AtWork, work: Work) -> Outcome:
    began = _begin(attempt)
    try:
        measured = work(attempt.example)
    except WorkerDied as died:
        raise Stop(died.reason) from None
    except BaseException as error:  # noqa: BLE001 - it ends one example, not the run
        return _failed(attempt, error, began)
    return _scored(attempt, measured, began)


async def aperform(attempt: AtWork, work: AsyncWork) -> Outcome:
    """Do the work of an attempt on the running loop, as `perform` does in a thread.

    Raises:
        CancelledError: The attempt was given up; what came of it says nothing.
        Stop: There is no outcome: what did the work is no more.
    """
    with telling_of_example(attempt.stamp, attempt.example) as told:
        told.outcome = await _aperformed(attempt, work)
    return told.outcome


async def _aperformed(attempt: AtWork, work: AsyncWork) -> Outcome:
    began = _begin(attempt)
    try:
        measured = await work(attempt.example)
    except asyncio.CancelledError:
        raise
    except WorkerDied as died:
        raise Stop(died.reason) from None
    except BaseException as error:  # noqa: BLE001 - it ends one example, not the run
        return _failed(attempt, error, began)
    return _scored(attempt, measured, began)


def _begin(attempt: AtWork) -> float:
    """Let this context be the attempt's; when that was."""
    _at_work.set(attempt)
    watch_unrepeatable_from_here(attempt.begun)
    count_from_here(attempt.spending)
    if attempt.answered:
        # The kept answers are those that the last attempt failed with.
        draw_from_here(f"retry {attempt.answered}")
    trial = attempt.stamp.trial
    if trial:
        # A repetition is asked anew, and not answered by what the first was told.
        draw_from_here(f"trial {trial}")
    return time.perf_counter()


def draw_of(stamp: Stamp) -> AbstractContextManager[object]:
    """The same for a block: a repetition is asked anew, and the first is not."""
    trial = stamp.trial
    return another_draw(f"trial {trial}") if trial else nullcontext()


def _failed(attempt: AtWork, error: BaseException, began: float) -> Outcome:
    if isinstance(error, WorkFailed):
        return _ended(
            attempt,
            began,
            kind_of(error.error, error.stage),
            stage=error.told.stage,
            prediction=error.prediction,
            value=error.value,
            error=error.told,
            trace=error.trace,
        )
    # A bug of ours.
    return _ended(
        attempt,
        began,
        OutcomeKind.INFRASTRUCTURE,
        stage="runtime",
        error=note(error, "runtime"),
    )


def _scored(attempt: AtWork, measured: Measured, began: float) -> Outcome:
    spent = attempt.spending.total()
    # Every field by name and none through a dict: each example comes here.
    return Outcome(
        stamp=attempt.stamp,
        kind=OutcomeKind.SCORED,
        score=measured.score,
        columns=measured.columns,
        lost=measured.lost,
        feedback=measured.feedback,
        prediction=measured.prediction,
        value=measured.value,
        trace=measured.trace,
        latency=time.perf_counter() - began,
        may_run_again=not attempt.begun,
        usage=spent.usage,
        cost=spent.cost,
        calls=spent.calls,
        cached=spent.cached,
        answers=spent.answers if attempt.stamp.attempt > 1 else (),
    )


def _ended(attempt: AtWork, began: float, kind: OutcomeKind, **facts: Any) -> Outcome:
    """The outcome of an attempt that failed, with what it took."""
    return Outcome(
        stamp=attempt.stamp,
        kind=kind,
        latency=time.perf_counter() - began,
        may_run_again=not attempt.begun,
        **spent_by(attempt),
        **facts,
    )


def spent_by(attempt: AtWork) -> dict[str, Any]:
    """What an attempt has spent until now, as fields of its outcome."""
    return as_fields(attempt.spending.total(), attempt.stamp)


def as_fields(spent: Spent, stamp: Stamp) -> dict[str, Any]:
    """What an attempt has spent, as fields of its outcome."""
    return {
        "usage": spent.usage,
        "cost": spent.cost,
        "calls": spent.calls,
        "cached": spent.cached,
        "answers": spent.answers if stamp.attempt > 1 else (),
    }
