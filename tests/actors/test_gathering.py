"""Outcomes that come together are accepted together; none waits for nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp
from dspex.evaluate.running.aggregator import (
    GATHER_FOR,
    AggregatorActor,
    GetStanding,
    Look,
)
from dspex.evaluate.running.journal import Journal
from dspex.evaluate.working.tray import Proposal, Tray
from supervisors import ChildSpec, Handle, Supervisor
from supervisors.testing import ManualClock
from tests.actors.lab import eventually


def put(tray: Tray, number: int) -> None:
    stamp = Stamp(run="r", example=number)
    tray.put(Proposal(Outcome(stamp=stamp, kind=OutcomeKind.SCORED, score=1.0)))


@contextmanager
def aggregating(journal: Journal, tray: Tray, clock: ManualClock) -> Iterator[Handle]:
    """An aggregator that gathers, in a tree of its own."""
    spec = ChildSpec(
        id="aggregator",
        actor=AggregatorActor,
        args=(journal, tray, "nobody"),
        kwargs={"gather_for": GATHER_FOR},
        name="aggregator",
    )
    with Supervisor.start([spec], clock=clock) as top:
        aggregator = Handle(top.registry, "aggregator")
        tray.ring = lambda: aggregator.cast(Look())
        yield aggregator


def test_an_outcome_waits_for_others_and_not_for_long() -> None:
    journal, tray, clock = Journal(), Tray(), ManualClock()
    with aggregating(journal, tray, clock) as aggregator:
        put(tray, 0)
        put(tray, 1)
        waiting = aggregator.call(GetStanding()).tally.accepted
        clock.advance(GATHER_FOR)

        eventually(lambda: journal.tally.accepted == 2)

    assert waiting == 0


def test_an_outcome_to_which_nobody_can_add_is_accepted_at_once() -> None:
    journal, tray, clock = Journal(), Tray(), ManualClock()
    with aggregating(journal, tray, clock) as aggregator:
        put(tray, 0)
        tray.press()

        accepted = aggregator.call(GetStanding()).tally.accepted

    assert accepted == 1


def test_what_waits_when_the_run_ends_is_counted() -> None:
    journal, tray, clock = Journal(), Tray(), ManualClock()
    with aggregating(journal, tray, clock) as aggregator:
        put(tray, 0)
        waiting = aggregator.call(GetStanding()).tally.accepted

    assert (waiting, journal.tally.accepted) == (0, 1)
