"""What an actor gets from the tree it is started in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supervisors.clock import Clock
from supervisors.events import Events
from supervisors.registry import Registry

if TYPE_CHECKING:
    from supervisors.ref import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an actor gets from the tree it is started in."""

    registry: Registry
    """The tree's names."""
    events: Events
    """Where the tree's events go."""
    clock: Clock
    """The tree's time."""
    path: tuple[str, ...] = ()
    """Ids from the root down to this actor."""
    parent: Ref[Any] | None = None
    """The supervisor, or `None` for a root."""
