"""The aggregator: the one place where an outcome is accepted or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from dspex.evaluate.journal import Journal
from dspex.evaluate.outcome import Outcome
from dspex.evaluate.worker import Propose
from supervisors import Actor, Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAccepted:
    """Asked by a new coordinator; the reply is a tuple of all accepted outcomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An outcome counts now. Cast to the coordinator."""

    outcome: Outcome


Message = Propose | GetAccepted


class AggregatorActor(Actor):
    """Accepts each example's first outcome, and no second."""

    def __init__(self, journal: Journal, coordinator: str) -> None:
        super().__init__()
        self._journal = journal
        self._coordinator_name = coordinator

    def on_start(self) -> None:
        """Take the journal over."""
        self._journal.inherit(self)
        self._coordinator = Handle(self.surroundings.registry, self._coordinator_name)

    def on_receive(self, message: Message) -> Any:
        """Hand each message to its method."""
        match message:
            case Propose():
                return self._propose(message.outcome)
            case GetAccepted():
                return tuple(self._journal.outcomes.values())
            case _:
                assert_never(message)

    def _propose(self, outcome: Outcome) -> bool:
        accepted = self._journal.accept(outcome)
        if accepted:
            # Before the worker is told: the coordinator hears of the outcome first and
            # of the worker's end afterwards.
            self._coordinator.cast(Accepted(outcome=outcome))
        return accepted
