"""The aggregator: the one place where an outcome is accepted or refused."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from dspex.core.errors import RunFencedError
from dspex.evaluate.record.ownership import BEAT_EVERY
from dspex.evaluate.results.outcome import Outcome, Stamp
from dspex.evaluate.running.comebacks import Comeback
from dspex.evaluate.running.journal import Journal, Tally
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.running.signs import Signs, Standings, nobody_calls
from dspex.evaluate.scheduling.outage import DOUBTFUL
from dspex.evaluate.scheduling.settled import Settled
from dspex.evaluate.working.tray import Proposal, Tray
from supervisors import Actor, ExitReason, Handle, Shutdown

BATCH = 32
"""Outcomes accepted in one step, at most."""

GATHER_FOR = 0.01
"""Seconds that an outcome may wait for others to be accepted with it, while somebody is
at work. A transaction of the record costs as much as ten outcomes in it."""

AGAIN_AFTER = 0.5
"""Seconds until a record that could not be written is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Something is in the tray. Cast by whoever put it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What is in the tray has waited long enough for more. Sent by a timer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """Show in the record that its owner lives. Sent by a timer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStanding:
    """Asked by a new coordinator; the reply is a `Standing`."""

    with_outcomes: bool = False
    """Whether to tell all that was accepted, for a steering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands: what was accepted so far."""

    settled: Settled
    """Places with an outcome; the asker's own copy."""
    tally: Tally
    """The numbers."""
    comebacks: Sequence[Comeback] = ()
    """The latest attempt of each example that is tried again."""
    outcomes: Sequence[Outcome] = ()
    """All that was accepted, if that was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """These outcomes count now. Cast to the coordinator."""

    outcomes: Sequence[Outcome]
    tally: Tally
    """How the run stands with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentBack:
    """Failures have been judged. Cast to the coordinator after `Accepted`."""

    comebacks: Sequence[Comeback]
    """Those that do not count: their examples are tried again."""
    judged: Sequence[tuple[int, int]] = ()
    """All that may have been signs of an outage, whatever became of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """Somebody else died; what it had to say may be lost. Cast to the coordinator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMoved:
    """The record can be written no more, or again. Cast to the coordinator."""


Message = Look | Gathered | Beat | GetStanding


@dataclass(slots=True)
class Judged:
    """What becomes of one batch of proposals."""

    accepted: list[Outcome] = field(default_factory=list)
    """What will count."""
    keys: set[tuple[int, int]] = field(default_factory=set)
    """The examples of that."""
    refused: list[tuple[Stamp, str]] = field(default_factory=list)
    """What will not, and why."""
    comebacks: list[Comeback] = field(default_factory=list)
    """What is tried again."""
    doubtful: list[tuple[int, int]] = field(default_factory=list)
    """What may have been a sign of an outage."""

    @property
    def without_effect(self) -> list[tuple[Stamp, str]]:
        """Attempts that count for nothing, and why, for the record."""
        returned = [
            (each.stamp, f"it is tried again after: {each.outcome.kind.value}")
            for each in self.comebacks
        ]
        return [*self.refused, *returned]


