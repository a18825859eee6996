"""What a call belongs to, so that giving up a piece of work gives up its calls.

A Python thread cannot be killed. What can be done is to refuse every call it has open
or makes later: then it stops spending, and soon stops. A scope travels in a context
variable, so threads and tasks that copy the context inherit it.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

from supervisors.errors import ScopeCancelledError


class Scope:
    """One piece of work that can be given up as a whole.

    Example:
        >>> scope = Scope("example 7")
        >>> scope.cancel("its deadline passed")
        >>> scope.check()
        Traceback (most recent call last):
        supervisors.errors.ScopeCancelledError: example 7 was given up: its ...
    """

    def __init__(self, label: str, *, tags: dict[str, Any] | None = None) -> None:
        self.label = label
        self.tags = dict(tags or {})
        self._why: str | None = None
        self._callbacks: dict[object, Callable[[], object]] = {}

    @property
    def cancelled(self) -> bool:
        """Whether the work was given up."""
        return self._why is not None

    def cancel(self, why: str) -> None:
        """Give the work up: calls open in it end now, later ones are refused."""
        if self._why is None:
            self._why = why
        for callback in tuple(self._callbacks.values()):
            callback()

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

    def error(self) -> ScopeCancelledError:
        """The error calls of this scope end with."""
        return ScopeCancelledError(f"{self.label} was given up: {self._why}")

    def check(self) -> None:
        """Raise when the work was given up.

        Raises:
            ScopeCancelledError: Then.
        """
        if self.cancelled:
            raise self.error()


_current: contextvars.ContextVar[Scope | None] = contextvars.ContextVar(
    "supervisors_scope", default=None
)


def current_scope() -> Scope | None:
    """The scope this thread or task works in, if any."""
    return _current.get()


def leave_scope() -> None:
    """Work in no scope from here on, in this thread's context."""
    _current.set(None)


@contextlib.contextmanager
def within(scope: Scope) -> Iterator[Scope]:
    """Work in `scope` until the block ends."""
    token = _current.set(scope)
    try:
        yield scope
    finally:
        _current.reset(token)
