"""A run's memory: what was accepted, what was refused, which requests were made.

In memory for now; owned by the run and not by the actors that write it, so it outlives
their restarts. The accepting is here, in one step per outcome.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dspex.client.call import AttemptRecord, Fate
from dspex.core.once import Unrepeatable
from dspex.evaluate.outcome import Outcome, OutcomeKind, Stamp
from supervisors import Estate, Event, Ref, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How far a run is; replaced whole at each outcome, so any thread may read it."""

    accepted: int = 0
    """Outcomes that count."""
    refused: int = 0
    """Outcomes that came late or twice and do not count."""
    score: float = 0.0
    """Sum of the scores."""
    scored: int = 0
    """Examples with a score."""
    squares: float = 0.0
    """Sum of the squared scores."""
    cost: float | None = None
    """Dollars, as far as prices are known; `None` where none is."""

    @property
    def failures(self) -> int:
        """Accepted outcomes without a score."""
        return self.accepted - self.scored


class Journal(Estate):
    """The accepted outcomes of one run; the aggregator writes it."""

    def __init__(self) -> None:
        self.outcomes: dict[tuple[int, int], Outcome] = {}
        """By (example, trial)."""
        self.tally = Tally()
        """How far the run is."""

    def accept(self, outcome: Outcome) -> bool:
        """Count an outcome, or refuse it because its example has one already.

        The first accepted wins, so a late, doubled or zombie outcome changes nothing.
        """
        tally = self.tally
        if outcome.stamp.key in self.outcomes:
            self.tally = replace(tally, refused=tally.refused + 1)
            return False
        self.outcomes[outcome.stamp.key] = outcome
        scored = outcome.kind is OutcomeKind.SCORED
        self.tally = replace(
            tally,
            accepted=tally.accepted + 1,
            scored=tally.scored + scored,
            score=tally.score + (outcome.score or 0.0),
            squares=tally.squares + (outcome.score or 0.0) ** 2,
            cost=_added(tally.cost, outcome.cost),
        )
        return True


def _added(cost: float | None, more: float | None) -> float | None:
    return cost if more is None else (cost or 0.0) + more


@dataclass(slots=True)
class OpenAttempt:
    """A worker that has not ended."""

    stamp: Stamp
    scope: Scope
    ref: Ref[Any] | None = None
    deadline: float | None = None
    """When its time is over, on the tree's clock; `None` for no limit."""
    begun: Unrepeatable = field(default_factory=Unrepeatable)
    """What its worker has begun that is never run again."""
    out_of_time: bool = False
    """Whether it was given up because its deadline passed."""


@dataclass(slots=True)
class Roster(Estate):
    """Who works on what; the coordinator's memory."""

    next_example: int = 0
    """The first example that was not handed out."""
    again: deque[Stamp] = field(default_factory=deque)
    """Attempts to make because a worker died from outside."""
    open: dict[tuple[int, int], OpenAttempt] = field(default_factory=dict)
    """Workers by what they work on."""
    settled: dict[tuple[int, int], Outcome] = field(default_factory=dict)
    """Accepted outcomes the coordinator has heard of."""
    errors: int = 0
    """Failures that count for `max_errors`."""


class RequestLog:
    """Every request made for a run, by the id its provider saw, with its fate.

    An event handler: each client of the tree calls it in its own thread.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        # Protects the two fields below; also wakes whoever waits for the last fate.
        self._changed = threading.Condition()
        self._records: dict[str, AttemptRecord] = {}
        self._open: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Note the beginning or the end of a request of this run."""
        record: AttemptRecord = event.metadata["record"]
        if record.tags.get("run") != self._run:
            return
        with self._changed:
            self._records[record.request_id] = record
            if record.fate is Fate.OPEN:
                self._open.add(record.request_id)
            else:
                self._open.discard(record.request_id)
                self._changed.notify_all()

    def wait_settled(self, timeout: float) -> bool:
        """Wait until every request noted has its fate; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, timeout)

    def records(self) -> Mapping[str, AttemptRecord]:
        """A copy of what was noted."""
        with self._changed:
            return dict(self._records)
