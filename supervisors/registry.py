"""Names of actors, so that a restart need not tell anybody.

A registry belongs to one tree: two trees in one process never collide. It is a table
behind a lock and not an actor, because every call looks a name up and must not wait
for anybody (OTP keeps its names in a shared table for the same reason).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

from supervisors._mailbox import remaining
from supervisors.clock import SYSTEM_CLOCK
from supervisors.errors import ActorDownError
from supervisors.exits import NO_PROCESS
from supervisors.ref import Ref
from supervisors.scope import check_scopes, current_scopes


class Registry:
    """Unique names of living actors. Any thread may use it."""

    def __init__(self) -> None:
        # Protects the fields below; also wakes those who wait for a name.
        self._changed = threading.Condition()
        self._refs: dict[str, Ref[Any]] = {}
        self._graves: dict[str, ActorDownError] = {}
        self._closed: ActorDownError | None = None

    def register(self, name: str, ref: Ref[Any]) -> bool:
        """Give `ref` the name; `False` when a living actor has it, or all is over."""
        with self._changed:
            if self._closed is not None or self._living(name) is not None:
                return False
            self._refs[name] = ref
            self._graves.pop(name, None)
            self._changed.notify_all()
            return True

    def unregister(self, name: str, ref: Ref[Any]) -> None:
        """Take the name away, if it is still `ref` that has it."""
        with self._changed:
            if self._refs.get(name) is ref:
                del self._refs[name]

    def whereis(self, name: str) -> Ref[Any] | None:
        """The actor of that name now, or `None`."""
        with self._changed:
            return self._refs.get(name)

    def names(self) -> tuple[str, ...]:
        """All names in use, sorted."""
        with self._changed:
            return tuple(sorted(self._refs))

    def lookup(self, name: str) -> Ref[Any]:
        """The actor of that name now.

        Raises:
            ActorDownError: There is none; when the tree gave up, with its reason.
        """
        with self._changed:
            return self._refs.get(name) or self._absent(name)

    def await_name(self, name: str, timeout: float | None = None) -> Ref[Any]:
        """The actor of that name, waiting up to `timeout` seconds for it to come.

        Raises:
            ActorDownError: It did not come, or its tree gave up.
        """
        deadline = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        with contextlib.ExitStack() as stack:
            scopes = current_scopes()
            for scope in scopes:
                stack.enter_context(scope.on_cancel(self._wake))
            stack.enter_context(self._changed)
            self._changed.wait_for(
                lambda: (
                    self._closed is not None
                    or self._living(name) is not None
                    or name in self._graves
                    or any(scope.cancelled for scope in scopes)
                ),
                remaining(deadline),
            )
            check_scopes(scopes)
            return self._living(name) or self._absent(name)

    async def await_name_on_loop(
        self, name: str, timeout: float | None = None
    ) -> Ref[Any]:
        """As `await_name`, on any event loop, without blocking it."""
        return await asyncio.to_thread(self.await_name, name, timeout)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def bury(self, name: str, error: ActorDownError) -> None:
        """Answer calls to `name` with `error` until somebody has the name again."""
        with self._changed:
            self._graves[name] = error
            self._changed.notify_all()

    def close(self, error: ActorDownError) -> None:
        """Answer everybody who waits or asks later with `error`: the tree is over."""
        with self._changed:
            self._closed = error
            self._refs.clear()
            self._changed.notify_all()

    @property
    def closed(self) -> ActorDownError | None:
        """Why the tree is over, or `None` while it is not."""
        return self._closed

    def _living(self, name: str) -> Ref[Any] | None:
        ref = self._refs.get(name)
        return ref if ref is not None and ref.is_alive() else None

    def _absent(self, name: str) -> Ref[Any]:
        known = self._closed or self._graves.get(name)
        raise ActorDownError(name, NO_PROCESS) if known is None else _same(known)


def _same(error: ActorDownError) -> ActorDownError:
    """An error like `error`: raised each time, one would pile up tracebacks."""
    twin = type(error)(error.name, error.reason)
    twin.__cause__ = error.__cause__
    return twin
