"""What all machines share: which ends are restarted, how, how often, and giving up.

Pure, like the machines themselves: see `_decide` for how one is driven.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from supervisors import _refusals
from supervisors._effects import (
    ChildState,
    ChildStatus,
    GaveUp,
    Report,
    RetryLater,
    SignificantChildEnded,
    StartChild,
    StartOutcome,
    Steps,
    StopChild,
)
from supervisors._intensity import RestartLog
from supervisors.backoff import Backoff
from supervisors.child_spec import ChildSpec, Intensity, Restart, ShutdownPolicy
from supervisors.exits import (
    NORMAL,
    SHUTDOWN,
    ExitReason,
    RestartLimitReached,
    is_abnormal,
)

AutoShutdown = Literal["never", "any_significant", "all_significant"]
"""Which significant children must have ended for the supervisor to end as well."""


@dataclass(slots=True, eq=False)
class Child:
    """One line of a supervisor's list."""

    spec: ChildSpec
    key: Hashable
    """Names it to its machine."""
    state: ChildState = ChildState.DOWN
    ref: Any = None
    """The latest incarnation; it runs in the state UP only."""
    cause: ExitReason = NORMAL
    """Why its latest restart or retry became necessary."""
    failures: int = 0
    """Restarts in a row that have waited; means something with a backoff only."""
    due: float = float("-inf")
    """When the latest of those was to be made; always past without a backoff."""

    def status(self) -> ChildStatus:
        """How it is shown."""
        up = self.state is ChildState.UP
        return ChildStatus(self.spec, self.state, self.ref if up else None)

    def delay(self, backoff: Backoff, now: float, random: Callable[[], float]) -> float:
        """Plan a restart and say how many seconds it waits."""
        if now - self.due >= backoff.reset_after:
            self.failures = 0
        delay = backoff.delay(self.failures, random)
        self.failures += 1
        self.due = now + delay
        return delay


