"""The aggregator: the one place where an outcome is accepted or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from dspex.evaluate.floor import Proposal, Tray
from dspex.evaluate.journal import Journal, Tally
from dspex.evaluate.outcome import Outcome
from dspex.evaluate.settled import Settled
from supervisors import Actor, ExitReason, Handle

BATCH = 32
"""Outcomes accepted in one step, at most. It never waits for more than there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Something is in the tray. Cast by whoever put it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStanding:
    """Asked by a new coordinator; the reply is a `Standing`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands: what was accepted so far."""

    settled: Settled
    """Places with an outcome; the asker's own copy."""
    tally: Tally
    """The numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """These outcomes count now. Cast to the coordinator."""

    outcomes: Sequence[Outcome]
    tally: Tally
    """How the run stands with them."""


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
    """

    def __init__(self, journal: Journal, tray: Tray, coordinator: str) -> None:
        super().__init__()
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
                journal = self._journal
                return Standing(settled=journal.settled.copy(), tally=journal.tally)
            case _:
                assert_never(message)

    def on_end(self, reason: ExitReason) -> None:  # noqa: ARG002 - whatever the reason
        """Count what was paid for and waits."""
        while self._take():
            pass

    def _look(self) -> None:
        if self._take():
            # Behind whatever else waits, so that a full tray holds nobody up.
            self.actor_ref.cast(Look())

    def _take(self) -> int:
        """Deal with one batch; how many proposals still wait."""
        batch = self._tray.look(BATCH)
        accepted = [each.outcome for each in batch if self._accept(each)]
        left = self._tray.drop(len(batch))
        if accepted:
            self._coordinator.cast(
                Accepted(outcomes=accepted, tally=self._journal.tally)
            )
        return left

    def _accept(self, proposal: Proposal) -> bool:
        if proposal.is_void:
            self._journal.refuse()
            return False
        return self._journal.accept(proposal.outcome)
