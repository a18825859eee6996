"""The end of the program: the trees stop in order, and nothing starts any more.

No thread of this package keeps an interpreter alive, so without this the trees would
be cut off in the middle of what they do. Registered with the first root, not at import.
"""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from supervisors._mailbox import remaining
from supervisors.clock import SYSTEM_CLOCK
from supervisors.errors import StartError
from supervisors.exits import SHUTDOWN, Shutdown

if TYPE_CHECKING:
    from supervisors.ref import Ref

EXIT_DEADLINE = 5.0
"""Seconds all trees together may take to stop when the program ends."""


class _Roots:
    """The roots of this process, the oldest first."""

    def __init__(self) -> None:
        self.order: list[weakref.ref[Ref[Any]]] = []
        self.leaving = False
        self.registered = False
        # What is to be done when all trees have stopped, the latest first.
        self.afterwards: list[Callable[[], object]] = []


_roots = _Roots()


def add_root(ref: Ref[Any]) -> None:
    """Stop this tree, too, when the program ends."""
    _register()
    entry = weakref.ref(ref)
    _roots.order.append(entry)
    ref.life.before_end(lambda _reason: _roots.order.remove(entry))


def add_last_step(step: Callable[[], object]) -> Callable[[], object]:
    """Call `step` when the program ends and all trees have stopped.

    Returns:
        What calls that off.
    """
    _register()
    _roots.afterwards.append(step)
    return lambda: _roots.afterwards.remove(step)


def _register() -> None:
    if not _roots.registered:
        _roots.registered = True
        atexit.register(_leave)


def check_not_leaving(label: str) -> None:
    """Raise when the program is ending.

    Raises:
        StartError: Then.
    """
    if _roots.leaving:
        msg = (
            f"{label!r} was not started: the program is ending, and its trees are "
            "being stopped. Start what you need before."
        )
        raise StartError(msg, reason=Shutdown("the program is ending"))


def _leave() -> None:
    _roots.leaving = True
    deadline = SYSTEM_CLOCK.monotonic() + EXIT_DEADLINE
    for entry in tuple(reversed(_roots.order)):
        ref = entry()
        if ref is None:
            continue
        ref.shutdown(SHUTDOWN)
        if ref.wait(remaining(deadline)) is None:
            ref.kill()
    for step in reversed(tuple(_roots.afterwards)):
        step()


def _forget() -> None:
    _roots.order.clear()
    _roots.afterwards.clear()
    _roots.leaving = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
