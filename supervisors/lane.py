"""A thread that runs tasks one after another, each an actor of its own.

Handing each short task to a thread costs more than the task's whole life as an actor.
A lane asks for its next task in the thread that has just ended the last one, so a run
of thousands changes threads only where there is nothing to do.
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from typing import Any, Protocol

from supervisors._leaving import check_not_leaving
from supervisors._roll import Roll
from supervisors._task_actor import TaskActor, TaskLife, move_in
from supervisors._threads import THREADS
from supervisors.errors import ActorDownError, ChildStateError, StartError
from supervisors.exits import NO_PROCESS, Crashed, ExitReason
from supervisors.ref import Ref
from supervisors.scope import work_only_in

LABEL = "a lane of tasks"
"""What errors call a lane."""


class LaneTask(Protocol):
    """One task of a lane."""

    @property
    def label(self) -> str:
        """What errors and pictures call it."""

    @property
    def tags(self) -> Mapping[str, Any]:
        """Values for whoever handles its calls; those of its `Scope`."""

    @property
    def context(self) -> contextvars.Context:
        """The context of which it runs in a copy."""

    def run(self) -> object:
        """Do the work; the actor's one function."""

    def started(self, ref: Ref[Any], /) -> object:
        """Hear of the actor, before its work begins."""

    def ended(self, reason: ExitReason, /) -> object:
        """Hear of its end, exactly once, in the thread that ends it."""


class LaneSource(Protocol):
    """Who has the tasks of one lane. Called in the lane's thread."""

    def next_task(self) -> LaneTask | None:
        """The next task; `None` ends the lane."""

    def refused(self, task: LaneTask, error: Exception, /) -> object:
        """Hear that a task was not begun, because its supervisor takes nobody now.

        The lane has ended then.
        """


def open_lane(source: LaneSource, home: Roll) -> None:
    """Begin a lane on a thread that is used again.

    It ends when `source` has nothing more, when the supervisor takes nobody in, and
    when a task was ended from outside: the thread may be stuck in that task's code, so
    whoever hears of such an end opens another lane.

    Raises:
        ActorDownError: The supervisor has ended.
        StartError: The program is ending, or has no thread left.
    """
    if home.closed:
        raise ActorDownError(LABEL, NO_PROCESS)
    check_not_leaving(LABEL)
    try:
        THREADS.run(lambda: _run(source, home))
    except RuntimeError as error:
        msg = f"{LABEL} did not start: {error}"
        raise StartError(msg, reason=Crashed(error)) from error


def _run(source: LaneSource, home: Roll) -> None:
    # No part of what happened to open it: what is told here counts although the actor
    # that opened the lane may have died since.
    work_only_in()
    while (task := source.next_task()) is not None:
        try:
            life = _run_task(task, home)
        except (ActorDownError, ChildStateError, StartError) as error:
            source.refused(task, error)
            return
        del task
        if life.abandoned_at is not None:
            return


def _run_task(task: LaneTask, home: Roll) -> TaskLife:
    actor = TaskActor(task.run, label=task.label, context=task.context)
    life, ref = actor.life, actor.actor_ref
    life.scope.tags = task.tags
    move_in(life, home)
    life.ended.on_done(lambda ended: task.ended(ended.get()))
    task.started(ref)
    actor.run_here()
    return life
