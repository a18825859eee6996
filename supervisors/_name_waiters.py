"""Who waits for a name: callbacks, each called once or cancelled before.

Holds no lock: its registry's lock protects it. The callbacks that are taken out of it
are called afterwards, under no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from supervisors.errors import ActorDownError
from supervisors.log import logger
from supervisors.ref import Ref

Outcome = Ref[Any] | ActorDownError
"""What comes of waiting: the actor, or why there will be none."""

Found = Callable[[Outcome], object]
"""What is called with it."""


class NameWaiters:
    """Callbacks by key, in the order they came."""

    def __init__(self) -> None:
        self._by_key: dict[Hashable, dict[object, Found]] = {}

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._by_key.values())

    def add(self, key: Hashable, callback: Found) -> object:
        """Let `callback` wait for `key`; the ticket takes it out again."""
        ticket = object()
        self._by_key.setdefault(key, {})[ticket] = callback
        return ticket

    def drop(self, key: Hashable, ticket: object) -> None:
        """Take one out, if it still waits."""
        waiting = self._by_key.get(key, {})
        if waiting.pop(ticket, None) is not None and not waiting:
            del self._by_key[key]

    def take(self, key: Hashable) -> tuple[Found, ...]:
        """Take out all who wait for `key`."""
        return tuple(self._by_key.pop(key, {}).values())

    def take_all(self) -> tuple[Found, ...]:
        """Take out everybody."""
        keys = tuple(self._by_key)
        return tuple(callback for key in keys for callback in self.take(key))


def answer(callbacks: Iterable[Found], outcome: Outcome) -> None:
    """Call each with the outcome; one that raises is reported and harms nobody."""
    for callback in callbacks:
        try:
            callback(outcome if isinstance(outcome, Ref) else twin(outcome))
        except Exception:  # noqa: BLE001 - who waits never harms who registers
            logger().exception("a callback for a name raised", callback=repr(callback))


def twin(error: ActorDownError) -> ActorDownError:
    """An error like `error`: raised each time, one would pile up tracebacks."""
    alike = type(error)(error.name, error.reason)
    alike.__cause__ = error.__cause__
    return alike
