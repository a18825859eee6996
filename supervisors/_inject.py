"""Throwing an exception into the thread of a task that was given up.

For disposable tasks only, and only when their supervisor was told so. CPython can raise
an exception in another thread between two of its steps. It cannot interrupt C code (a
read from a socket, a wait for a lock, a long computation in a library): the exception
waits until that returns. A function that catches `BaseException` can swallow it. And it
may come between any two steps, in the middle of what must not be left half done: so
never use it for functions that change what others share.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TaskInterrupt(BaseException):
    """Raised inside a task that was killed, to make its function stop."""


class _SearchEnded(BaseException):
    """Is raised to be caught at once."""


class Injection:
    """The right to throw one `TaskInterrupt` into one run of one function.

    Threads are used again, so the danger is to hit the next task. Two rules keep it
    away: it is thrown under a lock that also covers the leaving, and whoever leaves
    clears what was thrown and has not come yet.
    """

    __slots__ = ("_lock", "_thread", "_thrown")

    def __init__(self) -> None:
        # Protects the two fields, and that the thread named still runs the function.
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._thrown = False

    def throw(self) -> bool:
        """Throw, once; `False` when the function does not run, or it was done before.

        Never waits for the function: it is raised there when Python gets to it.
        """
        with self._lock:
            if self._thread is None or self._thrown:
                return False
            self._thrown = True
            _set_exception(self._thread, TaskInterrupt)
            if self._thread != threading.get_ident():
                # Until the function leaves its C code, that may be never.
                _end_search()
            return True

    def run(self, function: Callable[[], T]) -> T:
        """Run `function` in this thread, open to what is thrown until it returns.

        Raises:
            TaskInterrupt: It was thrown, and the function let it through.
        """
        try:
            try:
                self._open()
                return function()
            finally:
                self._close()
        except TaskInterrupt:
            # It may have come inside `_close`. Only one is ever thrown, so this time
            # nothing interrupts it.
            self._close()
            raise

    def _open(self) -> None:
        with self._lock:
            self._thread = threading.get_ident()

    def _close(self) -> None:
        with self._lock:
            self._thread = None
            if self._thrown:
                _end_search()


def _end_search() -> None:
    """Have CPython look no more for what is to be raised, but where it has to anyway.

    Once it was told of an exception it looks for one in each thread, until any comes;
    saying that there is none makes it look as well. Each look costs time, and on
    CPython 3.11 the next function that is traced, be it for coverage, hangs meanwhile.
    So one is raised here, in the place of one that was thrown into this thread and has
    not come. A thread that is thrown at finds its own when it next takes its turn.
    """
    try:
        _set_exception(threading.get_ident(), _SearchEnded)
        while True:
            pass
    except _SearchEnded:
        return


def _set_exception(thread: int, kind: type[BaseException]) -> None:
    """Have `kind` raised in a thread, in the place of what was to be raised there."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(kind)
    )
