"""Waiting for a name: in a thread, or on an event loop without blocking it.

It needs of a registry only that it finds names and tells when one comes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, Protocol, cast

from supervisors._acall import acall
from supervisors._future import ReplyFuture
from supervisors._name_waiters import Found, Outcome
from supervisors._waiting import await_reply
from supervisors.errors import ActorDownError, CallTimeoutError
from supervisors.exits import NO_PROCESS
from supervisors.ref import Ref
from supervisors.scope import check_scopes, current_scopes


class Names(Protocol):
    """What is needed of a registry."""

    def whereis(self, key: Hashable) -> Ref[Any] | None:
        """The actor of that name now, or `None`."""

    def when_registered(self, key: Hashable, callback: Found) -> Callable[[], None]:
        """Call `callback` once it is there; the result ends the waiting."""


def awaited(names: Names, key: Hashable, timeout: float | None) -> Ref[Any]:
    """The actor of that name; see `Registry.await_name`."""
    # Who was given up gets no actor to call, not even one that is there.
    check_scopes(current_scopes())
    present = names.whereis(key)
    if present is not None:
        return present
    future, stop = _expected(names, key)
    try:
        return cast("Ref[Any]", await_reply(future, timeout, str(key)))
    except CallTimeoutError:
        raise nobody(key) from None
    finally:
        stop()


async def awaited_on_loop(
    names: Names, key: Hashable, timeout: float | None
) -> Ref[Any]:
    """The actor of that name; see `Registry.await_name_on_loop`."""
    check_scopes(current_scopes())
    future, stop = _expected(names, key)
    try:
        return cast("Ref[Any]", await acall(future, timeout, str(key)))
    except CallTimeoutError:
        raise nobody(key) from None
    finally:
        stop()


def nobody(key: Hashable) -> ActorDownError:
    """The error of who asks for a name that nobody has."""
    return ActorDownError(key if isinstance(key, str) else repr(key), NO_PROCESS)


def _expected(
    names: Names, key: Hashable
) -> tuple[ReplyFuture[Ref[Any]], Callable[[], None]]:
    future: ReplyFuture[Ref[Any]] = ReplyFuture()
    for scope in current_scopes():
        scope.opened(future)
    return future, names.when_registered(key, functools.partial(_settle, future))


def _settle(future: ReplyFuture[Ref[Any]], outcome: Outcome) -> None:
    if isinstance(outcome, ActorDownError):
        future.reject(outcome)
    else:
        future.resolve(outcome)
