"""What a schedule is told, and what it says is to be done: values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from dspex.evaluate.results.outcome import Stage, Stamp
from dspex.evaluate.running.journal import Tally
from dspex.evaluate.running.plan import Ended
from dspex.evaluate.scheduling.errors_allowed import ErrorLimit
from dspex.evaluate.scheduling.lost import Verdict
from dspex.evaluate.scheduling.outage import Sign
from dspex.evaluate.scheduling.quarantine import Death
from dspex.evaluate.scheduling.steering import Course

Key = tuple[int, int]
"""Example and trial."""

_NO_ATTEMPTS: Mapping[Key, int] = MappingProxyType({})


# What happened.


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """So many examples of the stream have been taken in all."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnded:
    """The stream has no more."""

    count: int
    """How many it gave in all."""
    error: BaseException | None = None
    """What it raised instead of ending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """These places have their outcome."""

    keys: Sequence[Key]
    tally: Tally
    """How the run stands with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLost:
    """A worker ended without an outcome."""

    stamp: Stamp
    begun: tuple[str, ...] = ()
    """What it had begun that is marked `retry=False`."""
    overdue: Stage | None = None
    """In whose code it was when its time was over, if it was ended for that."""
    sign: Sign | None = None
    """The outage that it waited for until then, if it did."""
    deaths: tuple[Death, ...] = ()
    """How each of its example's workers died, this one included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameBack:
    """An attempt came to an end that does not count."""

    stamp: Stamp
    wait: float = 0.0
    """Seconds until its example is tried again."""
    sign: Sign | None = None
    """The outage that it failed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageBegan:
    """Something all need is not there; whoever says so says when it is back."""

    sign: Sign


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageEnded:
    """It is back."""

    what: str
    """What was not there; see `Sign.what`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed: see `WakeAt`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Hand nothing out until `Resume`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Hand out again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetInHand:
    """Another number of workers, from now on."""

    in_hand: int
    """See `Plan.in_hand`."""
    configuration: int
    """For the stamps from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steer:
    """The run's steering has set its course."""

    course: Course


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End now, whatever is in hand."""

    ended: Ended


Happened = (
    Arrived | StreamEnded | Settle | WorkerLost | CameBack | OutageBegan | OutageEnded
    | Tick | Pause | Resume | SetInHand | Steer | Stop
)  # fmt: skip


# What is to be done.


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOut:
    """Prepare these attempts; the workers take them in this order."""

    stamps: Sequence[Stamp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Take examples from the stream until there have been so many."""

    upto: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Let workers take nothing of what is prepared, or let them again."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LetThrough:
    """Prepare this attempt and let a worker take it, and nothing else."""

    stamp: Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeAt:
    """Come back with a `Tick` then."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Begin these attempts no more, and give them up where they have begun."""

    keys: Sequence[Key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """Propose an outcome for an attempt whose worker cannot."""

    stamp: Stamp
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Give up what is in hand; the run is over."""

    ended: Ended


Effect = HandOut | Fetch | Hold | LetThrough | WakeAt | Withdraw | Propose | End


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a schedule keeps to."""

    run: str
    """Names the run."""
    in_hand: int
    """Attempts prepared, running, or not yet accepted, at a time."""
    total: int | None
    """How many examples there are; `None` for a stream."""
    trials: int = 1
    """How often each is measured."""
    timeout: float | None = None
    """Seconds for one attempt, to say so."""
    metric_timeout: float | None = None
    """Seconds for its metric, to say so."""
    max_errors: ErrorLimit | None = None
    """Failures after which to end; `None` for no limit."""
    max_outage: float = math.inf
    """Seconds after which an outage ends the run."""
    is_steered: bool = False
    """Whether a steering says how far to go, and failures end nothing."""
    attempts: Mapping[Key, int] = field(default_factory=lambda: _NO_ATTEMPTS)
    """The last attempt that an earlier run made, where it made one."""
