"""Waiting for the reply to a call, and the list of all who do so at this moment."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supervisors._current import current_life
from supervisors._future import ReplyFuture
from supervisors._life import now
from supervisors.errors import CallTimeoutError
from supervisors.scope import current_scopes, time_left

if TYPE_CHECKING:
    from supervisors._life import Life


@dataclass(frozen=True, slots=True)
class OpenCall:
    """Somebody waits for a reply."""

    waiter: Life | None
    """The actor that waits; `None` for a thread that is in no actor."""
    thread: int
    """The thread it waits in, as `threading.get_ident` gives it."""
    target: Life | str
    """The actor that is to reply, or the name that is to come."""
    since: float
    """When the waiting began, monotonic seconds."""


_Waiting = tuple["Life | None", int, "Life | str", float]
"""The fields of an `OpenCall`, which is made when somebody looks."""

# Additions and removals are single steps; readers take a copy.
_open: dict[object, _Waiting] = {}


def open_calls() -> tuple[OpenCall, ...]:
    """Everybody who waits now, in no order."""
    return tuple(OpenCall(*waiting) for waiting in _open.copy().values())


def note(call: object, target: Life | str) -> None:
    """Count this thread or task among those who wait, until `strike_off`."""
    _open[call] = (current_life(), threading.get_ident(), target, now())


def strike_off(call: object) -> None:
    """The waiting for `call` is over."""
    _open.pop(call, None)


def await_reply(
    future: ReplyFuture[Any], timeout: float | None, target: Life | str
) -> Any:
    """Wait for a submitted call as `Ref.call` does.

    Its scopes know it since it was submitted.

    Raises:
        CallTimeoutError: No reply within `timeout` seconds, or by the nearest deadline.
        ScopeCancelledError: A scope the caller works in was given up meanwhile.
    """
    if not future.done():
        scopes = current_scopes()
        if scopes:
            timeout = time_left(timeout, scopes)
        note(future, target)
        try:
            answered = future.wait(timeout)
        finally:
            strike_off(future)
        if not answered:
            give_up(future, timeout, target)
    return future.get()


def give_up(
    future: ReplyFuture[Any], timeout: float | None, target: Life | str
) -> None:
    """Take a call for unanswered; its reply, should it come, is dropped.

    Raises:
        CallTimeoutError: Unless the reply came at the last moment.
    """
    label = target if isinstance(target, str) else target.label
    within = "its deadline" if timeout is None else f"{timeout:.3g} s"
    msg = (
        f"{label!r} did not answer within {within}. It lives on, and its late answer "
        "will be dropped; give a longer timeout if it needs one."
    )
    error = CallTimeoutError(msg)
    if future.reject(error):
        raise error
