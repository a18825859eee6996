"""The aggregator: the one place where an outcome is accepted or refused."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from dspex.evaluate.comebacks import Comeback
from dspex.evaluate.floor import Proposal, Tray
from dspex.evaluate.journal import Journal, Tally
from dspex.evaluate.outage import DOUBTFUL
from dspex.evaluate.outcome import Outcome
from dspex.evaluate.settled import Settled
from dspex.evaluate.signs import Signs, Standings, nobody_calls
from supervisors import Actor, ExitReason, Handle, Shutdown

BATCH = 32
"""Outcomes accepted in one step, at most. It never waits for more than there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Something is in the tray. Cast by whoever put it there."""


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


Message = Look | GetStanding


class AggregatorActor(Actor):
    """Accepts each example's first outcome, and no second.

    Args:
        journal: Where outcomes are accepted.
        tray: Where they come from. What is in it when the run ends is still counted.
        coordinator: The name of whoever hears of it.
        standings: Asks the clients what holds calls up.
        chance: Gives random numbers in [0, 1], which spread waits.
    """

    def __init__(
        self,
        journal: Journal,
        tray: Tray,
        coordinator: str,
        *,
        standings: Standings = nobody_calls,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__()
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
        if owners > 1:
            self._coordinator.cast(Recount())

    def on_receive(self, message: Message) -> Any:
        """Hand each message to its method."""
        match message:
            case Look():
                return self._look()
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
            for comeback in tuple(self._journal.comebacks.latest.values()):
                self._journal.accept(comeback.outcome)

    def _look(self) -> None:
        if self._take():
            # Behind whatever else waits, so that a full tray holds nobody up.
            self.actor_ref.cast(Look())

    def _take(self) -> int:
        """Deal with one batch; how many proposals still wait."""
        batch = self._tray.look(BATCH)
        signs = Signs(self._standings)
        judged = [self._judge(proposal, signs) for proposal in batch]
        left = self._tray.drop(len(batch))
        accepted = [each for each in judged if isinstance(each, Outcome)]
        if accepted:
            self._coordinator.cast(
                Accepted(outcomes=accepted, tally=self._journal.tally)
            )
        sent_back = [each for each in judged if isinstance(each, Comeback)]
        doubtful = [
            each.outcome.stamp.key
            for each in batch
            if each.outcome.kind in DOUBTFUL and not each.is_void
        ]
        if sent_back or doubtful:
            self._coordinator.cast(SentBack(comebacks=sent_back, judged=doubtful))
        return left

    def _judge(self, proposal: Proposal, signs: Signs) -> Outcome | Comeback | None:
        """Accept an outcome, send its example back, or refuse it (`None`)."""
        journal, outcome = self._journal, proposal.outcome
        if proposal.is_void or journal.has(outcome.stamp.key):
            journal.refuse()
            return None
        if proposal.is_decided:
            return outcome if journal.accept(outcome) else None
        sign = None if outcome.error is None else signs.of(outcome)
        judged = journal.comebacks.judge(outcome, sign, chance=self._chance())
        if isinstance(judged, Outcome):
            journal.accept(judged)
        return judged
