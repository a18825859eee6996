"""A circuit breaker that is asked before a call and told after it.

pybreaker keeps the state; this module adds what concurrent calls need. Its `call()`
holds a lock while the call runs, lets every waiting caller through when half-open, and
counts a late verdict from before the last trip. Here a call gets a permit, carries it
while it runs, and hands it back with a verdict.

There is no lock: one thread owns a gate, in dspex the client actor's.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from enum import Enum
from typing import Final, NoReturn, assert_never

from dspex.core.errors import (
    ConfigurationError,
    LMCancelledError,
    LMConnectionError,
    LMError,
    LMResponseError,
    LMServerError,
    LMStreamError,
    LMTimeoutError,
)

STATE_CLOSED: Final = "closed"
STATE_HALF_OPEN: Final = "half-open"
STATE_OPEN: Final = "open"
"""pybreaker's names of its states. It loads with the first gate, and not before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """When a gate opens and closes again."""

    fail_max: int = 5
    """Failures in a row that open the circuit."""
    reset_after: float = 5.0
    """Seconds until one probe is let through."""

    def __post_init__(self) -> None:
        """Check both figures."""
        if self.fail_max < 1 or not self.reset_after >= 0:
            raise ConfigurationError(
                f"the gate policy makes no sense: {self!r}; fail_max is at least 1 and"
                " reset_after at least 0 seconds. Correct the figure."
            )


class Verdict(Enum):
    """What a call says about the provider's health."""

    SUCCESS = "success"
    """The provider answered."""
    FAILURE = "failure"
    """The provider is unwell: no connection, silence, 5xx, a broken reply."""
    NEUTRAL = "neutral"
    """It says nothing: cancelled, our own restart, a wrong request, a rate limit."""


