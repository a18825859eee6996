"""The tasks that run under one supervisor, as a table that any thread may change.

A task is never restarted, so its supervisor has nothing to decide at its start or end.
Asking it all the same would cost two switches of threads for each task; the table costs
none. The registry is a table for the same reason.
"""

from __future__ import annotations

import threading
from typing import Any

from supervisors._life import Life
from supervisors._zombies import Zombies
from supervisors.child_spec import ShutdownPolicy
from supervisors.errors import ChildStateError, StartError
from supervisors.exits import Failed
from supervisors.ref import Ref
from supervisors.surroundings import Surroundings


class Roll:
    """Who runs now, who may still come, and whether anybody may.

    Closed exactly once, by the end of the supervisor: a task that comes later is
    refused, and one that came before is in what `close` returns.
    """

    def __init__(
        self,
        *,
        limit: int | None,
        shutdown: ShutdownPolicy,
        injects: bool,
        zombies: Zombies,
    ) -> None:
        self._limit = limit
        self.closed = False
        """Whether the supervisor has ended."""
        # Protects all fields from those who come, so that the limit is strict and
        # nobody comes after the closing. Whoever leaves takes one step and no lock.
        self._lock = threading.Lock()
        self._running: dict[Life, Ref[Any]] = {}
        self._kept = 0
        self._zombies = zombies
        self.shutdown = shutdown
        """How long a task may take to stop when its supervisor stops."""
        self.injects = injects
        """Whether a task that is killed gets an exception thrown into its thread."""
        self.surroundings: Surroundings | None = None
        """What the supervisor got from its tree; set before it is known to anybody."""

    def enter(self, life: Life) -> bool:
        """Take a task in; `False` when the supervisor has ended.

        Raises:
            ChildStateError: So many run already; `.state` is `max_children`.
            StartError: So many that were given up go on in their threads.
        """
        with self._lock:
            if self.closed:
                return False
            if self._zombies.present():
                self._check_zombies(life.label)
            if self._limit is not None:
                self._check_room(life.label)
            self._running[life] = life.ref
        return True

    def note_zombie(self, life: Life) -> int:
        """Count a dead task whose thread goes on; how many, or 0 for no change."""
        with self._lock:
            noted = self._zombies.note(life)
        return len(self._zombies.present()) if noted else 0

    def leave(self, life: Life) -> None:
        """Strike a task off that has ended."""
        self._running.pop(life, None)

    def keep_place(self, child_id: str) -> None:
        """Count a child that the supervisor itself is about to start and restart.

        Raises:
            ChildStateError: So many run already.
        """
        with self._lock:
            self._check_room(child_id)
            self._kept += 1

    def set_kept(self, count: int) -> None:
        """Say how many children the supervisor itself has."""
        with self._lock:
            self._kept = count

    def close(self) -> tuple[Ref[Any], ...]:
        """Take nobody in any more; those who still run, the oldest first."""
        with self._lock:
            self.closed = True
            return tuple(self._running.values())

    def running(self) -> tuple[Ref[Any], ...]:
        """The tasks that have not ended, the oldest first."""
        with self._lock:
            refs = tuple(self._running.values())
        # One whose end is being told at this moment has not been struck off yet.
        return tuple(ref for ref in refs if ref.is_alive())

    def _check_zombies(self, child_id: str) -> None:
        trouble = self._zombies.too_many()
        if trouble is not None:
            msg = f"{child_id!r} was not started: {trouble}."
            raise StartError(msg, reason=Failed(trouble))

    def _check_room(self, child_id: str) -> None:
        limit = self._limit
        if limit is None or len(self._running) + self._kept < limit:
            return
        msg = (
            f"this task supervisor runs {limit} tasks, its max_children; {child_id!r} "
            "was not started. Wait until one has ended, or allow more."
        )
        raise ChildStateError(msg, child_id=child_id, state="max_children")
