"""The branch of one run: its actors, their order, and what each is given."""

from __future__ import annotations

from dspex.evaluate.running.aggregator import GATHER_FOR, AggregatorActor
from dspex.evaluate.running.belongings import Belongings, Names
from dspex.evaluate.running.coordinator import CoordinatorActor
from dspex.evaluate.running.journal import Journal
from dspex.evaluate.scheduling.source import SourceActor
from supervisors import ChildSpec, Intensity, Restart, SupervisorActor


def run_branch(
    belongings: Belongings, names: Names, journal: Journal, intensity: Intensity
) -> ChildSpec:
    """Describe the branch of a run to the supervisor that begins it.

    Args:
        belongings: What the run's actors share.
        names: By which they find one another.
        journal: Where outcomes are accepted.
        intensity: How often its parts may be restarted until it gives up.
    """
    plan, floor = belongings.plan, belongings.floor
    aggregator = ChildSpec(
        id="aggregator",
        actor=AggregatorActor,
        args=(journal, floor.tray, names.coordinator, belongings.recording),
        kwargs={
            # A steering hears of each outcome before more is begun than it needs.
            "gather_for": GATHER_FOR if plan.steering is None else 0.0,
            "standings": belongings.standings,
        },
        name=names.aggregator,
    )
    source = ChildSpec(
        id="source",
        actor=SourceActor,
        args=(belongings.source, names.coordinator),
        name=names.source,
    )
    coordinator = ChildSpec(
        id="coordinator",
        actor=CoordinatorActor,
        args=(belongings, names),
        name=names.coordinator,
    )
    workers = belongings.workers.child_spec(names.workers, intensity)
    stream = (source,) if belongings.source.is_stream else ()
    return ChildSpec(
        id=f"run {plan.run}",
        actor=SupervisorActor,
        # The coordinator last: it needs the others from its first message on.
        args=((aggregator, workers, *stream, coordinator),),
        kwargs={"intensity": intensity},
        kind="supervisor",
        restart=Restart.TEMPORARY,
    )
