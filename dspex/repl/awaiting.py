"""What a line of IPython awaits, and what Ctrl-C does to it."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Task, TimerHandle, all_tasks, gather
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

LOOK_EVERY: Final = 0.1
"""Seconds after which a loop that waits looks for a signal that did not wake it."""


def ipython_loop() -> AbstractEventLoop:
    """Return the event loop on which IPython runs lines that await."""
    from IPython.core.async_helpers import get_asyncio_loop

    loop: AbstractEventLoop = get_asyncio_loop()  # type: ignore[no-untyped-call] # IPython has no types here
    return loop


def run_awaited(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a line that awaits; Ctrl-C cancels it and the tasks that it has begun.

    IPython's own runner leaves its loop with all of them still in it: what they asked
    for would go on, and be paid, whenever the loop runs again.
    """
    loop = ipython_loop()
    before = all_tasks(loop)
    line = loop.create_task(coroutine)
    try:
        with _looking_up(loop):
            return loop.run_until_complete(line)
    except BaseException:
        if line.done():
            raise
        loop.run_until_complete(_cancelled(all_tasks(loop) - before))
        if line.cancelled():
            raise
        # IPython has shown where it was cancelled, and its result says so.
        return line.result()


async def _cancelled(tasks: Iterable[Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await gather(*tasks, return_exceptions=True)


@contextmanager
def _looking_up(loop: AbstractEventLoop) -> Iterator[None]:
    """Have a loop wake now and then: a signal may have been given to another thread."""
    looks: list[TimerHandle] = []

    def look() -> None:
        looks[:] = [loop.call_later(LOOK_EVERY, look)]

    look()
    try:
        yield
    finally:
        looks[0].cancel()