class AggregatorActor(Actor):
    """Accepts each example's first outcome, and no second.

    Args:
        journal: Where outcomes are accepted.
        tray: Where they come from. What is in it when the run ends is still counted.
        coordinator: The name of whoever hears of it.
        recording: Where outcomes are written before they count; `None` for a run
            without a record.
        gather_for: Seconds that an outcome may wait for others; see `GATHER_FOR`.
        standings: Asks the clients what holds calls up.
        chance: Gives random numbers in [0, 1], which spread waits.
    """

    def __init__(
        self,
        journal: Journal,
        tray: Tray,
        coordinator: str,
        recording: Recording | None = None,
        *,
        gather_for: float = 0.0,
        standings: Standings = nobody_calls,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__()
        self._recording = recording
        self._gather_for = gather_for
        self._is_gathering = False
        self._standings = standings
        self._chance = chance
        self._journal = journal
        self._tray = tray
        self._coordinator_name = coordinator

    def on_start(self) -> None:
        """Take the journal over, and look at what came meanwhile."""
        owners = self._journal.inherit(self)
        self._coordinator = Handle(self.surroundings.registry, self._coordinator_name)
        self.actor_ref.cast(Look())
        if self._recording is not None:
            self.send_after(BEAT_EVERY, Beat())
        if owners > 1:
            self._coordinator.cast(Recount())

    def on_receive(self, message: Message) -> Any:
        """Hand each message to its method."""
        match message:
            case Look():
                return self._look()
            case Gathered():
                self._is_gathering = False
                return self._look_at_once()
            case Beat():
                return self._beat()
            case GetStanding():
                return self._standing(message)
            case _:
                assert_never(message)

    def _standing(self, message: GetStanding) -> Standing:
        journal = self._journal
        outcomes = tuple(journal.outcomes.values()) if message.with_outcomes else ()
        return Standing(
            settled=journal.settled.copy(),
            tally=journal.tally,
            outcomes=outcomes,
            comebacks=tuple(journal.comebacks.latest.values()),
        )

    def on_end(self, reason: ExitReason) -> None:
        """Count what was paid for and waits."""
        while self._take():
            pass
        if isinstance(reason, Shutdown):
            # The run is over: what was to be tried again will not be.
            latest = self._journal.comebacks.begun.values()
            outcomes = [comeback.outcome for comeback in latest]
            if self._is_written(outcomes, ()):
                self._journal.accept_all(outcomes)

    def _look(self) -> None:
        if self._gather_for and not self._tray.is_pressing:
            if not self._is_gathering:
                self._is_gathering = True
                self.send_after(self._gather_for, Gathered())
        else:
            self._look_at_once()

    def _look_at_once(self) -> None:
        if self._take():
            # Behind whatever else waits, so that a full tray holds nobody up.
            self.actor_ref.cast(Look())

    def _beat(self) -> None:
        """Commit what is known of attempts and requests, be it nothing.

        While no example ends, nobody else shows that the run has an owner, or finds
        out that a full disk has room again.
        """
        self._commit((), (), whole=True)
        self.send_after(BEAT_EVERY, Beat())

    def _take(self) -> int:
        """Deal with one batch; how many proposals still wait for a look at once."""
        batch = self._tray.look(BATCH)
        judged = self._judged(batch)
        if not self._is_written(judged.accepted, judged.without_effect):
            return 0
        self._journal.accept_all(judged.accepted)
        self._journal.refuse(len(judged.refused))
        left = self._tray.drop(len(batch))
        if judged.accepted:
            self._coordinator.cast(
                Accepted(outcomes=judged.accepted, tally=self._journal.tally)
            )
        if judged.comebacks or judged.doubtful:
            self._coordinator.cast(
                SentBack(comebacks=judged.comebacks, judged=judged.doubtful)
            )
        return left

    def _judged(self, batch: Sequence[Proposal]) -> Judged:
        """What of a batch will count, what comes back, and what is refused and why."""
        judged, signs = Judged(), Signs(self._standings)
        for proposal in batch:
            outcome = proposal.outcome
            stamp = outcome.stamp
            if proposal.is_void:
                judged.refused.append((stamp, "its attempt had been given up"))
                continue
            if outcome.kind in DOUBTFUL:
                judged.doubtful.append(stamp.key)
            if stamp.key in judged.keys or self._journal.has(stamp.key):
                judged.refused.append((stamp, "its example had an outcome"))
                continue
            verdict = outcome if proposal.is_decided else self._verdict(outcome, signs)
            if isinstance(verdict, Comeback):
                judged.comebacks.append(verdict)
            else:
                judged.accepted.append(verdict)
                judged.keys.add(stamp.key)
        return judged

    def _verdict(self, outcome: Outcome, signs: Signs) -> Outcome | Comeback:
        sign = None if outcome.error is None else signs.of(outcome)
        comebacks = self._journal.comebacks
        return comebacks.judge(outcome, sign, chance=self._chance())

    def _is_written(
        self, accepted: Sequence[Outcome], refused: Sequence[tuple[Stamp, str]]
    ) -> bool:
        """Whether a batch is in the record; else it stays in the tray for later."""
        return not (accepted or refused) or self._commit(accepted, refused)

    def _commit(
        self,
        accepted: Sequence[Outcome],
        refused: Sequence[tuple[Stamp, str]],
        *,
        whole: bool = False,
    ) -> bool:
        recording = self._recording
        if recording is None:
            return True
        was_in_trouble = recording.trouble is not None
        try:
            written = recording.commit(accepted, refused, whole=whole)
        except RunFencedError:
            self._coordinator.cast(RecordMoved())
            return False
        if written is was_in_trouble:
            self._coordinator.cast(RecordMoved())
        if not written:
            self.send_after(AGAIN_AFTER, Look())
        return written
