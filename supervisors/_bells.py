"""Waking event loops from other threads, once for all that is to be told.

To wake a loop takes a system call, in which another thread gets the interpreter. An
actor that answers many callers of one loop one by one would change threads as often.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable


class Bell:
    """Calls short functions in the thread of one loop, in order.

    Any thread may ring. What comes before the loop has looked is done in one turn.
    """

    __slots__ = ("_loop", "_rung", "_thread", "_work")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()
        self._work: deque[Callable[[], object]] = deque()
        # Cleared before the loop takes work, and read after work was put: so of a late
        # caller and a loop that is looking, one sees the other.
        self._rung = False

    def belongs_to(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether it wakes that loop, in this thread."""
        return self._loop is loop and self._thread == threading.get_ident()

    def call(self, work: Callable[[], object]) -> None:
        """Have the loop call `work`, which must not raise; nothing once it has closed.

        Inside a task of that loop it is called at once.
        """
        if (
            threading.get_ident() == self._thread
            and asyncio.current_task(self._loop) is not None
        ):
            work()
            return
        self._work.append(work)
        if self._rung:
            return
        self._rung = True
        if _held.bells is None:
            self.ring()
        else:
            _held.bells.append(self)

    def ring(self) -> None:
        """Wake the loop."""
        with contextlib.suppress(RuntimeError):
            # It has closed: nobody waits on it any more.
            self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._rung = False
        work = self._work
        while work:
            work.popleft()()


class _Held(threading.local):
    bells: list[Bell] | None = None
    """Those that ring when the block of `one_wakeup` ends; `None` outside of one."""


class _Here(threading.local):
    bell: Bell | None = None
    """That of the loop which ran last in this thread."""


_held = _Held()
_here = _Here()


def bell_here() -> Bell:
    """The bell of the loop that runs here."""
    loop, bell = asyncio.get_running_loop(), _here.bell
    if bell is None or not bell.belongs_to(loop):
        bell = _here.bell = Bell(loop)
    return bell


def one_wakeup() -> contextlib.AbstractContextManager[None]:
    """Wake each event loop once, at the end of the block, for all replies given in it.

    For an actor that answers many callers in one go. The block must be short: whoever
    waits on a loop is woken only when it ends.
    """
    return _OneWakeup()


class _OneWakeup:
    """The block of `one_wakeup`; one inside another is part of it."""

    __slots__ = ("_bells",)

    def __enter__(self) -> None:
        self._bells: list[Bell] | None = None
        if _held.bells is None:
            _held.bells = self._bells = []

    def __exit__(self, *_error: object) -> None:
        if self._bells is None:
            return
        _held.bells = None
        for bell in self._bells:
            bell.ring()
