"""Where those live who live on an event loop, and that they end with its owner."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

from supervisors._future import ReplyFuture
from supervisors._life import Life
from supervisors.exits import ExitReason
from supervisors.ref import Ref

LoopOwner = Ref[Any] | asyncio.AbstractEventLoop
"""Where an actor can live: with an `EventLoopActor`, or on a running loop of yours."""


class Home:
    """Who lives on the loop of an `EventLoopActor`, and ends with it."""

    def __init__(self, owner: Life) -> None:
        self._owner = owner
        self._watching = False
        # Additions and removals are single steps: whoever takes one out ends it.
        self._residents: dict[Life, None] = {}

    def move_in(self, life: Life) -> None:
        """End that life when the owner of the loop ends, with the same reason."""
        self._residents[life] = None
        if not self._watching:
            # Only now: the owner's supervisor watches it by this time, and hears of
            # the owner's end before it hears of theirs.
            self._watching = True
            self._owner.ended.on_done(self._end_all)
        elif self._owner.ended.done():
            self._end_all(self._owner.ended)

    def move_out(self, life: Life) -> None:
        """That life is over."""
        self._residents.pop(life, None)

    def _end_all(self, ended: ReplyFuture[ExitReason]) -> None:
        reason = ended.get()
        while self._residents:
            try:
                life, _ = self._residents.popitem()
            except KeyError:
                return
            life.end_from_outside(reason)


HOMES: dict[asyncio.AbstractEventLoop, Home] = {}
"""The loops that have an owner. Each is put here and taken out in its own thread."""


class Lodging:
    """Where one actor lives, from the finding of its loop to its own end."""

    __slots__ = ("_home", "_life", "_owner")

    def __init__(self, owner: LoopOwner | None, life: Life) -> None:
        self._owner = owner
        self._life = life
        self._home: Home | None = None

    def find(self) -> asyncio.AbstractEventLoop | None:
        """Move in on the owner's loop; `None` when there is none that runs."""
        owner = self._owner
        loop = owner.life.loop if isinstance(owner, Ref) else owner
        self._home = home = None if loop is None else HOMES.get(loop)
        if home is not None:
            home.move_in(self._life)
        elif isinstance(owner, Ref):
            # Its owner ended at this moment.
            return None
        return loop

    def leave(self) -> None:
        """Move out. Twice is as good as once."""
        if self._home is not None:
            self._home.move_out(self._life)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def soon_on(
    loop: asyncio.AbstractEventLoop,
    work: Callable[..., object],
    *args: Any,
    context: contextvars.Context,
) -> bool:
    """Have a loop call `work` in that context; `False` when it has closed."""
    if loop is running_loop():
        # It is awake.
        loop.call_soon(work, *args, context=context)
        return True
    try:
        loop.call_soon_threadsafe(work, *args, context=context)
    except RuntimeError:
        return False
    return True
