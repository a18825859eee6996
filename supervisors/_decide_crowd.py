"""What the machines of many alike children share: each child is on its own.

There is no order among these children, nothing is kept of one that has ended, and
nothing here takes longer because there are more of them, except to stop them all or
to list them.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from supervisors._decide_common import (
    AutoShutdown,
    Child,
    RestartingMachine,
    start_of,
    stop_of,
)
from supervisors._effects import (
    ChildState,
    ChildStatus,
    Report,
    Started,
    StartFailed,
    StartOutcome,
    Steps,
    StopChildren,
)
from supervisors.child_spec import ChildSpec, Intensity


class CrowdMachine(RestartingMachine):
    """Children that are named by what runs them, and stopped side by side."""

    def __init__(
        self,
        intensity: Intensity | None,
        auto_shutdown: AutoShutdown,
        *,
        precise: bool,
        jitter: Callable[[], float],
    ) -> None:
        super().__init__(intensity, auto_shutdown, precise=precise, jitter=jitter)
        self._serials = itertools.count(1)
        # The children by their latest incarnation. One that waits for its restart is
        # still known by the incarnation that ended, as in OTP.
        self._by_ref: dict[Any, Child] = {}

    def start(self) -> Steps[None]:
        """Start nothing: the children come later."""
        yield from ()

    def stop(self) -> Steps[None]:
        """Stop all children side by side. They are listed as down afterwards."""
        children = self._children.values()
        running = [child for child in children if child.state is ChildState.UP]
        if running:
            yield StopChildren(tuple(stop_of(child) for child in running))
        self._by_ref.clear()
        for child in children:
            child.state = ChildState.DOWN

    def which_children(self) -> tuple[ChildStatus, ...]:
        """All children, in no order that matters."""
        # Copied in one step: pictures of the tree are taken from other threads.
        children = tuple(self._children.values())
        return tuple(child.status() for child in children)

    def _add(self, spec: ChildSpec) -> Steps[StartOutcome]:
        """Start a new child, and keep it if it runs."""
        child = Child(spec, next(self._serials))
        outcome = yield from start_of(child)
        if isinstance(outcome, Started):
            self._children[child.key] = child
            self._take_up(child, outcome.ref)
        return outcome

    def _terminate(self, child: Child) -> Steps[None]:
        """Stop a child, or call its restart off, and forget it."""
        if child.state is ChildState.UP:
            yield stop_of(child)
        self._settle(child)

    def _settle(self, child: Child) -> None:
        del self._children[child.key]
        del self._by_ref[child.ref]

    def _stop_for(self, child: Child) -> Steps[None]:
        del child
        yield from ()

    def _start_again(self, child: Child) -> Steps[Child | None]:
        outcome = yield from start_of(child)
        if isinstance(outcome, StartFailed):
            child.cause = outcome.reason
            return child
        if isinstance(outcome, Started):
            del self._by_ref[child.ref]
            self._take_up(child, outcome.ref)
            yield Report("child_restart", child.spec.id, child.cause)
        else:
            self._settle(child)
            self._restart_ignored()
        return None

    @abstractmethod
    def _restart_ignored(self) -> None:
        """Hear that a child was forgotten because it ignored its restart."""

    def _all_significant_ended(self) -> bool:
        return not self._children

    def _take_up(self, child: Child, ref: Any) -> None:
        child.state = ChildState.UP
        child.ref = ref
        self._by_ref[ref] = child
