"""What a supervisor's decisions say and hear: values, and nothing that acts.

The machines (`_decide`, `_decide_dynamic`, `_decide_simple`) yield the effects and
return the results; whoever carries the effects out sends the outcomes.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeAlias, TypeVar

from supervisors.child_spec import ChildSpec, ShutdownPolicy
from supervisors.exits import (
    ExitReason,
    FailedToStartChild,
    RestartLimitReached,
    Shutdown,
)


class ChildState(Enum):
    """Where a child stands between two steps of its supervisor."""

    UP = "up"
    """Started, and its end has not been handled yet."""
    DOWN = "down"
    """Not running and nothing is planned; its spec is kept."""
    RESTARTING = "restarting"
    """To be restarted, when the mailbox or the clock comes to it."""


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start a child and answer with a `StartOutcome`."""

    spec: ChildSpec
    """What to start."""
    key: Hashable
    """Names the child to its machine, through all its incarnations; comes back in
    `child_ended` and `retry`."""


@dataclass(frozen=True, slots=True)
class StopChild:
    """Stop a child by its policy, wait for its end, and answer with the `ExitReason`.

    For a child that is dead already the answer is why it ended, at once.
    """

    child_id: str
    """The child."""
    ref: Any
    """What `Started` brought for it."""
    shutdown: ShutdownPolicy
    """How long it may take."""


@dataclass(frozen=True, slots=True)
class StopChildren:
    """Stop children side by side; answer `None` when all have ended.

    All are asked at the same moment, so their spans run together.
    """

    children: tuple[StopChild, ...]
    """How to stop each, in no order that matters."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """See to a later call of the machine's `retry`; answer `None` at once."""

    key: Hashable
    """What to call it with: the child whose restart waits."""
    after: float = 0.0
    """Seconds on the supervisor's clock. 0 puts a message behind all others that wait
    in its mailbox."""


News = Literal[
    "child_exit", "child_restart", "child_start_failed", "child_deleted", "gave_up"
]
"""What a `Report` is about."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell whoever listens; nothing depends on it. Answered with `None`."""

    event: News
    """`child_exit`: ended by itself. `child_restart`: runs again after a restart that
    `reason` caused. `child_start_failed`: a restart did not bring it up. `gave_up`: the
    supervisor ends because of it; its siblings are still up."""
    child_id: str
    """The child it is about."""
    reason: ExitReason | None = None
    """Why, if there is a reason."""


@dataclass(frozen=True, slots=True)
class Started:
    """The child runs."""

    ref: Any
    """Names this incarnation: hashable, and never used again for another."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """The child did not want to run, and that is in order: OTP's `ignore`."""


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The child did not start."""

    reason: ExitReason
    """Why."""


StartOutcome = Started | Ignored | StartFailed
"""How a start went."""

Effect = StartChild | StopChild | StopChildren | RetryLater | Report
"""Everything a machine can ask for."""

Outcome = StartOutcome | ExitReason | None
"""Everything it can be told in return."""

T = TypeVar("T")
Steps: TypeAlias = Generator[Effect, Outcome, T]
"""A step under way: yields effects, is sent outcomes, returns its result."""


@dataclass(frozen=True, slots=True)
class SignificantChildEnded:
    """Why a supervisor that shut itself down automatically did so."""

    child_id: str
    """The significant child that ended last."""
    reason: ExitReason
    """Why it did."""

    def __str__(self) -> str:
        return f"significant child {self.child_id!r} ended ({self.reason})"


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The supervisor must end now. Its children are stopped already."""

    reason: Shutdown
    """What it ends with, as in OTP."""
    cause: FailedToStartChild | RestartLimitReached | SignificantChildEnded
    """What a person wants to know beside that."""


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """One child, as `which_children` shows it."""

    spec: ChildSpec
    """How it is started and stopped."""
    state: ChildState
    """Where it stands."""
    ref: Any
    """What runs it, or `None`."""


@dataclass(frozen=True, slots=True)
class ChildCounts:
    """How many children there are."""

    specs: int
    """All, running or not."""
    active: int
    """Those alive."""
    supervisors: int
    """Those that are supervisors, running or not."""
    workers: int
    """The others, running or not."""
