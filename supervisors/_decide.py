"""What a supervisor does next: OTP's rules for a static list of children.

Pure: no actor, no thread and no clock. A machine decides and someone else acts. Each
of its steps is a generator that yields effects (start this, stop that), is sent the
outcome of each, and returns the result. The supervisor actor carries effects out for
real; the replay of Erlang's traces in the tests carries them out in a pretended world.

```python
steps = machine.child_ended("cache", ref, reason, now)
try:
    effect = next(steps)
    while True:
        effect = steps.send(carry_out(effect))
except StopIteration as done:
    result = done.value
```

Run one step to its end before the next begins: a supervisor does one thing at a time,
and what happens meanwhile waits in its mailbox.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from supervisors import _refusals
from supervisors._decide_common import (
    AutoShutdown,
    Child,
    RestartingMachine,
    start_of,
    stop_of,
)
from supervisors._effects import (
    ChildCounts,
    ChildState,
    ChildStatus,
    Effect,
    GaveUp,
    Ignored,
    Outcome,
    Report,
    RetryLater,
    SignificantChildEnded,
    StartChild,
    Started,
    StartFailed,
    StartOutcome,
    Steps,
    StopChild,
    StopChildren,
)
from supervisors.child_spec import ChildSpec, Intensity, Restart, Strategy
from supervisors.errors import (
    ChildNotFoundError,
    ChildStateError,
    ConfigError,
    StartError,
)
from supervisors.exits import ExitReason, FailedToStartChild, Shutdown

# A driver needs this module only: the vocabulary comes with it.
__all__ = (
    "AutoShutdown",
    "ChildCounts",
    "ChildState",
    "ChildStatus",
    "Effect",
    "GaveUp",
    "Ignored",
    "Machine",
    "Outcome",
    "Report",
    "RetryLater",
    "SignificantChildEnded",
    "StartChild",
    "StartFailed",
    "StartOutcome",
    "Started",
    "Steps",
    "StopChild",
    "StopChildren",
)


class Machine(RestartingMachine):
    """The children of one supervisor, in start order, and OTP's rules over them.

    Example:
        A child is started, crashes, and is asked for again:

        >>> from supervisors.actor import Actor
        >>> from supervisors.exits import KILLED
        >>> machine = Machine([ChildSpec(id="clock", actor=Actor)])
        >>> steps = machine.start()
        >>> isinstance(next(steps), StartChild)
        True
        >>> steps.send(Started("first incarnation"))
        Traceback (most recent call last):
        StopIteration
        >>> steps = machine.child_ended("clock", "first incarnation", KILLED, now=0.0)
        >>> next(steps)
        Report(event='child_exit', child_id='clock', reason=Killed())
        >>> isinstance(next(steps), StartChild)
        True
    """

    def __init__(
        self,
        specs: Iterable[ChildSpec] = (),
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity | None = None,
        auto_shutdown: AutoShutdown = "never",
        *,
        precise: bool = False,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Check the specs; nothing starts before `start`.

        Args:
            specs: The children in start order.
            strategy: Which children a restart takes along.
            intensity: How many restarts are allowed; `None` is one in five seconds.
            auto_shutdown: Whether ends of significant children end the supervisor.
            precise: Count restarts in real seconds, not in OTP's whole ones.
            jitter: Returns a number from 0 up to 1; shortens the delays of a `Backoff`.

        Raises:
            ConfigError: Two children share an id, or a child is significant under a
                supervisor that never shuts down automatically.
        """
        super().__init__(intensity, auto_shutdown, precise=precise, jitter=jitter)
        self._strategy = strategy
        for spec in specs:
            self._add_checked(spec)

    def start(self) -> Steps[GaveUp | None]:
        """Start all children in order.

        Returns:
            `None` when all run or were ignored; `GaveUp` when one did not start, and
            those before it were stopped again.
        """
        failed = yield from self._start_group(list(self._children.values()))
        if failed is None:
            return None
        yield from self.stop()
        failure = FailedToStartChild(failed.spec.id, failed.cause)
        return GaveUp(Shutdown(failure), failure)

    def stop(self) -> Steps[None]:
        """Stop all children, the youngest first."""
        yield from self._stop_group(list(self._children.values()))

    def start_child(
        self, spec: ChildSpec
    ) -> Steps[Started | Ignored | ChildStateError | ConfigError | StartError]:
        """Add a child behind all others and start it; a failed start leaves no spec."""
        present = self._children.get(spec.id)
        if present is not None:
            return _refusals.id_is_taken(spec.id, present.state)
        error = self._significance_error(spec)
        if error is not None:
            return error
        child = Child(spec, spec.id)
        outcome = yield from start_of(child)
        if isinstance(outcome, StartFailed):
            return _refusals.did_not_start(spec.id, outcome.reason)
        self._children[spec.id] = child
        self._take_up(child, outcome)
        return outcome

    def restart_child(
        self, child_id: str
    ) -> Steps[Started | Ignored | ChildNotFoundError | ChildStateError | StartError]:
        """Start a child that is down, in its old place; not counted as a restart.

        When it does not start it stays down, and is not tried again.
        """
        child = self._children.get(child_id)
        if child is None:
            return self._not_found(child_id)
        if child.state is not ChildState.DOWN:
            return _refusals.not_down(child_id, child.state, "restart_child")
        outcome = yield from start_of(child)
        if isinstance(outcome, StartFailed):
            return _refusals.did_not_start(child_id, outcome.reason)
        # Whoever starts it by hand has mended it: its backoff begins anew.
        child.failures = 0
        self._take_up(child, outcome)
        return outcome

    def terminate_child(self, child_id: str) -> Steps[ChildNotFoundError | None]:
        """Stop a child and keep its spec, unless it is temporary.

        A restart that is waiting to be tried again is called off.
        """
        child = self._children.get(child_id)
        if child is None:
            return self._not_found(child_id)
        yield from self._stop_group([child])
        return None

    def delete_child(
        self, child_id: str
    ) -> Steps[ChildNotFoundError | ChildStateError | None]:
        """Forget the spec of a child that is down."""
        child = self._children.get(child_id)
        if child is None:
            return self._not_found(child_id)
        if child.state is not ChildState.DOWN:
            return _refusals.not_down(child_id, child.state, "delete_child")
        del self._children[child_id]
        yield Report("child_deleted", child_id)
        return None

    def which_children(self) -> tuple[ChildStatus, ...]:
        """All children, the youngest first, as in OTP."""
        # Copied in one step: pictures of the tree are taken from other threads.
        children = tuple(self._children.values())
        return tuple(child.status() for child in reversed(children))

    def count_children(
        self, is_alive: Callable[[Any], bool] = lambda _ref: True
    ) -> ChildCounts:
        """Count the children.

        Args:
            is_alive: Asked for each child that is up, with its ref: one may have died
                and the news still be waiting. The default counts all that are up.
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

    def state_of(self, child_id: str) -> ChildState | None:
        """Where a child stands; `None` for one that is not there."""
        child = self._children.get(child_id)
        return None if child is None else child.state

    def spec_of(self, child_id: str) -> ChildSpec | ChildNotFoundError:
        """The spec of a child, running or not."""
        child = self._children.get(child_id)
        return self._not_found(child_id) if child is None else child.spec

    def _settle(self, child: Child) -> None:
        """Note that a child does not run; the list forgets a temporary one."""
        child.state = ChildState.DOWN
        child.ref = None
        if child.spec.restart is Restart.TEMPORARY:
            del self._children[child.key]

    def _stop_for(self, child: Child) -> Steps[None]:
        yield from self._stop_group(self._group_of(child))

    def _start_again(self, child: Child) -> Steps[Child | None]:
        group = self._group_of(child)
        yield from self._stop_group(group)
        # A temporary sibling was forgotten when it was stopped.
        kept = [member for member in group if self._knows(member)]
        return (yield from self._start_group(kept, cause=child.cause))

    def _group_of(self, child: Child) -> list[Child]:
        if self._strategy is Strategy.ONE_FOR_ONE:
            return [child]
        children = list(self._children.values())
        if self._strategy is Strategy.ONE_FOR_ALL:
            return children
        return children[children.index(child) :]

    def _all_significant_ended(self) -> bool:
        return all(
            child.state is ChildState.DOWN
            for child in self._children.values()
            if child.spec.significant
        )

    def _start_group(
        self, group: list[Child], cause: ExitReason | None = None
    ) -> Steps[Child | None]:
        for child in group:
            outcome = yield from start_of(child)
            if isinstance(outcome, StartFailed):
                child.cause = outcome.reason
                return child
            self._take_up(child, outcome)
            if cause is not None and isinstance(outcome, Started):
                yield Report("child_restart", child.spec.id, cause)
        return None

    def _stop_group(self, group: list[Child]) -> Steps[None]:
        for child in reversed(group):
            if child.state is ChildState.UP:
                yield stop_of(child)
            self._settle(child)

    def _take_up(self, child: Child, outcome: Started | Ignored) -> None:
        if isinstance(outcome, Ignored):
            self._settle(child)
            return
        child.state = ChildState.UP
        child.ref = outcome.ref

    def _knows(self, child: Child) -> bool:
        return self._children.get(child.key) is child

    def _add_checked(self, spec: ChildSpec) -> None:
        if spec.id in self._children:
            raise _refusals.duplicate_id(spec)
        error = self._significance_error(spec)
        if error is not None:
            raise error
        self._children[spec.id] = Child(spec, spec.id)

    def _significance_error(self, spec: ChildSpec) -> ConfigError | None:
        if not spec.significant or self._auto_shutdown != "never":
            return None
        return _refusals.meaningless_significance(spec)

    def _not_found(self, child_id: str) -> ChildNotFoundError:
        known = tuple(child.spec.id for child in self._children.values())
        return ChildNotFoundError(child_id, known)