class GateState(Enum):
    """Where a gate is."""

    CLOSED = "closed"
    """Calls pass."""
    OPEN = "open"
    """Calls are refused until the reset time has passed."""
    HALF_OPEN = "half_open"
    """One probe is on its way, or the next call will be it."""


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call. Hand it back with `Gate.record`, once."""

    generation: int
    """Between which two changes of the gate it was given."""
    is_probe: bool
    """Whether the gate is waiting for this very call."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The call must not be made now."""

    retry_in: float
    """Seconds until asking again makes sense; 0 while a probe is on its way, whose
    verdict is what to wait for; infinite while the circuit is held open by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """A gate at one moment, for people."""

    state: GateState
    """Where it is."""
    failures: int
    """Failures in a row; at `fail_max` the circuit opens."""
    is_probing: bool
    """Whether a probe is on its way."""
    retry_in: float | None
    """Seconds until an open circuit lets a probe through; `None` when it is not open,
    infinite when it is held open."""
    open_since: float | None
    """When it left the closed state; `None` while it is closed."""
    held: bool
    """Whether it was put there by hand and stays there, whatever the verdicts."""
    held_for: float | None
    """Seconds until it is let go; `None` when it is not held, or without an end."""


class Gate:
    """One provider's breaker, for one thread.

    Args:
        policy: When it opens and closes.

    Example:
        >>> gate = Gate(GatePolicy(fail_max=1, reset_after=5.0))
        >>> gate.record(gate.admit(0.0), Verdict.FAILURE, 0.0)
        >>> gate.admit(1.0)
        Refused(retry_in=4.0)
        >>> gate.admit(5.0)
        Permit(generation=2, is_probe=True)
        >>> gate.admit(5.0)
        Refused(retry_in=0.0)
    """

    def __init__(self, policy: GatePolicy | None = None) -> None:
        import pybreaker

        self._policy = policy or GatePolicy()
        self._storage = pybreaker.CircuitMemoryStorage(STATE_CLOSED)
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=self._policy.fail_max,
            # pybreaker's own wait is on the wall clock; ours decides, so its is none.
            reset_timeout=0,
            state_storage=self._storage,
            throw_new_error_on_trip=False,
        )
        self._generation = 0
        self._opened_at = 0.0
        self._down_since: float | None = None
        self._probe: Permit | None = None
        # Until when the state set by hand stays; `None` is not held.
        self._held_until: float | None = None

    def admit(self, now: float) -> Permit | Refused:
        """Ask for a permit.

        Args:
            now: Monotonic seconds, never less than at the call before.

        Returns:
            A permit; or a refusal while the circuit is open, or while its one probe is
            on its way.
        """
        match self.state(now):
            case GateState.CLOSED:
                return Permit(self._generation, is_probe=False)
            case GateState.OPEN:
                return Refused(self._retry_in(now))
            case GateState.HALF_OPEN:
                return Refused(0.0) if self._probe else self._admit_probe()

    def record(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """Hand a permit back and say how the call went.

        A verdict from before the gate's last change is ignored: it tells of a provider
        that was, not of the one that is. A neutral verdict of a probe leaves the gate
        half open for the next probe. While the gate is held by hand no verdict moves
        it or counts.
        """
        if permit.generation != self._generation:
            return
        if self._is_held(now):
            self._probe = None
            return
        was, failures = self._breaker.current_state, self._breaker.fail_counter
        match verdict:
            case Verdict.SUCCESS if was == STATE_CLOSED and not failures:
                # Nothing changes, at almost every call.
                return
            case Verdict.SUCCESS:
                self._breaker.call(_succeed)
            case Verdict.FAILURE:
                self._record_failure()
            case Verdict.NEUTRAL:
                self._probe = None
            case _:
                assert_never(verdict)
        if self._breaker.current_state != was:
            self._held_until = None
            self._changed(now)

    def trip(self, now: float) -> None:
        """Open a closed circuit: others than its own verdicts say that it is time.

        Answers to what was sent long ago may come between failures, which are then not
        in a row. It has no effect while the gate is held by hand.
        """
        if self._breaker.current_state == STATE_CLOSED and not self._is_held(now):
            self._breaker.open()
            self._held_until = None
            self._changed(now)

    def force_open(self, now: float, hold: float | None = math.inf) -> None:
        """Open the circuit by hand: no call passes.

        Args:
            now: Monotonic seconds.
            hold: Seconds for which it stays so, whatever the verdicts; for ever
                (until it is forced elsewhere) by default. `None` does not hold it: it
                goes on as if it had tripped now. After a hold it probes at once.
        """
        self._breaker.open()
        self._forced(now, hold)

    def force_closed(self, now: float, hold: float | None = None) -> None:
        """Close the circuit by hand: calls pass, and no failure is counted yet.

        Args:
            now: Monotonic seconds.
            hold: Seconds for which failures do not open it; infinite is for ever.
                `None` does not hold it: the next failures count.
        """
        self._breaker.close()
        self._forced(now, hold)

    def force_half_open(self, now: float, hold: float | None = None) -> None:
        """Let the next call be a probe, however long the circuit would stay open.

        Args:
            now: Monotonic seconds.
            hold: Seconds for which calls pass one at a time, whatever comes of them.
                `None` does not hold it: the probe's verdict decides.
        """
        self._breaker.half_open()
        self._forced(now, hold)

    def obey(self, policy: GatePolicy) -> None:
        """Open and close by another policy from now on; where it is does not change."""
        self._policy = policy
        self._breaker.fail_max = policy.fail_max

    def view(self, now: float) -> GateView:
        """What is known now, for people."""
        state = self.state(now)
        is_held = self._is_held(now)
        left = math.inf if self._held_until is None else self._held_until - now
        return GateView(
            state=state,
            failures=self._breaker.fail_counter,
            is_probing=self._probe is not None,
            retry_in=self._retry_in(now) if state is GateState.OPEN else None,
            open_since=self._down_since,
            held=is_held,
            held_for=left if is_held and math.isfinite(left) else None,
        )

    def void_permits(self) -> None:
        """Forget every permit that is out, as their holder has ended.

        Without this, a gate whose probe was lost would wait for its verdict for ever.
        The circuit and its count of failures stay as they are.
        """
        self._generation += 1
        self._probe = None

    def state(self, now: float) -> GateState:
        """Say where the gate is, without changing it."""
        current = self._breaker.current_state
        if current == STATE_OPEN:
            is_due = self._probe_due(now)
            return GateState.HALF_OPEN if is_due else GateState.OPEN
        return GateState.CLOSED if current == STATE_CLOSED else GateState.HALF_OPEN

    @property
    def open_since(self) -> float | None:
        """When the circuit left the closed state; `None` while it is closed.

        Failed probes do not move it, so `now - open_since` is the length of an outage.
        """
        return self._down_since

    def _admit_probe(self) -> Permit:
        if self._breaker.current_state != STATE_HALF_OPEN:
            self._breaker.half_open()
            self._generation += 1
        self._probe = Permit(self._generation, is_probe=True)
        return self._probe

    def _record_failure(self) -> None:
        with contextlib.suppress(_Failure):
            self._breaker.call(_fail)

    def _probe_due(self, now: float) -> bool:
        if self._held_until is not None:
            return now >= self._held_until
        return now - self._opened_at >= self._policy.reset_after

    def _retry_in(self, now: float) -> float:
        if self._held_until is not None:
            return self._held_until - now
        return self._opened_at + self._policy.reset_after - now

    def _is_held(self, now: float) -> bool:
        return self._held_until is not None and now < self._held_until

    def _forced(self, now: float, hold: float | None) -> None:
        self._held_until = None if hold is None else now + hold
        self._changed(now)

    def _changed(self, now: float) -> None:
        self._generation += 1
        self._probe = None
        if self._breaker.current_state == STATE_OPEN:
            self._opened_at = now
        if self._breaker.current_state != STATE_CLOSED:
            self._down_since = now if self._down_since is None else self._down_since
        else:
            self._down_since = None


def verdict_of(error: LMError | None) -> Verdict:
    """Say what the end of a call tells about the provider.

    Args:
        error: How the call failed, or `None` when it was answered.

    Example:
        >>> from dspex.core.errors import LMRateLimitError, LMServerError
        >>> ends = (None, LMServerError("down"), LMRateLimitError("busy"))
        >>> [verdict_of(end).value for end in ends]
        ['success', 'failure', 'neutral']
    """
    match error:
        case None:
            return Verdict.SUCCESS
        case LMCancelledError():
            # A stream whose consumer has left is broken off by us.
            return Verdict.NEUTRAL
        case LMServerError(status=408 | 409):
            # A conflict or a slow upload is about one request, not about the provider.
            return Verdict.NEUTRAL
        case LMConnectionError() | LMTimeoutError() | LMServerError():
            return Verdict.FAILURE
        case LMResponseError() | LMStreamError():
            return Verdict.FAILURE
        case _:
            return Verdict.NEUTRAL


class _Failure(Exception):  # noqa: N818 - a token for pybreaker, never seen outside
    """Stands for the failure of a call that is already over."""


def _succeed() -> None:
    """Stand for a call that went well."""


def _fail() -> NoReturn:
    raise _Failure
