"""What was ordered: the examples, the work, and how far a run may go."""

from __future__ import annotations

import contextvars
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dspex.core import defaults
from dspex.core.example import Example
from dspex.core.spending import NOTHING_SPENT, Spent
from dspex.evaluate.results.outcome import Outcome, Stage, Stamp
from dspex.evaluate.scheduling.errors_allowed import ErrorLimit
from dspex.evaluate.scheduling.outage import Outage
from dspex.evaluate.scheduling.retrying import RetryRules
from dspex.evaluate.scheduling.steering import Steering
from dspex.evaluate.working.worker import AsyncWork, Work

AHEAD = 32
"""Attempts prepared beyond those that run, so that no worker waits for its next."""

EndReason = Literal[
    "complete",
    "enough",
    "cancelled",
    "fatal",
    "max_errors",
    "outage",
    "time",
    "stream",
    "record",
]
"""Why a run ended: all is counted, its steering has enough, the user did, every other
example would end the same way, too many failed, what all need was away for too long,
`run_timeout` passed, the stream of examples raised, or another owner took the record
over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run, as it was ordered."""

    run: str
    """Names the run."""
    examples: Iterable[Example]
    """What to work on, in order: a sequence, or a stream that is taken one by one."""
    work: Work | AsyncWork
    """What to do with each; a coroutine function where the workers are on a loop."""
    concurrency: int
    """Workers alive at a time."""
    trials: int = 1
    """How often each example is measured."""
    timeout: float | None = None
    """Seconds one attempt at an example may take; `None` for no limit."""
    metric_timeout: float | None = None
    """Seconds of those its metric may take; `None` for no limit of its own."""
    run_timeout: float | None = None
    """Seconds the whole run may take; `None` for no limit."""
    max_errors: ErrorLimit | None = None
    """Failures after which the run stops; `None` for no limit."""
    retry: RetryRules = field(default_factory=RetryRules)
    """How often an example is tried."""
    max_outage: float = defaults.MAX_OUTAGE
    """Seconds for which what all need may be away before the run ends."""
    attempts: Mapping[tuple[int, int], int] = field(default_factory=dict)
    """By example and trial, the last attempt an earlier owner of the run made; none for
    those it did not begin."""
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    """What the caller's context was; each worker gets a copy of it."""
    steering: Steering | None = None
    """Who decides how far to go, instead of `max_errors`; `None` goes to the end. Only
    for a sequence and one trial."""

    label: str = ""
    """What it is called where its progress is shown."""
    part_of: str | None = None
    """The study it is a part of, if it is one."""

    @property
    def total(self) -> int | None:
        """How many examples there are; `None` for a stream."""
        return len(self.examples) if isinstance(self.examples, Sequence) else None

    @property
    def in_hand(self) -> int:
        """How many attempts may be prepared, running, or waiting to be accepted.

        A stream is taken no further ahead than this.
        """
        return self.in_hand_with(self.concurrency)

    def in_hand_with(self, concurrency: int) -> int:
        """The same for another number of workers."""
        ahead = concurrency if self.total is None else max(concurrency, AHEAD)
        return concurrency + ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """An attempt that a worker had begun and that the end of its run broke off."""

    stamp: Stamp
    """Which one."""
    latency: float = 0.0
    """Seconds it had taken until then."""
    spent: Spent = NOTHING_SPENT
    """What it had had from models."""
    stage: Stage = "program"
    """In whose code it was."""
    may_run_again: bool = True
    """Whether it had begun nothing that is marked `retry=False`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended."""

    reason: EndReason
    """Why."""
    outcome: Outcome | None = None
    """The outcome that ended it, for `fatal` and `max_errors`."""
    error: BaseException | None = None
    """What was raised, for `stream` and `record`."""
    outage: Outage | None = None
    """What was not there, for `outage`."""
    given_up: Sequence[GivenUp] = ()
    """What was worked on then, when that was before all was counted."""
