"""What `tests.benchmarks.supervisors` measures: each contestant is one function.

A contestant gets a size, does its work that often and returns its figures. Run as
`python -m tests.benchmarks.contestants SIZE CASE/CONTESTANT ...` it prints them as JSON
and leaves, so that each may have a process of its own. To add one (a `LoopActor`, say),
write its line into `MEASURES` and its name into the case of the benchmark.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import json
import os
import queue
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pykka

from supervisors import (
    Actor,
    ChildSpec,
    DynamicSupervisorActor,
    Intensity,
    Restart,
    Supervisor,
    TaskSupervisor,
    snapshot,
)
from tests.benchmarks.first import memory_mb

Figures = dict[str, float]

WAIT = 60.0
"""Seconds after which something that should have happened counts as missing."""

CALLERS = 64
"""How many threads ask at once, where many do."""

ROUND = 50
"""Crashes of one tree."""


class Echo(Actor):
    """Answers with what it was sent."""

    def on_receive(self, message: Any) -> Any:
        return message


class StockEcho(pykka.ThreadingActor):
    """The same on plain Pykka."""

    use_daemon_thread = True

    def on_receive(self, message: Any) -> Any:
        return message


class Phoenix(Actor):
    """Says which incarnation it is, and crashes at anything else it is sent."""

    def __init__(self, numbers: Iterator[int]) -> None:
        super().__init__()
        self._number = next(numbers)

    def on_receive(self, message: str) -> int:
        if message != "number":
            raise RuntimeError(message)
        return self._number


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


# What they stand on.


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


@contextlib.contextmanager
def tree(*children: ChildSpec) -> Iterator[Supervisor]:
    """A tree, for as long as the block runs."""
    limit = Intensity(max_restarts=2 * ROUND, within=1.0)
    with Supervisor.start(children, intensity=limit) as top:
        yield top


@contextlib.contextmanager
def dynamic() -> Iterator[Supervisor]:
    """A dynamic supervisor, at first without children."""
    with tree(many("many")) as top:
        yield Supervisor(top.registry, "many")


@contextlib.contextmanager
def task_supervisor() -> Iterator[TaskSupervisor]:
    """A supervisor of tasks, at first without any."""
    with dynamic() as top:
        yield TaskSupervisor(top.registry, "many")


def many(name: str) -> ChildSpec:
    """A dynamic supervisor below another."""
    return ChildSpec(
        id=name, name=name, actor=DynamicSupervisorActor, kind="supervisor"
    )


def echo(number: int) -> ChildSpec:
    """A child that comes and goes."""
    return ChildSpec(id=f"echo {number}", actor=Echo, restart=Restart.TEMPORARY)


# Starting and stopping.


def nothing() -> None:
    """The work of a task that has none."""


def run_task(tasks: TaskSupervisor) -> None:
    """Start a task and wait for its end."""
    assert tasks.start_task(nothing).wait(WAIT) is not None


def run_child(top: Supervisor, numbers: Iterator[int]) -> None:
    """Start a child and stop it."""
    spec = echo(next(numbers))
    top.start_child(spec)
    top.terminate_child(spec.id)


def run_actor() -> None:
    """Start an actor outside any tree, and stop it."""
    ref = Echo.start()
    ref.shutdown()
    assert ref.wait(WAIT) is not None


def run_stock() -> None:
    """Start and stop Pykka's own actor."""
    StockEcho.start().stop()


def run_thread() -> None:
    """Start a plain thread and wait for its end."""
    thread = threading.Thread(target=nothing)
    thread.start()
    thread.join()


def spawn_task(size: int) -> Figures:
    with task_supervisor() as tasks:
        return cost_of_each(size, lambda: run_task(tasks))


def spawn_child(size: int) -> Figures:
    with dynamic() as top:
        numbers = itertools.count()
        return cost_of_each(size, lambda: run_child(top, numbers))


def spawn_actor(size: int) -> Figures:
    return cost_of_each(size, run_actor)


def spawn_stock(size: int) -> Figures:
    return cost_of_each(size, run_stock)


