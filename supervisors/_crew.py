"""The tasks of one stream that run, and the news of their ends."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from typing import Any

from supervisors._future import ReplyFuture
from supervisors._task_actor import TaskLife
from supervisors.clock import Clock
from supervisors.exits import KILLED, ExitReason
from supervisors.scope import open_in_scopes


class Crew:
    """The tasks of one stream that run, and the news of their ends.

    Apart from the stream, so that whoever will be told of an end does not keep alive a
    stream that nobody takes results from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: dict[int, TaskLife] = {}
        self._news: deque[tuple[int, float]] = deque()
        self._bell: ReplyFuture[None] | None = None
        self._halted = False

    def told(self, position: int) -> Callable[[ReplyFuture[ExitReason]], None]:
        """What to call at the end of a task that is about to start."""
        return functools.partial(self._tell, position)

    def add(self, position: int, life: TaskLife) -> None:
        """Take a task in that was started; its end is news, or will be."""
        self._running[position] = life
        if self._halted:
            # The owner died in the middle of this.
            life.end_from_outside(KILLED)

    def news(self) -> list[tuple[int, float, TaskLife]]:
        """Who has ended since the last time, and when."""
        heard = []
        while self._news:
            position, at = self._news.popleft()
            life = self._running.pop(position, None)
            if life is not None:
                heard.append((position, at, life))
        return heard

    def bell(self) -> tuple[ReplyFuture[None], TaskLife]:
        """A promise that is kept at the next news, and whom it will be about."""
        target = next(iter(self._running.values()))
        self._bell = bell = ReplyFuture[None]()
        open_in_scopes(bell)
        if self._news:
            # It came before it was known where to ring.
            bell.resolve(None)
        return bell, target

    def ring(self) -> None:
        """Wake whoever waits: something may have changed."""
        bell = self._bell
        if bell is not None:
            bell.resolve(None)

    def kill(self, position: int) -> None:
        """End a task that is overdue, if it still runs."""
        life = self._running.pop(position, None)
        if life is not None:
            life.end_from_outside(KILLED)

    def halt(self) -> None:
        """End all tasks, and those that come later."""
        self._halted = True
        self.ring()
        for life in tuple(self._running.values()):
            life.end_from_outside(KILLED)
        self._running.clear()

    def owner_ended(self, _ended: ReplyFuture[Any]) -> None:
        """Nobody will take the results."""
        self.halt()

    def _tell(self, position: int, _ended: ReplyFuture[Any]) -> None:
        self._news.append((position, self._clock.monotonic()))
        self.ring()
