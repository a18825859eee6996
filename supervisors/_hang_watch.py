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
        self._doubted = False

    def stuck_for(self, now: float) -> float:
        """How many seconds it has been at what it is at; 0 when it is at nothing."""
        life = self.ref.life
        in_hand_for = 0.0 if life.in_hand is None else now - life.in_hand_since
        return max(in_hand_for, self._silent_for(life, now))

    def again_in(self, stuck_for: float) -> float:
        """Seconds until it may be stuck, if nothing changes."""
        if self._doubted:
            return self.hang_after * DOUBT
        return self.hang_after - stuck_for

    def _silent_for(self, life: Life, now: float) -> float:
        """How long its loop has not answered, once that was seen twice.

        Twice, because time may jump, for one that is wound by hand or after a machine
        stood still, and then the answer is a moment away.
        """
        ping = life.ping
        if ping is None:
            return 0.0
        if self._answer is None or self._answer.done():
            self._asked_at, self._doubted = now, False
            self._answer = answer = ReplyFuture[None]()
            ping(lambda: answer.resolve(None))
            return 0.0
        silent_for = now - self._asked_at
        if silent_for < self.hang_after:
            return silent_for
        first_time, self._doubted = not self._doubted, True
        return 0.0 if first_time else silent_for


DOUBT = 0.1
"""The part of `hang_after` after which a silent loop is looked at a second time."""


class HangWatch:
    """The children of one supervisor that may hang; only its thread touches it."""

    def __init__(self) -> None:
        self._watched: dict[Hashable, _Watched] = {}

    def watch(
        self, key: Hashable, ref: Ref[Any], hang_after: float, now: float
    ) -> None:
        """Look at this incarnation of a child from now on."""
        self._watched[key] = watched = _Watched(ref, hang_after)
        # Asks its event loop, if it has one: the answer is due at the first look.
        watched.stuck_for(now)

    def forget(self, key: Hashable, ref: Ref[Any]) -> None:
        """This incarnation has ended."""
        watched = self._watched.get(key)
        if watched is not None and watched.ref is ref:
            del self._watched[key]

    def look(self, now: float) -> tuple[tuple[Stuck, ...], float]:
        """Look at all of them.

        Returns:
            Those that have been busy for as long as they may, and how many seconds
            from now the first of the others may be; infinite when there are no others.
        """
        stuck = []
        again = math.inf
        for watched in self._watched.values():
            if watched.ref.life.over():
                continue
            stuck_for = watched.stuck_for(now)
            if stuck_for >= watched.hang_after:
                stuck.append(Stuck(watched.ref, stuck_for))
            else:
                again = min(again, watched.again_in(stuck_for))
        return tuple(stuck), again
