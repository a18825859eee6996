"""Threads for blocking code that may never come back.

The standard library's executors wait for their threads when a program ends; a thread
that hangs in somebody's code would hold it up for ever. These are daemons.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

T = TypeVar("T")

_Job = Callable[[], None]

_OVER: Final = None
"""Handed on from thread to thread when they are to end."""


class DaemonThreads:
    """At most so many threads, started when needed and used again.

    A job that is given up while it runs keeps its thread until it returns. One event
    loop's thread owns this object; only that thread calls it.

    Args:
        most: Threads at a time, those of jobs that were given up included.
        name: What the threads are called, before a number.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._started = 0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # One permit for each thread that waits for a job.
        self._idle = threading.Semaphore(0)
        # An owner that is killed closes nothing.
        self._close = weakref.finalize(self, self._jobs.put, _OVER)
        self._close.atexit = False

    async def run(self, work: Callable[[], T]) -> T:
        """Do `work` on one of the threads, in a copy of this context.

        Cancelled before it began, it does not begin; later, its end is ignored.

        Raises:
            BaseException: Whatever `work` raised.
        """
        future: Future[T] = Future()
        context = contextvars.copy_context()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                answer = context.run(work)
            except BaseException as error:  # noqa: BLE001 - whoever awaits it gets it
                future.set_exception(error)
            else:
                future.set_result(answer)

        self._submit(job)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let the threads end: the idle ones now, the others after their jobs."""
        self._close()

    def _submit(self, job: _Job) -> None:
        self._jobs.put(job)
        if self._idle.acquire(blocking=False) or self._started >= self._most:
            return
        self._started += 1
        name = f"{self._name}-{self._started}"
        threading.Thread(
            target=_work, args=(self._jobs, self._idle), name=name, daemon=True
        ).start()


def _work(jobs: queue.SimpleQueue[_Job | None], idle: threading.Semaphore) -> None:
    """Do jobs until they are over. It does not know, and so not keep, their owner."""
    while (job := jobs.get()) is not _OVER:
        job()
        # Its values must not live on in this frame while the thread waits.
        del job
        idle.release()
    # The other threads want to know it too.
    jobs.put(_OVER)
