"""Who is alive in this process, and which threads are still in a dead actor's code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisors._life import Life

# Sets of plain objects: add and discard are atomic, copies are taken for reading.
_alive: set[Life] = set()
_zombies: set[Life] = set()


def joined(life: Life) -> None:
    """An actor starts."""
    _alive.add(life)


def left(life: Life) -> None:
    """An actor has ended."""
    _alive.discard(life)


def zombie(life: Life) -> None:
    """An actor was given up while its thread was inside a callback."""
    _zombies.add(life)


def ended(life: Life) -> None:
    """The thread of a dead actor has left its code."""
    _zombies.discard(life)
    # One that was killed before its thread began has joined after it left.
    _alive.discard(life)


def alive() -> tuple[Life, ...]:
    """The actors that have not ended, in no order."""
    return tuple(_alive.copy())


def zombies() -> tuple[Life, ...]:
    """The dead actors whose threads are still busy, in no order."""
    return tuple(_zombies.copy())


def _lose_in_fork() -> None:
    for life in _alive.copy():
        life.lose_in_fork()
    _alive.clear()
    _zombies.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_lose_in_fork)
