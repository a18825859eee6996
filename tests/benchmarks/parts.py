"""The actors, trees and stop-watches that the benchmark's contestants share."""

from __future__ import annotations

import functools
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import pykka

from supervisors import (
    Actor,
    ChildSpec,
    DynamicSupervisor,
    DynamicSupervisorActor,
    Intensity,
    Restart,
    Supervisor,
    TaskSupervisor,
)

Figures = dict[str, float]
"""What was measured, by name."""


class Echo(Actor):
    """Answers with what it was sent."""

    def on_receive(self, message: Any) -> Any:
        return message


class StockEcho(pykka.ThreadingActor):
    """The same on plain Pykka."""

    use_daemon_thread = True

    def on_receive(self, message: Any) -> Any:
        return message


class PlainEcho:
    """The same with a thread and a queue, and nothing else."""

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[tuple[Any, queue.SimpleQueue[Any] | None]] = (
            queue.SimpleQueue()
        )
        self._mine = threading.local()
        threading.Thread(target=self._serve, daemon=True).start()

    def tell(self, message: Any) -> None:
        self._requests.put((message, None))

    def ask(self, message: Any) -> Any:
        """Ask, with one queue for the answers to each thread that does."""
        try:
            replies: queue.SimpleQueue[Any] = self._mine.replies
        except AttributeError:
            replies = self._mine.replies = queue.SimpleQueue()
        self._requests.put((message, replies))
        return replies.get()

    def _serve(self) -> None:
        while True:
            message, replies = self._requests.get()
            if replies is not None:
                replies.put(message)


def cost(operations: int, work: Callable[[], object]) -> Figures:
    """What one of the operations in `work` costs, in microseconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"cpu_us": 1e6 * cpu / operations, "wall_us": 1e6 * wall / operations}


def cost_of_each(size: int, operation: Callable[[], object]) -> Figures:
    """What `operation` costs when done `size` times, after a tenth for warming up."""

    def times(count: int) -> None:
        for _ in range(count):
            operation()

    times(size // 10 + 1)
    return cost(size, functools.partial(times, size))


def tree(*children: ChildSpec, restarts: int = 1) -> Supervisor:
    """A tree; it is left running, as is all that is started here."""
    return Supervisor.start(children, intensity=Intensity(max_restarts=restarts))


def many(name: str) -> ChildSpec:
    """A dynamic supervisor below another."""
    return ChildSpec(
        id=name, name=name, actor=DynamicSupervisorActor, kind="supervisor"
    )


def dynamic() -> DynamicSupervisor:
    """A dynamic supervisor, at first without children."""
    return DynamicSupervisor(tree(many("many")).registry, "many")


def task_supervisor() -> TaskSupervisor:
    """A supervisor of tasks, at first without any."""
    spec = TaskSupervisor.child_spec("many")
    return TaskSupervisor(tree(spec).registry, "many")


def echo(number: int) -> ChildSpec:
    """A child that comes and goes."""
    return ChildSpec(id=f"echo {number}", actor=Echo, restart=Restart.TEMPORARY)
