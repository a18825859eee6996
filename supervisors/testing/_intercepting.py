"""Standing between all actors of this process and their handlers.

While somebody does, `Actor._received` is another method. So outside of tests no message
pays for this.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from supervisors.actor import Actor
from supervisors.registry import Registry

Handle = Callable[[Any], Any]
"""Handles a message as the actor would."""

Meet = Callable[[Actor, Any, Handle], Any]
"""Handles a message of an actor, or does something else with it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    meet: Meet
    registry: Registry | None
    """The tree whose actors are met; `None` for all there are."""

    def is_for(self, actor: Actor) -> bool:
        if self.registry is None:
            return True
        given = actor._surroundings  # noqa: SLF001 - the property would make some
        return given is not None and given.registry is self.registry


_METHOD = "_received"

# Protects the tuple and the exchange of the method.
_lock = threading.Lock()
_entries: tuple[_Entry, ...] = ()
_original: Any = getattr(Actor, _METHOD)


@contextlib.contextmanager
def intercepting(meet: Meet, registry: Registry | None) -> Iterator[None]:
    """Hand each message to `meet` while the block runs, those of one tree or all."""
    entry = _Entry(meet, registry)
    _replace((), (entry,))
    try:
        yield
    finally:
        _replace((entry,), ())


def _replace(old: tuple[_Entry, ...], new: tuple[_Entry, ...]) -> None:
    global _entries  # noqa: PLW0603 - one list for the process, as the method is one
    with _lock:
        _entries = (*(entry for entry in _entries if entry not in old), *new)
        setattr(Actor, _METHOD, _received if _entries else _original)


def _received(actor: Actor, message: Any) -> Any:
    handle: Handle = functools.partial(_original, actor)
    for entry in _entries:
        if entry.is_for(actor):
            handle = _behind(entry.meet, actor, handle)
    return handle(message)


def _behind(meet: Meet, actor: Actor, handle: Handle) -> Handle:
    return lambda message: meet(actor, message, handle)
