"""What a supervisor of children that come and go does next: Elixir's rules.

Pure, and driven as `_decide` describes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from supervisors import _refusals
from supervisors._decide_crowd import CrowdMachine
from supervisors._effects import (
    ChildCounts,
    ChildState,
    Ignored,
    Started,
    StartFailed,
    Steps,
)
from supervisors.child_spec import ChildSpec, Intensity
from supervisors.errors import ChildNotFoundError, ChildStateError, StartError


class DynamicMachine(CrowdMachine):
    """The children of an Elixir `DynamicSupervisor`, each with a spec of its own.

    The ids of specs are for people and may repeat: a child is named by the ref that
    `Started` brought. A child that ends for good is forgotten with its spec. What a
    spec says of significance means nothing here, as in the Elixir whose traces are
    followed (1.14); later ones refuse it.

    Example:
        >>> from supervisors.actor import Actor
        >>> machine = DynamicMachine(max_children=1)
        >>> steps = machine.start_child(ChildSpec(id="job", actor=Actor))
        >>> next(steps).key
        1
        >>> steps.send(Started("first incarnation"))
        Traceback (most recent call last):
        StopIteration: Started(ref='first incarnation')
        >>> len(machine)
        1
    """

    def __init__(
        self,
        intensity: Intensity | None = None,
        max_children: int | None = None,
        *,
        precise: bool = False,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Start with no children.

        Args:
            intensity: How many restarts are allowed; `None` is one in five seconds.
            max_children: How many children there may be at once; `None` is any number.
            precise: Count restarts in real seconds, not in OTP's whole ones.
            jitter: Returns a number from 0 up to 1; shortens the delays of a `Backoff`.

        Raises:
            ConfigError: `max_children` is negative.
        """
        super().__init__(intensity, "never", precise=precise, jitter=jitter)
        if max_children is not None and max_children < 0:
            raise _refusals.negative_max_children(max_children)
        self._max_children = max_children

    def __len__(self) -> int:
        """The children that count against `max_children`: up or to be restarted."""
        return len(self._children)

    def start_child(
        self, spec: ChildSpec
    ) -> Steps[Started | Ignored | ChildStateError | StartError]:
        """Start a child; it is kept only if it runs."""
        limit = self._max_children
        if limit is not None and len(self) >= limit:
            return _refusals.too_many_children(spec.id, limit)
        outcome = yield from self._add(spec)
        if isinstance(outcome, StartFailed):
            return _refusals.did_not_start(spec.id, outcome.reason)
        return outcome

    def terminate_child(self, ref: Any) -> Steps[ChildNotFoundError | None]:
        """Stop the child that `ref` runs and forget it.

        A child whose restart waits is known by the ref that ended; its restart is
        called off.
        """
        child = self._by_ref.get(ref)
        if child is None:
            return _refusals.runs_no_child(ref)
        yield from self._terminate(child)
        return None

    def count_children(
        self, is_alive: Callable[[Any], bool] = lambda _ref: True
    ) -> ChildCounts:
        """Count the children.

        Args:
            is_alive: Asked for each child that is up, with its ref: one may have died
                and the news still be waiting. The default counts all that are up, and
                so does Elixir.
        """
        children = self._children.values()
        up = [child for child in children if child.state is ChildState.UP]
        supervisors = sum(child.spec.kind == "supervisor" for child in children)
        return ChildCounts(
            specs=len(children),
            active=sum(is_alive(child.ref) for child in up),
            supervisors=supervisors,
            workers=len(children) - supervisors,
        )

    def _restart_ignored(self) -> None:
        """Nothing is left of it, as in Elixir."""
