"""Threads that are used again.

Starting a thread costs more than all the rest of a short-lived actor. A job goes to a
thread that is waiting for one, or to a new daemon thread: the pool grows with need, so
a job that waits for another job can never starve it. Idle threads end after a while.
"""

from __future__ import annotations

import contextvars
import itertools
import os
import queue
import threading
from collections import deque
from collections.abc import Callable

IDLE_SECONDS = 10.0
"""How long a thread waits for its next job before it ends."""

Job = Callable[[], None]


class _Worker:
    """One thread and the slot its next job is put into."""

    def __init__(self, pool: ThreadCache) -> None:
        self._pool = pool
        self._jobs: queue.SimpleQueue[tuple[contextvars.Context, Job]] = (
            queue.SimpleQueue()
        )

    def give(self, context: contextvars.Context, job: Job) -> None:
        self._jobs.put((context, job))

    def run(self) -> None:
        while True:
            try:
                context, job = self._jobs.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                if self._pool.retire(self):
                    return
                # Somebody took this worker at the last moment: the job is on its way.
                continue
            context.run(job)
            # Values of one job must not live on in the frame while waiting.
            del context, job
            self._pool.rest(self)


class ThreadCache:
    """Runs jobs on daemon threads, each in a copy of its starter's context.

    A job must not raise: what it raises ends its thread with a traceback.
    """

    def __init__(self) -> None:
        self._idle: deque[_Worker] = deque()
        self._numbers = itertools.count(1)

    def run(self, job: Job) -> None:
        """Run `job` on an idle thread, or on a new one."""
        context = contextvars.copy_context()
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker(self)
            name = f"supervisors-{next(self._numbers)}"
            thread = threading.Thread(target=worker.run, name=name, daemon=True)
            thread.start()
        worker.give(context, job)

    def rest(self, worker: _Worker) -> None:
        """Take a worker whose job is done."""
        self._idle.append(worker)

    def retire(self, worker: _Worker) -> bool:
        """Let an idle worker go; `False` when a job was promised to it meanwhile."""
        try:
            self._idle.remove(worker)
        except ValueError:
            return False
        return True

    def forget(self) -> None:
        """After a fork: the child has none of the parent's threads."""
        self._idle.clear()


THREADS = ThreadCache()
"""The one pool of this process. It holds no thread until the first job."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=THREADS.forget)
