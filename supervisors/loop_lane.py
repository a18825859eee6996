"""A place on an event loop where tasks run one after another, each an actor of its own.

What `supervisors.lane` is for threads: the next task is begun where the last one has
ended, on the loop itself, so a run of thousands wakes the loop only where there was
nothing to do.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any, Protocol

from supervisors._future import ReplyFuture
from supervisors._homes import LoopOwner, soon_on
from supervisors._leaving import check_not_leaving
from supervisors._loop_task import LoopTaskActor
from supervisors._on_loop import LOOP_CLOSED
from supervisors._roll import Roll
from supervisors._task_actor import move_in
from supervisors.errors import ActorDownError, ChildStateError, StartError
from supervisors.exits import NO_PROCESS, ExitReason
from supervisors.ref import Ref

LABEL = "a lane of tasks on a loop"
"""What errors call one."""


class LoopLaneTask(Protocol):
    """One task of a lane on a loop."""

    @property
    def label(self) -> str:
        """What errors and pictures call it."""

    @property
    def tags(self) -> Mapping[str, Any]:
        """Values for whoever handles its calls; those of its `Scope`."""

    @property
    def context(self) -> contextvars.Context:
        """The context of which it runs in a copy."""

    def arun(self) -> Coroutine[Any, Any, object]:
        """Do the work; the actor's one coroutine function."""

    def started(self, ref: Ref[Any], /) -> object:
        """Hear of the actor, before its work begins."""

    def ended(self, reason: ExitReason, /) -> object:
        """Hear of its end, exactly once, in the thread that ends it."""


class LoopLaneSource(Protocol):
    """Who has the tasks of one lane. Called in the loop's thread; never blocks."""

    def next_task(self) -> LoopLaneTask | None:
        """The next task; `None` ends the lane."""

    def refused(self, task: Any, error: Exception, /) -> object:
        """Hear that a task was not begun, because its supervisor takes nobody now.

        The lane has ended then.
        """


def open_loop_lane(source: LoopLaneSource, owner: LoopOwner, home: Roll) -> None:
    """Begin a lane on a loop, from any thread.

    It ends when `source` has nothing more, when the supervisor takes nobody in, and
    when a task was ended from outside: whoever hears of that opens another.

    Raises:
        ActorDownError: The supervisor has ended.
        StartError: The program is ending, or the loop does not run.
    """
    if home.closed:
        raise ActorDownError(LABEL, NO_PROCESS)
    check_not_leaving(LABEL)
    loop = owner.life.loop if isinstance(owner, Ref) else owner
    lane = _LoopLane(source, owner, home)
    # No part of what happened to open it.
    context = contextvars.Context()
    if loop is None or not soon_on(loop, lane.begin, loop, context=context):
        msg = f"{LABEL} did not start: its loop does not run. Give it one that does."
        raise StartError(msg, reason=LOOP_CLOSED)


class _LoopLane:
    """Runs one task after another; a task of the loop from its beginning to its end."""

    def __init__(self, source: LoopLaneSource, owner: LoopOwner, home: Roll) -> None:
        self._source = source
        self._owner = owner
        self._home = home
        # A loop itself does not keep its tasks from being collected.
        self._running: asyncio.Task[None] | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin; called on the loop."""
        self._running = loop.create_task(self._run(), name=LABEL)

    async def _run(self) -> None:
        while (task := self._source.next_task()) is not None:
            actor = self._made(task)
            try:
                move_in(actor.life, self._home)
            except (ActorDownError, ChildStateError, StartError) as error:
                self._source.refused(task, error)
                return
            actor.life.ended.on_done(partial(_tell, task))
            task.started(actor.actor_ref)
            if not await actor.live_here():
                return

    def _made(self, task: LoopLaneTask) -> LoopTaskActor:
        actor = LoopTaskActor(
            task.arun, owner=self._owner, label=task.label, context=task.context
        )
        actor.life.scope.tags = task.tags
        return actor


def _tell(task: LoopLaneTask, ended: ReplyFuture[ExitReason]) -> None:
    task.ended(ended.get())
