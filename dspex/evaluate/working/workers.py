"""How the work of a run is carried out: on threads, on an event loop, in processes.

The coordinator prepares attempts on the `Floor` and then only says that there is room
for another lane. A lane takes attempts until it gets none. What runs them has to keep
four promises, and may keep them in any way:

- each attempt is an actor of its own, which can be killed (`Attempt.started(ref)`);
- its outcome is handed in with `Floor.propose`, before it ends;
- its end is told with `Attempt.ended(reason)`, exactly once, whoever ends it;
- one that cannot be begun goes back with `Lane.refused`.
"""

from __future__ import annotations

from typing import Protocol

from dspex.evaluate.working.floor import Lane
from supervisors import ChildSpec, Intensity, Registry, TaskSupervisor


class Workers(Protocol):
    """What carries out the work of one run."""

    def child_spec(self, name: str, intensity: Intensity) -> ChildSpec:
        """The spec of the supervisor that the workers live under.

        Args:
            name: Its name in the tree.
            intensity: How many restarts it is allowed.
        """

    def bind(self, registry: Registry, name: str) -> None:
        """Learn where that supervisor is found; called by each new coordinator."""

    opens_from_lanes: bool
    """Whether a lane may be opened from the thread of another; else only the
    coordinator opens them."""

    def open_lane(self, lane: Lane) -> None:
        """Begin to take attempts from `lane`, one at a time, until there is none.

        Returns at once.

        Raises:
            ActorDownError: The supervisor is not there now.
            StartError: Nothing can be started any more.
        """


class ThreadWorkers:
    """Workers as short-lived actors on threads that are used again."""

    opens_from_lanes = True
    _tasks: TaskSupervisor

    def child_spec(self, name: str, intensity: Intensity) -> ChildSpec:
        """The spec of a task supervisor.

        Its tasks are ended at once, not asked to stop: what they do then is void.
        """
        return TaskSupervisor.child_spec(
            "workers", name=name, intensity=intensity, task_shutdown="brutal_kill"
        )

    def bind(self, registry: Registry, name: str) -> None:
        """Hold the task supervisor of that name."""
        self._tasks = TaskSupervisor(registry, name)

    def open_lane(self, lane: Lane) -> None:
        """Let a thread take attempts from the lane."""
        self._tasks.open_lane(lane)
