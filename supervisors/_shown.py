"""What a supervisor shows of its children, for the picture of the tree."""

from __future__ import annotations

from dataclasses import dataclass

from supervisors._effects import ChildStatus
from supervisors._life import Life
from supervisors.exits import ExitReason

HISTORY = 100
"""How many past restarts a supervisor remembers for its picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRecord:
    """One restart, for the picture of the tree."""

    child_id: str
    """The child."""
    at: float
    """Seconds on the tree's clock."""
    reason: ExitReason
    """Why the child had ended."""


@dataclass(frozen=True, slots=True)
class Children:
    """What a supervisor shows of its children."""

    statuses: tuple[ChildStatus, ...] = ()
    """In start order."""
    restarts: int = 0
    """Restarts made since the supervisor started."""
    history: tuple[RestartRecord, ...] = ()
    """The latest restarts, oldest first."""
    zombies: tuple[Life, ...] = ()
    """Dead children whose threads have not left their code."""
