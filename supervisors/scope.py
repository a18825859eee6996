"""What a call belongs to, so that giving up a piece of work gives up its calls.

A Python thread cannot be killed. What can be done is to refuse every call it has open
or makes later: then it stops spending, and soon stops. Each actor works in a scope of
its own, which is cancelled when the actor is ended from outside; a piece of work may
have one besides. Scopes travel in a context variable, so threads and tasks that are
started through this package inherit those of their starter.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from supervisors._current import current_life
from supervisors._future import ReplyFuture
from supervisors._mailbox import remaining
from supervisors.clock import SYSTEM_CLOCK
from supervisors.errors import ScopeCancelledError
from supervisors.log import logger

if TYPE_CHECKING:
    from supervisors._life import Life

_NO_TAGS: Mapping[str, Any] = MappingProxyType({})


class Scope:
    """One piece of work that can be given up as a whole, and may have a deadline.

    Example:
        >>> scope = Scope("example 7")
        >>> scope.cancel("its deadline passed")
        >>> scope.check()
        Traceback (most recent call last):
        supervisors.errors.ScopeCancelledError: example 7 was given up: its ...
    """

    __slots__ = ("_callbacks", "_open", "_why", "deadline", "label", "tags", "voids")

    def __init__(
        self,
        label: str,
        *,
        tags: Mapping[str, Any] | None = None,
        deadline: float | None = None,
        voids: bool = False,
    ) -> None:
        """Name the work.

        Args:
            label: What errors call it.
            tags: Values for whoever handles the work's calls; empty by default.
            deadline: When calls in it stop waiting, on the machine's monotonic clock;
                `None` leaves each call its own timeout.
            voids: Whether cancelling also voids what is cast in it; for actors' own.
        """
        self.label = label
        self.tags = dict(tags) if tags else _NO_TAGS
        self.deadline = deadline
        self.voids = voids
        self._why: str | None = None
        # Additions and removals are single steps; whoever cancels reads a copy.
        self._open: dict[ReplyFuture[Any], None] = {}
        self._callbacks: dict[object, Callable[[], object]] = {}

    @property
    def cancelled(self) -> bool:
        """Whether the work was given up."""
        return self._why is not None

    def cancel(self, why: str) -> None:
        """Give the work up: calls open in it end now, later ones are refused."""
        if self._why is None:
            self._why = why
        # `copy` is one step; others may be adding.
        for future in self._open.copy():
            future.reject(self.error())
        for callback in self._callbacks.copy().values():
            try:
                callback()
            except Exception:  # noqa: BLE001 - giving up must reach all that is open
                logger().exception("a callback of a scope raised", scope=self.label)

    @contextlib.contextmanager
    def on_cancel(self, callback: Callable[[], object]) -> Iterator[None]:
        """While the block runs, call `callback` when the work is given up.

        It is called at once when the work was given up before, and may be called
        twice when both happen together.
        """
        key = object()
        self._callbacks[key] = callback
        if self._why is not None:
            callback()
        try:
            yield
        finally:
            del self._callbacks[key]

    def opened(self, call: ReplyFuture[Any]) -> None:
        """Count a call among the open ones until it is answered, or fail it now."""
        self._open[call] = None
        call.on_done(self.closed)
        if self._why is not None:
            call.reject(self.error())

    def closed(self, call: ReplyFuture[Any]) -> None:
        """The call is over, one way or another."""
        self._open.pop(call, None)

    def error(self) -> ScopeCancelledError:
        """The error calls of this scope end with."""
        return ScopeCancelledError(f"{self.label} was given up: {self._why}")

    def check(self) -> None:
        """Raise when the work was given up.

        Raises:
            ScopeCancelledError: Then.
        """
        if self._why is not None:
            raise self.error()


# Outermost first: the actor's own, then those of its pieces of work. `None` is outside
# of all of them, in an actor, too.
_scopes: contextvars.ContextVar[tuple[Scope, ...] | None] = contextvars.ContextVar(
    "supervisors_scopes", default=()
)


def current_scope() -> Scope | None:
    """The innermost scope this thread or task works in, if any."""
    scopes = current_scopes()
    return scopes[-1] if scopes else None


def current_scopes() -> tuple[Scope, ...]:
    """All scopes this thread or task works in, the innermost last."""
    return scopes_of(current_life())


def scopes_of(life: Life | None) -> tuple[Scope, ...]:
    """The same, for code that knows in which actor it is."""
    scopes = _scopes.get()
    if life is None or scopes is None:
        return scopes or ()
    # Missing when the actor runs its work in a context from elsewhere.
    return scopes if life.scope in scopes else (life.scope, *scopes)


def work_only_in(*scopes: Scope) -> None:
    """Leave all scopes for these, in this thread's context; the outermost first."""
    _scopes.set(scopes)


def sends_are_void() -> bool:
    """Whether this code belongs to an actor that was ended from outside.

    A piece of work that was given up may still say so to others.
    """
    # A loop: a generator would cost more than all the rest of a cast.
    for scope in current_scopes():  # noqa: SIM110 - said above
        if scope.voids and scope.cancelled:
            return True
    return False


@contextlib.contextmanager
def last_words() -> Iterator[None]:
    """Send what must be sent although the actor or the work it belongs to is over.

    For the message that says so: "do not go on with what I asked for".
    """
    token = _scopes.set(None)
    try:
        yield
    finally:
        _scopes.reset(token)


def check_scopes(scopes: tuple[Scope, ...]) -> None:
    """Raise when one of the scopes was given up.

    Raises:
        ScopeCancelledError: Then.
    """
    for scope in scopes:
        scope.check()


def open_in_scopes(call: ReplyFuture[Any]) -> None:
    """Count a call among those of all scopes this thread or task works in."""
    for scope in current_scopes():
        scope.opened(call)


def time_left(timeout: float | None, scopes: tuple[Scope, ...]) -> float | None:
    """Seconds a call may wait: its timeout, or the nearest deadline around it."""
    for scope in scopes:
        left = remaining(scope.deadline)
        if left is not None and (timeout is None or left < timeout):
            timeout = left
    return timeout


@contextlib.contextmanager
def within(scope: Scope) -> Iterator[Scope]:
    """Work in `scope`, too, until the block ends."""
    token = _scopes.set((*current_scopes(), scope))
    try:
        yield scope
    finally:
        _scopes.reset(token)


@contextlib.contextmanager
def deadline(seconds: float, label: str = "work with a deadline") -> Iterator[Scope]:
    """Let no call in the block wait longer than until `seconds` from now.

    Example:
        >>> from supervisors import Actor
        >>> class Silent(Actor):
        ...     def on_receive(self, message):
        ...         return NO_REPLY
        >>> from supervisors import NO_REPLY
        >>> silent = Silent.start()
        >>> with deadline(0.01):
        ...     silent.call("hello", timeout=None)
        Traceback (most recent call last):
        supervisors.errors.CallTimeoutError: 'Silent' did not answer within 0.0... s...
        >>> silent.stop()
        True
    """
    with within(Scope(label, deadline=SYSTEM_CLOCK.monotonic() + seconds)) as scope:
        yield scope