class RestartingMachine(ABC):
    """A machine whose subclass says which children a restart takes along."""

    def __init__(
        self,
        intensity: Intensity | None,
        auto_shutdown: AutoShutdown,
        *,
        precise: bool,
        jitter: Callable[[], float],
    ) -> None:
        if auto_shutdown not in get_args(AutoShutdown):
            raise _refusals.unknown_auto_shutdown(auto_shutdown, get_args(AutoShutdown))
        self._intensity = intensity or Intensity()
        self._auto_shutdown = auto_shutdown
        self._log = RestartLog(self._intensity, precise=precise)
        self._jitter = jitter
        # In start order. Invariant: each child stands under its own key.
        self._children: dict[Hashable, Child] = {}

    @abstractmethod
    def stop(self) -> Steps[None]:
        """Stop all children."""

    def child_ended(
        self, key: Hashable, ref: Any, reason: ExitReason, now: float
    ) -> Steps[GaveUp | None]:
        """Handle the end of a child that nobody asked to stop.

        News of an incarnation that is not the current one is ignored: a group restart
        or a `terminate_child` that came first has dealt with that end.

        Args:
            key: The child, as `StartChild` named it.
            ref: The incarnation that ended.
            reason: Why it ended.
            now: Seconds from the supervisor's monotonic clock.

        Returns:
            `None`, or `GaveUp` when the supervisor must end.
        """
        child = self._children.get(key)
        if child is None or child.state is not ChildState.UP or child.ref != ref:
            return None
        yield Report("child_exit", child.spec.id, reason)
        if _restarts(child.spec.restart, reason):
            return (yield from self._restart(child, reason, now))
        self._settle(child)
        if not self._completes_shutdown(child.spec):
            return None
        return (yield from self._give_up(SignificantChildEnded(child.spec.id, reason)))

    def retry(self, key: Hashable, now: float) -> Steps[GaveUp | None]:
        """Make a restart that has waited.

        The retry of a failed start is counted like any other restart; one that waited
        for its child's backoff was counted when it was planned. Does nothing when the
        child no longer waits for it.

        Args:
            key: The child that `RetryLater` named.
            now: Seconds from the supervisor's monotonic clock.

        Returns:
            `None`, or `GaveUp` when the supervisor must end.
        """
        child = self._children.get(key)
        if child is None or child.state is not ChildState.RESTARTING:
            return None
        if now < child.due:
            # Meant for a restart that was called off; a later one waits since then.
            yield RetryLater(key, child.due - now)
            return None
        if child.spec.backoff is None:
            return (yield from self._restart(child, child.cause, now))
        return (yield from self._make(child, now))

    @abstractmethod
    def _settle(self, child: Child) -> None:
        """Note that a child does not run and that nothing is planned for it."""

    @abstractmethod
    def _stop_for(self, child: Child) -> Steps[None]:
        """Stop the children that a restart of a dead one takes along."""

    @abstractmethod
    def _start_again(self, child: Child) -> Steps[Child | None]:
        """Start a dead child and those it takes along, after stopping these.

        Returns:
            `None`, or the first that did not start, with the reason as its `cause`.
        """

    @abstractmethod
    def _all_significant_ended(self) -> bool:
        """Whether no significant child is left."""

    def _restart(
        self, child: Child, reason: ExitReason, now: float
    ) -> Steps[GaveUp | None]:
        """Count a restart; then make it, or let it wait for the child's backoff."""
        # It is dead: nobody must ask it to stop when the others are.
        child.state = ChildState.DOWN
        child.cause = reason
        if not self._log.allow(now):
            limit = self._intensity
            return (
                yield from self._give_up(
                    RestartLimitReached(
                        child.spec.id, reason, limit.max_restarts, limit.within
                    )
                )
            )
        backoff = child.spec.backoff
        if backoff is None:
            return (yield from self._make(child, now))
        yield from self._stop_for(child)
        yield from self._plan(child, child.delay(backoff, now, self._jitter))
        return None

    def _make(self, child: Child, now: float) -> Steps[GaveUp | None]:
        failed = yield from self._start_again(child)
        if failed is None:
            return None
        yield Report("child_start_failed", failed.spec.id, failed.cause)
        if failed.spec.backoff is not None:
            return (yield from self._restart(failed, failed.cause, now))
        yield from self._plan(failed, 0.0)
        return None

    def _plan(self, child: Child, delay: float) -> Steps[None]:
        child.state = ChildState.RESTARTING
        yield RetryLater(child.key, delay)

    def _give_up(
        self, cause: RestartLimitReached | SignificantChildEnded
    ) -> Steps[GaveUp]:
        yield Report("gave_up", cause.child_id, cause.reason)
        yield from self.stop()
        # A bare `shutdown`, as in OTP: a transient supervisor that gave up is not
        # restarted by its own supervisor.
        return GaveUp(SHUTDOWN, cause)

    def _completes_shutdown(self, ended: ChildSpec) -> bool:
        if not ended.significant or self._auto_shutdown == "never":
            return False
        if self._auto_shutdown == "any_significant":
            return True
        return self._all_significant_ended()


def start_of(child: Child) -> Steps[StartOutcome]:
    """Start a child; what to do with the outcome is the caller's."""
    outcome = yield StartChild(child.spec, child.key)
    if not isinstance(outcome, StartOutcome):
        msg = (
            f"the start of {child.spec.id!r} was answered with {outcome!r}; expected "
            "Started, Ignored or StartFailed. Mend the driver."
        )
        raise TypeError(msg)
    return outcome


def stop_of(child: Child) -> StopChild:
    """The effect that stops a child which is up."""
    # A checked spec has a policy; `None` stands only in the constructor's signature.
    policy = cast("ShutdownPolicy", child.spec.shutdown)
    return StopChild(child.spec.id, child.ref, policy)


def _restarts(restart: Restart, reason: ExitReason) -> bool:
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return is_abnormal(reason)
        case Restart.TEMPORARY:
            return False
