"""Ties between two lives: the end of one reaches the other as an exit signal.

Whoever takes a tie off tells the end, and takes the signal to its effect in the same
step. So each end is told exactly once, and after `untie` nothing comes any more.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING

from supervisors.exits import ExitReason

if TYPE_CHECKING:
    from supervisors._life import Life

# Protects the `links` of all lives together: a tie is two entries and one fact.
# Reentrant, because a signal handler or a finaliser may interrupt its holder.
_ties = threading.RLock()


class _Here(threading.local):
    ends: deque[tuple[Life, ExitReason]] | None = None
    """The ends this thread is telling; those that follow from them queue behind."""


_here = _Here()


def tie(life: Life, other: Life) -> bool:
    """Tie two lives; `False` when the other is over, nothing when they are tied."""
    with _ties:
        if other in life.links:
            return True
        life.links[other] = other.links[life] = None
        # Tied first and looked at second: an end that comes after the look finds the
        # tie. What a dead actor's code ties is void.
        if other.over() or life.over():
            del life.links[other], other.links[life]
            return life.over()
        return True


def untie(life: Life, other: Life) -> None:
    """Untie two lives; the end of one does nothing to the other from now on."""
    with _ties:
        life.links.pop(other, None)
        other.links.pop(life, None)


def tell_tied(life: Life, reason: ExitReason) -> None:
    """Tell all that are tied to `life` of its end.

    One after the other and not nested, so that a chain of ties may be of any length.
    """
    if _here.ends is not None:
        _here.ends.append((life, reason))
        return
    _here.ends = ends = deque([(life, reason)])
    try:
        while ends:
            _tell(*ends.popleft())
    finally:
        _here.ends = None


def _tell(life: Life, reason: ExitReason) -> None:
    while True:
        with _ties:
            if not life.links:
                return
            peer, _ = life.links.popitem()
            del peer.links[life]
            ends = peer.struck_by(reason, life)
        if ends:
            peer.void(reason)


def _forget_holder() -> None:
    """In a forked child, where whoever held the lock never was."""
    global _ties  # noqa: PLW0603 - the one lock of this module
    _ties = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_holder)
