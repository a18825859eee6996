"""Which actor's code is running here: to refuse a call to oneself, among others."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supervisors._life import Life


class _Current(threading.local):
    life: Life | None = None
    """The actor whose thread this is."""
    hosts: bool = False
    """Whether actors have lived on an event loop of this thread, or it is one's own."""
    owns_loop: bool = False
    """Whether this is the thread of an `EventLoopActor`."""


_current = _Current()

# The actors that live on event loops, by the task that is their life. Additions and
# removals are single steps; any thread may look.
_by_task: dict[asyncio.Task[Any], Life] = {}


def current_life() -> Life | None:
    """The life of the actor whose callback this code is in, if any."""
    if _current.hosts:
        return _life_of_task() or _current.life
    return _current.life


def enter(life: Life | None) -> None:
    """Note that this thread now runs callbacks of `life`, or of nobody."""
    _current.life = life


def enter_task(life: Life, task: asyncio.Task[Any]) -> None:
    """Note that `task`, which runs here, is the actor of that life."""
    _current.hosts = True
    _by_task[task] = life


def leave_task(task: asyncio.Task[Any]) -> None:
    """Note that `task` is no actor any more. Any thread may say so."""
    _by_task.pop(task, None)


def tasks_of_actors(loop: asyncio.AbstractEventLoop) -> set[asyncio.Task[Any]]:
    """The tasks that are actors on that loop."""
    return {task for task in _by_task.copy() if task.get_loop() is loop}


def own_loop_here() -> None:
    """Note that this thread belongs to an event loop of ours."""
    _current.owns_loop = _current.hosts = True


def leave_loop() -> None:
    """The event loop of this thread has ended."""
    _current.owns_loop = False
    _current.hosts = False


def on_event_loop() -> bool:
    """Whether a blocking call here would hold up the actors of an event loop."""
    return _current.hosts and (_current.owns_loop or _life_of_task() is not None)


def _life_of_task() -> Life | None:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        # No loop runs in this thread at the moment.
        return None
    return None if task is None else _by_task.get(task)
