"""Waiting until nobody in a tree has anything to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from supervisors._effects import ChildState
from supervisors._life import Life
from supervisors._mailbox import remaining
from supervisors._shown import Children
from supervisors.ref import Ref
from supervisors.supervisor import AnySupervisor
from supervisors.tree import waiting

_BLINK = 0.001
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen of all actors, one after the other."""

    handled: dict[Life, int]
    """How many messages each had handled. Counted before it was looked at."""
    busy: tuple[str, ...]
    """Who had something to do, and what."""


def settled(*roots: AnySupervisor | Ref[Any], timeout: float = 10.0) -> None:
    """Wait until nobody in these trees has anything to do.

    That is: no message waits or is in hand, no child is being started, stopped or
    restarted, and no timer is due. What actors outside of these trees are about to
    send, what plain threads do, and coroutines that an actor on a loop has spawned are
    not seen. A suspended actor is never settled while messages wait for it.

    Args:
        roots: Supervisors, each with all below it, or refs of any actors.
        timeout: Seconds to wait.

    Raises:
        AssertionError: Somebody was still busy then; the text says who, with what.

    Example:
        >>> from supervisors import Actor, ChildSpec, Supervisor
        >>> from supervisors.testing import settled
        >>> echo = ChildSpec(id="echo", actor=Actor, name="echo")
        >>> with Supervisor.start([echo]) as top:
        ...     sent = top.handle("echo").cast("a message")
        ...     settled(top)
        ...     top.count_children().active
        1
    """
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    refs = [root.ref() if isinstance(root, AnySupervisor) else root for root in roots]
    last: _Look | None = None
    while True:
        look = _look(refs)
        # One look is not enough: while it goes around, a message may pass behind its
        # back from who is looked at later to who was looked at before. But then the
        # second look counts one more.
        if not look.busy and last is not None and last == look:
            return
        last = look
        if not remaining(deadline):
            still = "; ".join(look.busy) or "messages keep passing"
            msg = f"not settled after {timeout:g} s: {still}"
            raise AssertionError(msg)
        pause.wait(_BLINK)


def _look(refs: Iterable[Ref[Any]]) -> _Look:
    handled: dict[Life, int] = {}
    busy: list[str] = []
    for ref in refs:
        for life in _all_below(ref.life, busy):
            handled[life] = life.inbox.handled
            if not life.quiet():
                busy.append(_what(life))
    return _Look(handled, tuple(busy))


def _all_below(life: Life, busy: list[str]) -> Iterator[Life]:
    yield life
    shown: Children = Children() if life.children is None else life.children()
    for status in shown.statuses:
        if status.ref is None:
            if status.state is ChildState.RESTARTING and status.spec.backoff is None:
                busy.append(f"{status.spec.id} is being restarted")
            continue
        if status.ref.life.over() and not life.over():
            # Its supervisor is about to hear of it.
            busy.append(f"{status.spec.id} has ended")
        yield from _all_below(status.ref.life, busy)


def _what(life: Life) -> str:
    in_hand = life.in_hand
    if in_hand is not None:
        return f"{life.label} has {type(in_hand.message).__name__} in hand"
    return f"{life.label} has {waiting(life)} messages waiting"
