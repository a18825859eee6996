"""How often any part of a runtime's tree was restarted.

A picture of the tree cannot say it: what was restarted goes with its branch, as that of
an evaluation does at its end.
"""

from __future__ import annotations

import threading

from supervisors import Event, Events
from supervisors.events import CHILD_RESTART


class RestartCount:
    """Counts the restarts below one place of a tree, for as long as it listens."""

    def __init__(self) -> None:
        self.value = 0
        """Restarts so far; it never goes down."""
        self._below: tuple[str, ...] = ()
        self._events: Events | None = None
        # Supervisors of several threads may restart a child at once.
        self._lock = threading.Lock()

    def listen(self, events: Events, below: tuple[str, ...] = ()) -> None:
        """Count what is told there, instead of wherever it listened before.

        Args:
            events: Those of the tree.
            below: The path of the supervisor at the top; by default the whole tree's.
        """
        self.leave()
        self._events, self._below = events, below
        events.attach(self._on_restart, CHILD_RESTART, handler_id=self)

    def leave(self) -> None:
        """Count nothing more; what was counted stays."""
        if self._events is not None:
            self._events.detach(self)
            self._events = None

    def _on_restart(self, event: Event) -> None:
        if event.metadata["path"][: len(self._below)] == self._below:
            with self._lock:
                self.value += 1
