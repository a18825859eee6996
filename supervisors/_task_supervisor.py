"""The supervisor of tasks."""

from __future__ import annotations

import dataclasses
from typing import Any

from supervisors._callbacks import Refuse
from supervisors._effects import ChildCounts, ChildState, ChildStatus
from supervisors._messages import AddChild, GetChildren
from supervisors._roll import Roll
from supervisors._shown import Children
from supervisors._stopping import stop_side_by_side
from supervisors._supervising import MAX_ZOMBIES
from supervisors._task_actor import TaskActor
from supervisors.child_spec import ChildSpec, Intensity, Restart, ShutdownPolicy
from supervisors.dynamic import DynamicSupervisorActor
from supervisors.errors import ChildStateError
from supervisors.exits import ExitReason
from supervisors.ref import Ref

TASK_INTENSITY = Intensity(max_restarts=3)
"""Elixir's default: three restarts in five seconds."""


class TaskSupervisorActor(DynamicSupervisorActor):
    """Has two kinds of children: tasks, and tasks that are started again.

    Those that are never started again are on its roll, a table that whoever starts one
    writes into. It starts the others itself, as any dynamic supervisor.
    """

    def __init__(
        self,
        *,
        intensity: Intensity | None = None,
        max_children: int | None = None,
        task_shutdown: ShutdownPolicy = 5.0,
        inject: bool = False,
        max_zombies: int = MAX_ZOMBIES,
    ) -> None:
        """Start with no tasks; see `TaskSupervisor.child_spec` for the options."""
        super().__init__(intensity=intensity or TASK_INTENSITY, max_zombies=max_zombies)
        self._roll = Roll(
            limit=max_children,
            shutdown=task_shutdown,
            injects=inject,
            zombies=self._zombies,
        )
        self.life.roll = self._roll
        self.life.before_end(self._kill_tasks)

    def on_start(self) -> None:
        """Let tasks come."""
        super().on_start()
        self._roll.surroundings = self.surroundings

    def on_receive(self, message: object) -> Any:
        """Count its own children among those that `max_children` allows."""
        if isinstance(message, AddChild):
            try:
                self._roll.keep_place(message.spec.id)
            except ChildStateError as error:
                return Refuse(error)
        try:
            if isinstance(message, GetChildren):
                return self._picture().statuses
            return super().on_receive(message)
        finally:
            self._roll.set_kept(len(self._machine))

    def on_end(self, reason: ExitReason) -> None:
        """Ask all tasks to stop at once, wait for them side by side; then the rest."""
        self._stop_tasks()
        super().on_end(reason)

    def _stop_tasks(self) -> None:
        patience = self._roll.shutdown
        stop_side_by_side((ref, patience) for ref in self._roll.close())

    def _kill_tasks(self, _reason: ExitReason) -> None:
        for ref in self._roll.close():
            ref.kill()

    def _counts(self) -> ChildCounts:
        counts, tasks = super()._counts(), len(self._roll.running())
        return dataclasses.replace(
            counts,
            specs=counts.specs + tasks,
            active=counts.active + tasks,
            workers=counts.workers + tasks,
        )

    def _picture(self) -> Children:
        """What a snapshot shows: the tasks are children like all others."""
        shown = super()._picture()
        tasks = tuple(_status(ref) for ref in self._roll.running())
        return dataclasses.replace(shown, statuses=shown.statuses + tasks)


def _status(ref: Ref[Any]) -> ChildStatus:
    spec = ChildSpec(id=ref.life.label, actor=TaskActor, restart=Restart.TEMPORARY)
    return ChildStatus(spec, ChildState.UP, ref)
