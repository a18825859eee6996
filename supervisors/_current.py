"""Which actor's code is running here: to refuse a call to oneself, among others."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisors._life import Life


class _Current(threading.local):
    life: Life | None = None
    """The actor whose thread this is."""
    tasks: weakref.WeakKeyDictionary[asyncio.Task[object], Life] | None = None
    """On the thread of an event loop: the actors that live on it, by task."""
    owns_loop: bool = False
    """Whether this is the thread of an `EventLoopActor`."""


_current = _Current()


def current_life() -> Life | None:
    """The life of the actor whose callback this code is in, if any."""
    tasks = _current.tasks
    if tasks is None:
        return _current.life
    return _on_this_loop(tasks) or _current.life


def enter(life: Life | None) -> None:
    """Note that this thread now runs callbacks of `life`, or of nobody."""
    _current.life = life


def enter_task(life: Life) -> None:
    """Note that the running task is the actor of that life."""
    task = asyncio.current_task()
    if task is None:
        return
    if _current.tasks is None:
        _current.tasks = weakref.WeakKeyDictionary()
    _current.tasks[task] = life


def own_loop_here() -> None:
    """Note that this thread belongs to an event loop of ours."""
    _current.owns_loop = True


def leave_loop() -> None:
    """The event loop of this thread has ended."""
    _current.owns_loop = False
    _current.tasks = None


def on_event_loop() -> bool:
    """Whether a blocking call here would hold up the actors of an event loop."""
    tasks = _current.tasks
    return _current.owns_loop or (
        tasks is not None and _on_this_loop(tasks) is not None
    )


def _on_this_loop(
    tasks: weakref.WeakKeyDictionary[asyncio.Task[object], Life],
) -> Life | None:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        # No loop runs in this thread at the moment.
        return None
    return None if task is None else tasks.get(task)
