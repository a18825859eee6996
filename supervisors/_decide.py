"""What a supervisor does next: OTP's rules for a static list of children.

Pure: no actor, no thread and no clock. A `Machine` decides and someone else acts. Each
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

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from supervisors import _refusals
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
)
from supervisors._intensity import RestartLog
from supervisors.child_spec import (
    ChildSpec,
    Intensity,
    Restart,
    ShutdownPolicy,
    Strategy,
)
from supervisors.errors import (
    ChildNotFoundError,
    ChildStateError,
    ConfigError,
    StartError,
)
from supervisors.exits import (
    NORMAL,
    SHUTDOWN,
    ExitReason,
    FailedToStartChild,
    RestartLimitReached,
    Shutdown,
    is_abnormal,
)

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
)

AutoShutdown = Literal["never", "any_significant", "all_significant"]
"""Which significant children must have ended for the supervisor to end as well."""


@dataclass(slots=True, eq=False)
class _Child:
    """One line of the supervisor's list."""

    # Invariant: `ref` is not None exactly in the state UP.
    spec: ChildSpec
    state: ChildState = ChildState.DOWN
    ref: Any = None
    failure: ExitReason = NORMAL
    """Why its last restart did not work; means something in RESTARTING only."""


class Machine:
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
    ) -> None:
        """Check the specs; nothing starts before `start`.

        Args:
            specs: The children in start order.
            strategy: Which children a restart takes along.
            intensity: How many restarts are allowed; `None` is one in five seconds.
            auto_shutdown: Whether ends of significant children end the supervisor.
            precise: Count restarts in real seconds, not in OTP's whole ones.

        Raises:
            ConfigError: Two children share an id, or a child is significant under a
                supervisor that never shuts down automatically.
        """
        if auto_shutdown not in get_args(AutoShutdown):
            raise _refusals.unknown_auto_shutdown(auto_shutdown, get_args(AutoShutdown))
        self._strategy = strategy
        self._intensity = intensity or Intensity()
        self._auto_shutdown = auto_shutdown
        self._log = RestartLog(self._intensity, precise=precise)
        # Start order is the dictionary's order.
        self._children: dict[str, _Child] = {}
        for spec in specs:
            self._add_checked(spec)

    def start(self) -> Steps[GaveUp | None]:
        """Start all children in order.

        Returns:
            `None` when all run or were ignored; `GaveUp` when one did not start, and
            those before it were stopped again.
        """
        failure = yield from self._start_group(list(self._children.values()))
        if failure is None:
            return None
        yield from self.stop()
        return GaveUp(Shutdown(failure), failure)

    def stop(self) -> Steps[None]:
        """Stop all children, the youngest first."""
        yield from self._stop_group(list(self._children.values()))

    def child_ended(
        self, child_id: str, ref: Any, reason: ExitReason, now: float
    ) -> Steps[GaveUp | None]:
        """Handle the end of a child that nobody asked to stop.

        News of an incarnation that is not the current one is ignored: a group restart
        or a `terminate_child` that came first has dealt with that end.

        Args:
            child_id: The child.
            ref: The incarnation that ended.
            reason: Why it ended.
            now: Seconds from the supervisor's monotonic clock.

        Returns:
            `None`, or `GaveUp` when the supervisor must end.
        """
        child = self._children.get(child_id)
        if child is None or child.state is not ChildState.UP or child.ref != ref:
            return None
        yield Report("child_exit", child_id, reason)
        if _restarts(child.spec.restart, reason):
            return (yield from self._restart(child, reason, now))
        self._settle(child)
        if not self._completes_shutdown(child.spec):
            return None
        return (yield from self._give_up(SignificantChildEnded(child_id, reason)))

    def retry(self, child_id: str, now: float) -> Steps[GaveUp | None]:
        """Try again a restart that did not work; counted like any other restart.

        Does nothing when the child no longer waits for it.

        Args:
            child_id: The child that `RetryLater` named.
            now: Seconds from the supervisor's monotonic clock.

        Returns:
            `None`, or `GaveUp` when the supervisor must end.
        """
        child = self._children.get(child_id)
        if child is None or child.state is not ChildState.RESTARTING:
            return None
        return (yield from self._restart(child, child.failure, now))

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
        child = _Child(spec)
        outcome = yield from _start(spec)
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
        outcome = yield from _start(child.spec)
        if isinstance(outcome, StartFailed):
            return _refusals.did_not_start(child_id, outcome.reason)
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
        return tuple(
            ChildStatus(child.spec, child.state, child.ref)
            for child in reversed(self._children.values())
        )

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

    def _restart(
        self, child: _Child, reason: ExitReason, now: float
    ) -> Steps[GaveUp | None]:
        # It is dead: nobody must ask it to stop when the others are.
        self._settle(child)
        if not self._log.allow(now):
            return (yield from self._give_up(self._limit_reached(child, reason)))
        group = self._group_of(child)
        yield from self._stop_group(group)
        # A temporary sibling was forgotten when it was stopped.
        kept = [member for member in group if self._knows(member)]
        failure = yield from self._start_group(kept, cause=reason)
        if failure is not None:
            yield from self._plan_retry(failure)
        return None

    def _group_of(self, child: _Child) -> list[_Child]:
        children = list(self._children.values())
        match self._strategy:
            case Strategy.ONE_FOR_ONE:
                return [child]
            case Strategy.ONE_FOR_ALL:
                return children
            case Strategy.REST_FOR_ONE:
                return children[children.index(child) :]

    def _plan_retry(self, failure: FailedToStartChild) -> Steps[None]:
        child = self._children[failure.child_id]
        child.state = ChildState.RESTARTING
        child.failure = failure.reason
        yield Report("child_start_failed", failure.child_id, failure.reason)
        yield RetryLater(failure.child_id)

    def _limit_reached(self, child: _Child, reason: ExitReason) -> RestartLimitReached:
        limit = self._intensity
        return RestartLimitReached(
            child.spec.id, reason, limit.max_restarts, limit.within
        )

    def _give_up(
        self, cause: RestartLimitReached | SignificantChildEnded
    ) -> Steps[GaveUp]:
        yield Report("gave_up", cause.child_id, cause.reason)
        yield from self.stop()
        # A bare `shutdown`, as in OTP: a transient supervisor that gave up is not
        # restarted by its own supervisor.
        return GaveUp(SHUTDOWN, cause)

    def _completes_shutdown(self, ended: ChildSpec) -> bool:
        if not ended.significant:
            return False
        if self._auto_shutdown == "any_significant":
            return True
        # "never" is impossible here: such a supervisor refuses significant children.
        return all(
            child.state is ChildState.DOWN
            for child in self._children.values()
            if child.spec.significant
        )

    def _start_group(
        self, group: list[_Child], cause: ExitReason | None = None
    ) -> Steps[FailedToStartChild | None]:
        for child in group:
            outcome = yield from _start(child.spec)
            if isinstance(outcome, StartFailed):
                return FailedToStartChild(child.spec.id, outcome.reason)
            self._take_up(child, outcome)
            if cause is not None and isinstance(outcome, Started):
                yield Report("child_restart", child.spec.id, cause)
        return None

    def _stop_group(self, group: list[_Child]) -> Steps[None]:
        for child in reversed(group):
            if child.state is ChildState.UP:
                yield StopChild(child.spec.id, child.ref, _policy(child.spec))
            self._settle(child)

    def _take_up(self, child: _Child, outcome: Started | Ignored) -> None:
        if isinstance(outcome, Ignored):
            self._settle(child)
            return
        child.state = ChildState.UP
        child.ref = outcome.ref

    def _settle(self, child: _Child) -> None:
        """Note that a child does not run; the list forgets a temporary one."""
        child.state = ChildState.DOWN
        child.ref = None
        if child.spec.restart is Restart.TEMPORARY:
            self._children.pop(child.spec.id, None)

    def _knows(self, child: _Child) -> bool:
        return self._children.get(child.spec.id) is child

    def _add_checked(self, spec: ChildSpec) -> None:
        if spec.id in self._children:
            raise _refusals.duplicate_id(spec)
        error = self._significance_error(spec)
        if error is not None:
            raise error
        self._children[spec.id] = _Child(spec)

    def _significance_error(self, spec: ChildSpec) -> ConfigError | None:
        if not spec.significant or self._auto_shutdown != "never":
            return None
        return _refusals.meaningless_significance(spec)

    def _not_found(self, child_id: str) -> ChildNotFoundError:
        return ChildNotFoundError(child_id, tuple(self._children))


def _restarts(restart: Restart, reason: ExitReason) -> bool:
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return is_abnormal(reason)
        case Restart.TEMPORARY:
            return False


def _start(spec: ChildSpec) -> Steps[StartOutcome]:
    outcome = yield StartChild(spec)
    if not isinstance(outcome, StartOutcome):
        msg = (
            f"the start of {spec.id!r} was answered with {outcome!r}; expected "
            "Started, Ignored or StartFailed. Mend the driver."
        )
        raise TypeError(msg)
    return outcome


def _policy(spec: ChildSpec) -> ShutdownPolicy:
    # A checked spec has a policy; `None` stands only in the constructor's signature.
    return 5.0 if spec.shutdown is None else spec.shutdown
