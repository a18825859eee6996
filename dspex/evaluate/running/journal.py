"""A run's memory: what was accepted, what was refused, which requests were made.

In memory for now; owned by the run and not by the actors that write it, so it outlives
their restarts. The accepting is here, in one step per outcome.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from dspex.client.call import AttemptRecord, Fate
from dspex.core.errors import RunFencedError
from dspex.evaluate.record.entries import Bill, Totals
from dspex.evaluate.record.requests import RecordedRequests
from dspex.evaluate.results.outcome import Outcome, OutcomeKind
from dspex.evaluate.running.comebacks import Comebacks
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.scheduling.errors_allowed import counts_as_error
from dspex.evaluate.scheduling.retrying import RetryRules
from dspex.evaluate.scheduling.settled import Settled
from supervisors import Estate, Event


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
    judged: int = 0
    """Outcomes that count and are none of an earlier run's."""
    squares: float = 0.0
    """Sum of the squared scores."""
    cost: float | None = None
    """Dollars for the answers of what counts; `None` where no price is known."""
    errors: int = 0
    """Failures that count for `max_errors`; none of an earlier run's."""
    fatal: Outcome | None = None
    """The first outcome that says how every other example would end."""
    last_error: Outcome | None = None
    """The last failure that counts for `max_errors`."""

    @property
    def failures(self) -> int:
        """Accepted outcomes without a score."""
        return self.accepted - self.scored


class Journal(Estate):
    """The accepted outcomes of one run; the aggregator writes it.

    Args:
        trials: How often each example is measured.
        known: Outcomes of an earlier, interrupted run; the settled ones are kept.
        keeps: Whether outcomes are kept here; else they are only counted, and are in
            the run's record.
        rules: How often an example is tried.
    """

    def __init__(
        self,
        trials: int = 1,
        known: Iterable[Outcome] = (),
        *,
        keeps: bool = True,
        rules: RetryRules | None = None,
    ) -> None:
        self._keeps = keeps
        self._trials = trials
        self.comebacks = Comebacks(RetryRules() if rules is None else rules)
        """Examples that are being tried again."""
        self.settled = Settled()
        """Places that have their outcome."""
        self.outcomes: dict[tuple[int, int], Outcome] = {}
        """By (example, trial)."""
        self.tally = Tally()
        """How far the run is."""
        settled = [each for each in known if each.is_settled and self._settle(each)]
        # What an earlier run left behind was judged then, and is no error of this one.
        self.tally = replace(
            _counted(Tally(), settled), judged=0, errors=0, fatal=None, last_error=None
        )

    def accept(self, outcome: Outcome) -> bool:
        """Count an outcome, or refuse it because its example has one already.

        The first accepted wins, so a late, doubled or zombie outcome changes nothing.
        """
        return bool(self.accept_all((outcome,)))

    def accept_all(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """Count several in one step; those that counted."""
        counted = [outcome for outcome in outcomes if self._settle(outcome)]
        self.tally = _counted(self.tally, counted)
        self.refuse(len(outcomes) - len(counted))
        return counted

    def refuse(self, count: int = 1) -> None:
        """Count outcomes that do not count."""
        if count:
            self.tally = replace(self.tally, refused=self.tally.refused + count)

    def go_on(self, settled: Iterable[tuple[int, int]], totals: Totals) -> None:
        """Take over what an earlier owner of the run's record settled."""
        for example, trial in settled:
            self.settled.add(example * self._trials + trial)
        self.tally = Tally(
            accepted=len(self.settled),
            scored=totals.scored,
            score=totals.total,
            squares=totals.squares,
            cost=totals.cost,
        )

    def has(self, key: tuple[int, int]) -> bool:
        """Whether an example has its outcome."""
        example, trial = key
        return example * self._trials + trial in self.settled

    def _settle(self, outcome: Outcome) -> bool:
        key = example, trial = outcome.stamp.key
        if not self.settled.add(example * self._trials + trial):
            return False
        self.comebacks.forget(key)
        if self._keeps:
            self.outcomes[key] = outcome
        return True


def _counted(tally: Tally, outcomes: Sequence[Outcome]) -> Tally:
    score, squares, scored = tally.score, tally.squares, tally.scored
    cost = tally.cost
    for outcome in outcomes:
        if outcome.kind is OutcomeKind.SCORED:
            scored += 1
        if outcome.score is not None:
            score += outcome.score
            squares += outcome.score * outcome.score
        if outcome.cost is not None:
            cost = _added(cost, outcome.cost)
    tally = Tally(
        accepted=tally.accepted + len(outcomes),
        refused=tally.refused,
        scored=scored,
        score=score,
        squares=squares,
        cost=cost,
        judged=tally.judged + len(outcomes),
        errors=tally.errors,
        fatal=tally.fatal,
        last_error=tally.last_error,
    )
    for outcome in outcomes:
        if outcome.error is not None:
            tally = _charged(tally, outcome)
    return tally


def _charged(tally: Tally, outcome: Outcome) -> Tally:
    if tally.fatal is None and outcome.is_fatal:
        tally = replace(tally, fatal=outcome)
    if counts_as_error(outcome):
        tally = replace(tally, errors=tally.errors + 1, last_error=outcome)
    return tally


def _added(cost: float | None, more: float | None) -> float | None:
    return cost if more is None else (cost or 0.0) + more


class RequestLog:
    """Every request made for a run, by the id its provider saw, with its fate.

    Where the run has a record they go there, and none is kept here.

    An event handler: each client of the tree calls it in its own thread.

    Args:
        run: The run's name, as it stands in the tags of its requests.
        recording: Where they are written.
        known: Requests of an earlier result that the run goes on from.
        on_fenced: Hears that another owner took the run over.
    """

    def __init__(
        self,
        run: str,
        recording: Recording | None = None,
        known: Mapping[str, AttemptRecord] = MappingProxyType({}),
        on_fenced: Callable[[], object] = lambda: None,
    ) -> None:
        self._run = run
        self._recording = recording
        self._on_fenced = on_fenced
        # Protects the three fields below; also wakes whoever waits for the last fate.
        self._changed = threading.Condition()
        self._records = dict(known)
        self._open: set[str] = set()
        self._cost = Bill.of(self._records.values()).cost
        if recording is not None:
            self._cost = recording.record.totals().bill.cost

    def __call__(self, event: Event) -> None:
        """Note the beginning or the end of a request of this run."""
        record: AttemptRecord = event.metadata["record"]
        if record.tags.get("run") != self._run:
            return
        if self._recording is not None:
            try:
                self._recording.request_moved(record)
            except RunFencedError:
                # Who sends it cannot be kept from it here; the run ends all the same.
                self._on_fenced()
        with self._changed:
            if self._recording is None:
                self._records[record.request_id] = record
            if record.fate is Fate.OPEN:
                self._open.add(record.request_id)
            else:
                self._open.discard(record.request_id)
                self._cost = _added(self._cost, record.cost)
                self._changed.notify_all()

    def wait_settled(self, timeout: float) -> bool:
        """Wait until every request noted has its fate; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, timeout)

    @property
    def cost(self) -> float | None:
        """Dollars for all requests that have ended; `None` where no price is known."""
        return self._cost

    def records(self) -> Mapping[str, AttemptRecord]:
        """What was noted: a copy, or what the record has."""
        if self._recording is not None:
            return RecordedRequests(self._recording.record)
        with self._changed:
            return dict(self._records)
