"""Why an actor ended, as values.

OTP's exit reasons, one class each, so that code matches on them and never reads text.
`normal` and `shutdown` (with or without a term) are orderly ends; all others are
abnormal, and abnormal is what restarts a transient child.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Normal:
    """The actor finished: OTP's `normal`."""

    def __str__(self) -> str:
        return "normal"


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The actor was asked to stop, or stopped in order: OTP's `shutdown`."""

    term: Any = None
    """What came with it: OTP's `{shutdown, Term}`; `None` for plain `shutdown`."""

    def __str__(self) -> str:
        return "shutdown" if self.term is None else f"shutdown: {_text(self.term)}"


@dataclass(frozen=True, slots=True)
class Failed:
    """The actor ended itself with an abnormal reason of its own choice."""

    term: Any
    """The reason, any value; OTP's `exit(Term)`."""

    def __str__(self) -> str:
        return f"failed: {_text(self.term)}"


@dataclass(frozen=True, slots=True)
class Crashed:
    """A callback raised."""

    exception: BaseException
    """What was raised, with its traceback and its causes."""

    def __str__(self) -> str:
        return f"crashed: {type(self.exception).__name__}: {_text(self.exception)}"


@dataclass(frozen=True, slots=True)
class Killed:
    """Ended from outside without being asked: OTP's `killed`.

    A Python thread cannot be killed. The actor is dead for everybody from this moment
    (callers are answered, its messages are void); its thread may still be inside the
    callback it was in, and is then a zombie until that callback returns.
    """

    def __str__(self) -> str:
        return "killed"


@dataclass(frozen=True, slots=True)
class Hung:
    """One message was in hand for longer than the child's `hang_after`."""

    seconds: float
    """How long the message had been in hand."""

    def __str__(self) -> str:
        return f"hung: one message in hand for {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class NoProcess:
    """There was no such actor (any more) to watch or to call: OTP's `noproc`."""

    def __str__(self) -> str:
        return "no process"


def _text(value: object) -> str:
    """What a person reads of a value that others made; never raises.

    An exit reason is shown while callers wait to hear of it.
    """
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a `__str__` of anybody
        return f"<{type(value).__name__} that cannot be shown>"


ExitReason = Normal | Shutdown | Failed | Crashed | Killed | Hung | NoProcess
"""Every way an actor can end."""

NORMAL = Normal()
SHUTDOWN = Shutdown()
KILLED = Killed()
NO_PROCESS = NoProcess()


@dataclass(frozen=True, slots=True)
class FailedToStartChild:
    """The term of `Shutdown` when a supervisor's own start met a failing child."""

    child_id: str
    """The child that did not start."""
    reason: ExitReason
    """Why it did not."""

    def __str__(self) -> str:
        return f"child {self.child_id!r} did not start ({self.reason})"


@dataclass(frozen=True, slots=True)
class RestartLimitReached:
    """Why a supervisor that gave up did so; kept beside its plain `Shutdown`.

    OTP's supervisors exit with a bare `shutdown` then. That is kept (a transient parent
    relies on it), and this value carries what a person wants to know.
    """

    child_id: str
    """The child whose restart was one too many."""
    reason: ExitReason
    """Why that child ended."""
    max_restarts: int
    """The restarts that were allowed."""
    within: float
    """The span in seconds in which they were counted."""

    def __str__(self) -> str:
        return (
            f"child {self.child_id!r} ended ({self.reason}) after "
            f"{self.max_restarts} restarts within {self.within:g} s"
        )


def is_abnormal(reason: ExitReason) -> bool:
    """Say whether `reason` restarts a transient child.

    Example:
        >>> is_abnormal(Normal()), is_abnormal(Shutdown("done")), is_abnormal(Killed())
        (False, False, True)
    """
    return not isinstance(reason, Normal | Shutdown)


def cause_of(reason: ExitReason) -> BaseException | None:
    """Return the exception behind `reason`, for `raise ... from`, if there is one."""
    return reason.exception if isinstance(reason, Crashed) else None
