"""What of a run its actors share and what its caller wants: values, and who is who."""

from __future__ import annotations

from dataclasses import dataclass

from dspex.evaluate.running.comebacks import Comebacks
from dspex.evaluate.running.plan import Ended, Plan
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.running.signs import Standings
from dspex.evaluate.running.why import Planned
from dspex.evaluate.scheduling.outage import Outage
from dspex.evaluate.scheduling.source import Source
from dspex.evaluate.working.floor import Floor
from dspex.evaluate.working.workers import Workers
from supervisors import ReplyFuture


@dataclass(slots=True)
class Wishes:
    """What the run's caller wants. Set from any thread, obeyed at the next message."""

    is_cancelled: bool = False
    """Give everything up."""
    is_paused: bool = False
    """Begin nothing until this is false again."""
    paused_at: float | None = None
    """When that was wished, on the tree's clock."""
    concurrency: int | None = None
    """Workers at a time, where that was changed."""
    configuration: int = 1
    """How often it was changed, and once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a run has yet to hand out, at one moment."""

    planned: tuple[Planned, ...]
    """What is tried again."""
    next_example: int
    """The first example that was not handed out."""
    not_handed_out: int | None
    """How many were not, trials counted one by one; `None` for a stream."""
    outages: tuple[Outage, ...]
    """Why nothing is handed out, besides a pause."""
    at: float
    """The moment, in monotonic seconds."""


def nothing_known(at: float) -> Outlook:
    """Return what is said of the rest when the coordinator does not say it.

    Args:
        at: The moment, in monotonic seconds.
    """
    return Outlook(planned=(), next_example=0, not_handed_out=0, outages=(), at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What of a run outlives its coordinators."""

    plan: Plan
    """What was ordered."""
    floor: Floor
    """What is in hand."""
    source: Source
    """Where the examples come from."""
    comebacks: Comebacks
    """What is being tried again; only read here."""
    wishes: Wishes
    """What its caller wants."""
    workers: Workers
    """How the work is carried out."""
    recording: Recording | None
    """What is written of it, if anything."""
    finished: ReplyFuture[Ended]
    """Kept when the run is over."""
    standings: Standings
    """Asks the clients what holds calls up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a run's actors are called."""

    run: str

    @property
    def aggregator(self) -> str:
        """Who accepts outcomes."""
        return f"run {self.run}/aggregator"

    @property
    def coordinator(self) -> str:
        """Who hands out work."""
        return f"run {self.run}/coordinator"

    @property
    def workers(self) -> str:
        """Whom the workers live under."""
        return f"run {self.run}/workers"

    @property
    def source(self) -> str:
        """Who takes from a stream."""
        return f"run {self.run}/source"
