"""Workers on an event loop: each attempt at an example is a short-lived actor there.

For async programs and metrics. An attempt that is given up is cancelled for real: what
it awaits raises `CancelledError`, and its calls to models are withdrawn.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any

from dspex.evaluate.working.floor import Lane
from supervisors import (
    ChildSpec,
    EventLoopActor,
    ExitReason,
    Intensity,
    Ref,
    Registry,
    Strategy,
    SupervisorActor,
    TaskSupervisor,
)
from supervisors.exits import NO_PROCESS

LOOP_HANGS_AFTER = 10.0
"""Seconds a run's own loop may stand still before another takes its place."""


class LoopWorkers:
    """Workers as short-lived actors on one event loop; see `workers.Workers`.

    Args:
        loop: The caller's running loop. `None` gives the run one of its own under its
            supervisor, which is replaced when somebody blocks it for too long.
    """

    opens_from_lanes = False
    _tasks: TaskSupervisor
    _registry: Registry

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop
        self._owner_name = ""
        # Lanes that wait for their first turn on the loop of `_owner`, the oldest
        # first. Only the coordinator adds; whoever ends the loop takes all.
        self._waiting: deque[Lane] = deque()
        self._owner: Ref[Any] | None = None

    def child_spec(self, name: str, intensity: Intensity) -> ChildSpec:
        """The spec of a task supervisor; with a loop before it where that is ours.

        Its tasks are ended at once, not asked to stop: what they do then is void.
        """
        tasks = TaskSupervisor.child_spec(
            "workers", name=name, intensity=intensity, task_shutdown="brutal_kill"
        )
        if self._loop is not None:
            return tasks
        loop = ChildSpec(
            id="loop",
            actor=EventLoopActor,
            name=f"{name}/loop",
            hang_after=LOOP_HANGS_AFTER,
            shutdown="brutal_kill",
        )
        return ChildSpec(
            id="workers",
            actor=SupervisorActor,
            args=((loop, tasks),),
            kwargs={"strategy": Strategy.REST_FOR_ONE, "intensity": intensity},
            kind="supervisor",
        )

    def bind(self, registry: Registry, name: str) -> None:
        """Hold the task supervisor of that name."""
        self._registry = registry
        self._tasks = TaskSupervisor(registry, name)
        self._owner_name = f"{name}/loop"

    def open_lane(self, lane: Lane) -> None:
        """Let the loop take attempts from the lane."""
        if self._loop is not None:
            self._tasks.open_lane_on(self._loop, lane)
            return
        owner = self._registry.resolve(self._owner_name)
        if owner is not self._owner:
            self._owner = owner
            owner.monitor(self._loop_ended)
        self._tasks.open_lane_on(owner, lane)
        while self._waiting and self._waiting[0].begun:
            self._waiting.popleft()
        self._waiting.append(lane)
        if not owner.is_alive():
            # It may have ended before this lane was among those that wait.
            self._loop_ended(NO_PROCESS)

    def _loop_ended(self, _reason: ExitReason) -> None:
        """Give lanes up that had no turn on the loop and never will."""
        with contextlib.suppress(IndexError):
            while True:
                lane = self._waiting.popleft()
                if not lane.begun:
                    lane.give_up()
