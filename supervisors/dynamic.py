"""A supervisor for children that come and go: Elixir's `DynamicSupervisor`."""

from __future__ import annotations

from typing import Any

from supervisors._effects import StopChild
from supervisors._life import now
from supervisors.child_spec import ChildSpec, Intensity, Strategy
from supervisors.errors import ChildStateError
from supervisors.exits import ExitReason
from supervisors.supervisor_actor import SupervisorActor, stop


class DynamicSupervisorActor(SupervisorActor):
    """Starts with no children, restarts each on its own, stops all side by side.

    When to use it: children whose number is not known beforehand, such as one worker
    per example. When not: parts that depend on each other's order.
    """

    def __init__(
        self, *, intensity: Intensity | None = None, max_children: int | None = None
    ) -> None:
        super().__init__(strategy=Strategy.ONE_FOR_ONE, intensity=intensity)
        self._max_children = max_children
        self._asked_at: float | None = None

    def _add(self, spec: ChildSpec) -> Any:
        limit = self._max_children
        if limit is not None and len(self._machine.which_children()) >= limit:
            msg = (
                f"this supervisor has {limit} children, its max_children; wait until "
                "one has ended, or allow more."
            )
            return ChildStateError(msg, child_id=spec.id, state="max_children")
        return super()._add(spec)

    def on_end(self, reason: ExitReason) -> None:
        """Ask all children to stop at once, then wait for them side by side."""
        self._asked_at = now()
        for status in self._machine.which_children():
            if status.ref is not None and status.spec.shutdown != "brutal_kill":
                status.ref.shutdown()
        super().on_end(reason)

    def _stop_child(self, effect: StopChild) -> ExitReason:
        policy = effect.shutdown
        if self._asked_at is not None and isinstance(policy, int | float):
            # All were asked at the same moment, so their spans run side by side.
            policy = max(0.0, self._asked_at + policy - now())
        return stop(effect.ref, policy)