def spawn_thread(size: int) -> Figures:
    return cost_of_each(size, run_thread)


# The same beside others that live.


def beside(
    size: int, operation: Callable[[], object], live: Callable[[], object]
) -> Figures:
    """The cost of `operation` beside no, a fifth of and all of `size` live actors."""
    figures: Figures = {}
    counts = (0, size // 5, size)
    lived = 0
    for count in counts:
        for _ in range(count - lived):
            live()
        lived = count
        # What starting them left behind is not the operation's.
        gc.collect()
        each = cost_of_each(size // 5, operation)
        figures[f"cpu_us_at_{count}"] = each["cpu_us"]
    figures["growth"] = figures[f"cpu_us_at_{size}"] / figures["cpu_us_at_0"]
    return figures


def beside_tasks(size: int) -> Figures:
    with task_supervisor() as tasks:
        over = threading.Event()
        try:
            return beside(
                size, lambda: run_task(tasks), lambda: tasks.start_task(over.wait)
            )
        finally:
            over.set()


def beside_children(size: int) -> Figures:
    with dynamic() as top:
        numbers = itertools.count()
        return beside(
            size,
            lambda: run_child(top, numbers),
            lambda: top.start_child(echo(next(numbers))),
        )


def beside_actors(size: int) -> Figures:
    return beside(size, run_actor, Echo.start)


def beside_stock(size: int) -> Figures:
    return beside(size, run_stock, StockEcho.start)


# Asking and telling.


@contextlib.contextmanager
def supervised_echo() -> Iterator[Supervisor]:
    """A tree with an echo in it, of that name."""
    with tree(ChildSpec(id="echo", name="echo", actor=Echo)) as top:
        yield top


Said = Callable[[Any], Any]


@contextlib.contextmanager
def by_ref() -> Iterator[tuple[Said, Said]]:
    """How an echo is asked and told through its `Ref`."""
    with supervised_echo() as top:
        ref = top.registry.lookup("echo")
        yield ref.call, ref.cast


@contextlib.contextmanager
def by_handle() -> Iterator[tuple[Said, Said]]:
    """The same through a `Handle`."""
    with supervised_echo() as top:
        handle = top.handle("echo")
        yield handle.call, handle.cast


@contextlib.contextmanager
def by_pykkas_ref() -> Iterator[tuple[Said, Said]]:
    """The same actor, asked and told as Pykka's are."""
    with supervised_echo() as top:
        ref = top.registry.lookup("echo")
        yield ref.ask, ref.tell


@contextlib.contextmanager
def stock() -> Iterator[tuple[Said, Said]]:
    """Pykka's own actor."""
    ref = StockEcho.start()
    yield ref.ask, ref.tell
    ref.stop()


@contextlib.contextmanager
def plain() -> Iterator[tuple[Said, Said]]:
    """A thread and a queue."""
    server = PlainEcho()
    yield server.ask, server.tell


WAYS = {
    "ref": by_ref,
    "handle": by_handle,
    "stock_ref": by_pykkas_ref,
    "stock": stock,
    "plain": plain,
}


def asking(way: str, size: int) -> Figures:
    """One thread asks and waits for the answer."""
    with WAYS[way]() as (ask, _):
        return cost_of_each(size, lambda: ask(1))


def asking_at_once(way: str, size: int) -> Figures:
    """Many threads ask the same one."""
    each = size // CALLERS + 1
    go = threading.Event()

    with WAYS[way]() as (ask, _):

        def caller() -> None:
            ask(1)
            go.wait()
            for _ in range(each):
                ask(1)

        callers = [threading.Thread(target=caller) for _ in range(CALLERS)]
        for thread in callers:
            thread.start()

        def all_of_them() -> None:
            go.set()
            for thread in callers:
                thread.join()

        return cost(each * CALLERS, all_of_them)


def telling(way: str, size: int) -> Figures:
    """Send and handle; the answer to a last question says that all are handled."""
    with WAYS[way]() as (ask, tell):

        def times(count: int) -> None:
            for _ in range(count):
                tell(1)
            ask(1)

        times(size // 10)
        return cost(size, functools.partial(times, size))


# From a crash to the next answer.


def recovery(size: int) -> Figures:
    """Crash a supervised child and ask it, through its handle, until it answers."""
    recover(ROUND)
    spans: list[float] = []
    # A new tree now and then: a supervisor that lets a child crash thousands of times
    # a second would only be measured counting them.
    while len(spans) < size:
        spans += recover(min(ROUND, size - len(spans)))
    spans.sort()
    return {
        "median_ms": statistics.median(spans),
        "p99_ms": spans[int(0.99 * (len(spans) - 1))],
    }


def recover(crashes: int) -> list[float]:
    """Milliseconds from each crash to the answer of the next incarnation."""
    spans = []
    spec = ChildSpec(id="it", name="it", actor=Phoenix, args=(itertools.count(),))
    with tree(spec) as top:
        handle = top.handle("it")
        for number in range(1, crashes + 1):
            begun = time.perf_counter()
            handle.cast("crash")
            answer = handle.call("number", WAIT, idempotent=True)
            spans.append(1e3 * (time.perf_counter() - begun))
            assert answer == number, "the next incarnation answers, and no other"
    return spans


# Memory, and looking at many.


def memory_of(size: int, start: Callable[[], object]) -> Figures:
    """What `size` idle ones take, beyond the interpreter and what is imported."""
    before = memory_mb("VmRSS")
    kept = [start() for _ in range(size)]
    added = memory_mb("VmRSS") - before
    assert len(kept) == size
    return {"rss_mb": added, "kib_each": 1024 * added / size}


def idle_children(size: int) -> Figures:
    with dynamic() as top:
        numbers = itertools.count()
        return memory_of(size, lambda: top.start_child(echo(next(numbers))))


def idle_actors(size: int) -> Figures:
    return memory_of(size, Echo.start)


def idle_stock(size: int) -> Figures:
    return memory_of(size, StockEcho.start)


def idle_plain(size: int) -> Figures:
    return memory_of(size, PlainEcho)


def look_at(size: int, branches: int) -> Figures:
    """Take pictures of `size` actors, spread over so many supervisors."""
    specs = [many(f"branch {number}") for number in range(branches)]
    with tree(*specs) as top:
        for spec in specs:
            branch = Supervisor(top.registry, spec.id)
            for number in range(size // branches - 1):
                branch.start_child(echo(number))
        assert str(snapshot(top)).count("kind='Echo'") == size - branches
        return {"median_ms": statistics.median(look(top) for _ in range(20))}


def look(top: Supervisor) -> float:
    """Milliseconds that one picture takes."""
    begun = time.perf_counter()
    snapshot(top)
    return 1e3 * (time.perf_counter() - begun)


MEASURES: dict[str, Callable[[int], Figures]] = {
    "spawn/task": spawn_task,
    "spawn/child": spawn_child,
    "spawn/actor": spawn_actor,
    "spawn/stock": spawn_stock,
    "spawn/plain": spawn_thread,
    "beside/task": beside_tasks,
    "beside/child": beside_children,
    "beside/actor": beside_actors,
    "beside/stock": beside_stock,
    **{f"ask/{way}": functools.partial(asking, way) for way in WAYS},
    **{f"ask_at_once/{way}": functools.partial(asking_at_once, way) for way in WAYS},
    **{f"tell/{way}": functools.partial(telling, way) for way in WAYS},
    "recovery/handle": recovery,
    "idle/child": idle_children,
    "idle/actor": idle_actors,
    "idle/stock": idle_stock,
    "idle/plain": idle_plain,
    "snapshot/flat": lambda size: look_at(size, 1),
    "snapshot/nested": lambda size: look_at(size, max(1, size // 25)),
}
"""Every contestant, as CASE/CONTESTANT."""


def main() -> None:
    """Measure those named on the command line, one after the other."""
    size, *names = sys.argv[1:]
    figures = {name: MEASURES[name](int(size)) for name in names}
    print(json.dumps(figures), flush=True)
    # Thousands of idle threads are left to the system: taking them down is no figure.
    os._exit(0)


if __name__ == "__main__":
    main()
