"""Waiting for the reply to a call, and the list of all who do so at this moment."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from supervisors._current import current_life
from supervisors._future import ReplyFuture
from supervisors._life import now
from supervisors.errors import CallTimeoutError
from supervisors.scope import current_scopes, time_left

if TYPE_CHECKING:
    from supervisors._life import Life


WaitingFor = Literal["reply", "start", "end"]
"""What somebody waits for: an answer, or a child's start or end."""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """Somebody waits for somebody else."""

    waiter: Life | None
    """The actor that waits; `None` for a thread that is in no actor."""
    thread: int
    """The thread it waits in, as `threading.get_ident` gives it."""
    target: Life | str
    """The actor that is to do it, or the name that is to come."""
    since: float
    """When the waiting began, monotonic seconds."""
    what: WaitingFor = "reply"
    """What it waits for."""


_Waiting = tuple["Life | None", int, "Life | str", float, WaitingFor]
"""The fields of an `OpenCall`, which is made when somebody looks."""

# Additions and removals are single steps; readers take a copy.
_open: dict[ReplyFuture[Any], _Waiting] = {}


def open_calls() -> tuple[OpenCall, ...]:
    """Everybody who waits now, in no order."""
    # Whoever has been answered and has not woken yet waits for nobody.
    waiting = tuple(_open.copy().items())
    return tuple(OpenCall(*facts) for future, facts in waiting if not future.done())


@contextlib.contextmanager
def waiting_for(
    future: ReplyFuture[Any], target: Life, what: WaitingFor
) -> Iterator[None]:
    """Be among those who wait while the block runs."""
    note(future, current_life(), target, what)
    try:
        yield
    finally:
        strike_off(future)


def note(
    call: ReplyFuture[Any],
    waiter: Life | None,
    target: Life | str,
    what: WaitingFor = "reply",
) -> None:
    """Count this thread or task among those who wait, until `strike_off`."""
    _open[call] = (waiter, threading.get_ident(), target, now(), what)


def strike_off(call: ReplyFuture[Any]) -> None:
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
        note(future, current_life(), target)
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
