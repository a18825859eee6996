"""What a supervisor of many instances of one child does next: `simple_one_for_one`.

Pure, and driven as `_decide` describes.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from supervisors import _refusals
from supervisors._decide_common import AutoShutdown, Child
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

_PHANTOM = "phantom"
"""The key of the entry without a child; children have numbers."""


class SimpleMachine(CrowdMachine):
    """Any number of children from one template: OTP's `simple_one_for_one`.

    A child is named by the ref that `Started` brought, never by the template's id.

    A wart of OTP's is kept, because its traces show it: when a child ignores its
    restart, an entry without a ref stays, is counted as active, and never ends. There
    is at most one, and terminating any dead ref takes it away. Not kept is what follows
    there: a supervisor that stops with such an entry crashes and leaves its children.
    """

    def __init__(
        self,
        template: ChildSpec,
        intensity: Intensity | None = None,
        auto_shutdown: AutoShutdown = "never",
        *,
        precise: bool = False,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Check the template; nothing starts.

        Args:
            template: How each child is started, stopped and restarted.
            intensity: How many restarts are allowed; `None` is one in five seconds.
            auto_shutdown: Whether the end of a child ends the supervisor, if the
                template is significant: that of any, or of the last.
            precise: Count restarts in real seconds, not in OTP's whole ones.
            jitter: Returns a number from 0 up to 1; shortens the delays of a `Backoff`.

        Raises:
            ConfigError: The template is significant under a supervisor that never
                shuts down automatically.
        """
        super().__init__(intensity, auto_shutdown, precise=precise, jitter=jitter)
        if template.significant and auto_shutdown == "never":
            raise _refusals.meaningless_significance(template)
        self._template = template

    def start_child(
        self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Steps[Started | Ignored | StartError]:
        """Start the template with arguments appended; kept only if it runs.

        Args:
            args: Go behind the template's own.
            kwargs: Are added to the template's own, and replace those of the same name.
        """
        template = self._template
        spec = dataclasses.replace(
            template,
            args=(*template.args, *args),
            kwargs={**template.kwargs, **(kwargs or {})},
        )
        outcome = yield from self._add(spec)
        if isinstance(outcome, StartFailed):
            return _refusals.did_not_start(spec.id, outcome.reason)
        return outcome

    def terminate_child(
        self, ref: Any, is_alive: Callable[[Any], bool] = lambda _ref: False
    ) -> Steps[ChildNotFoundError | ChildStateError | None]:
        """Stop the child that `ref` runs and forget it; in order for any dead ref.

        A child whose restart waits is known by the ref that ended; its restart is
        called off.

        Args:
            ref: What runs the child. An id is refused.
            is_alive: Asked of a ref that runs no child here: a living one is not found,
                as in OTP. The default takes it for dead.
        """
        if isinstance(ref, str):
            return _refusals.has_one_spec(ref, "terminate_child")
        child = self._by_ref.get(ref)
        if child is not None:
            yield from self._terminate(child)
            return None
        if is_alive(ref):
            return _refusals.runs_no_child(ref)
        self._children.pop(_PHANTOM, None)
        return None

    def restart_child(self, child_id: str) -> Steps[ChildStateError]:
        """Refuse: a child that is down is not kept here."""
        yield from ()
        return _refusals.has_one_spec(child_id, "restart_child")

    def delete_child(self, child_id: str) -> Steps[ChildStateError]:
        """Refuse: the template is the only spec, and stays."""
        yield from ()
        return _refusals.has_one_spec(child_id, "delete_child")

    def spec_of(self, child_id: str) -> ChildSpec | ChildNotFoundError:
        """The template, by its id."""
        if child_id == self._template.id:
            return self._template
        return ChildNotFoundError(child_id, (self._template.id,))

    def count_children(
        self, is_alive: Callable[[Any], bool] = lambda _ref: True
    ) -> ChildCounts:
        """Count the children; there is one spec, however many they are.

        Args:
            is_alive: Asked for each child that is up, with its ref: one may have died
                and the news still be waiting. The default counts all that are up, and
                so does OTP.
        """
        children = self._children.values()
        up = [child for child in children if child.state is ChildState.UP]
        count = len(children)
        has_supervisors = self._template.kind == "supervisor"
        return ChildCounts(
            specs=1,
            active=sum(is_alive(child.ref) for child in up)
            + (_PHANTOM in self._children),
            supervisors=count if has_supervisors else 0,
            workers=0 if has_supervisors else count,
        )

    def _restart_ignored(self) -> None:
        self._children[_PHANTOM] = Child(self._template, _PHANTOM)
