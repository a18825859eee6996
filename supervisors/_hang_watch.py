"""Which children have had one message in hand for too long.

A stuck actor is not dead, and nothing tells of it; somebody has to look. A child in a
thread is looked at from outside; an event loop is asked to answer besides, because a
task that blocks it is no message in hand. Holds no clock: the time is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from supervisors._future import ReplyFuture
from supervisors._life import Life
from supervisors.ref import Ref


@dataclass(frozen=True, slots=True)
class Stuck:
    """A child that has been busy for longer than it may."""

    ref: Ref[Any]
    """The incarnation."""
    seconds: float
    """How long one message has been in hand, or the loop has not answered."""


class _Watched:
    """One child that may hang."""

    def __init__(self, ref: Ref[Any], hang_after: float) -> None:
        self.ref = ref
        self.hang_after = hang_after
        self._asked_at = 0.0
        self._answer: ReplyFuture[None] | None = None

    def busy_since(self, now: float) -> float:
        """Since when it has been at what it is at; `now` when it is at nothing."""
        life = self.ref.life
        since = life.in_hand_since if life.in_hand is not None else now
        return min(since, self._silent_since(life, now))

    def _silent_since(self, life: Life, now: float) -> float:
        if life.ping is None:
            return now
        if self._answer is not None and not self._answer.done():
            return self._asked_at
        self._asked_at = now
        self._answer = answer = ReplyFuture[None]()
        life.ping(lambda: answer.resolve(None))
        return now


class HangWatch:
    """The children of one supervisor that may hang; only its thread touches it."""

    def __init__(self) -> None:
        self._watched: dict[Hashable, _Watched] = {}

    def __bool__(self) -> bool:
        return bool(self._watched)

    def watch(self, key: Hashable, ref: Ref[Any], hang_after: float) -> None:
        """Look at this incarnation of a child from now on."""
        self._watched[key] = _Watched(ref, hang_after)

    def forget(self, key: Hashable, ref: Ref[Any]) -> None:
        """This incarnation has ended."""
        watched = self._watched.get(key)
        if watched is not None and watched.ref is ref:
            del self._watched[key]

    def look(self, now: float) -> tuple[tuple[Stuck, ...], float]:
        """Look at all of them.

        Returns:
            Those that have been busy for as long as they may, and how many seconds
            from now the first of the others may be.
        """
        stuck = []
        again = math.inf
        for watched in self._watched.values():
            if watched.ref.life.over():
                continue
            busy_for = now - watched.busy_since(now)
            if busy_for >= watched.hang_after:
                stuck.append(Stuck(watched.ref, busy_for))
            else:
                again = min(again, watched.hang_after - busy_for)
        return tuple(stuck), again
