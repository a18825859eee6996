"""What `tests.benchmarks.supervisors` measures: each contestant is one function.

A contestant gets a size, does its work that often and returns its figures. Run as
`python -m tests.benchmarks.contestants CASE/CONTESTANT=SIZE ...` it prints them as JSON
and leaves, so that each may have a process of its own. To add one (a `LoopActor`, say),
write its line into `MEASURES` and its name into the case of the benchmark.
"""

from __future__ import annotations

import functools
import gc
import itertools
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from supervisors import (
    Actor,
    ChildSpec,
    DynamicSupervisor,
    Supervisor,
    TaskSupervisor,
    snapshot,
)
from tests.benchmarks.first import memory_mb
from tests.benchmarks.parts import (
    Echo,
    Figures,
    PlainEcho,
    StockEcho,
    cost,
    cost_of_each,
    dynamic,
    echo,
    many,
    task_supervisor,
    tree,
)

WAIT = 60.0
"""Seconds after which something that should have happened counts as missing."""

CALLERS = 64
"""How many threads ask at once, where many do."""

ROUND = 50
"""Crashes of one tree."""


class Phoenix(Actor):
    """Says which incarnation it is, and crashes at anything else it is sent."""

    def __init__(self, numbers: Iterator[int]) -> None:
        super().__init__()
        self._number = next(numbers)

    def on_receive(self, message: str) -> int:
        if message != "number":
            raise RuntimeError(message)
        return self._number


# Starting and stopping.


def nothing() -> None:
    """The work of a task that has none."""


def run_task(tasks: TaskSupervisor) -> None:
    """Start a task and wait for its end."""
    assert tasks.start_child(nothing).wait(WAIT) is not None


def run_child(top: DynamicSupervisor, numbers: Iterator[int]) -> None:
    """Start a child and stop it."""
    top.terminate_child(top.start_child(echo(next(numbers))))


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


def task_runner() -> Callable[[], object]:
    """What runs a task under a supervisor of its own."""
    return functools.partial(run_task, task_supervisor())


def child_runner() -> Callable[[], object]:
    """What runs a child under a dynamic supervisor."""
    return functools.partial(run_child, dynamic(), itertools.count())


def spawning(runner: Callable[[], Callable[[], object]], size: int) -> Figures:
    """Start one and wait for its end, again and again."""
    return cost_of_each(size, runner())


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
    tasks = task_supervisor()
    never = threading.Event()
    return beside(size, lambda: run_task(tasks), lambda: tasks.start_child(never.wait))


def beside_children(size: int) -> Figures:
    top, numbers = dynamic(), itertools.count()
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


Said = Callable[[Any], Any]


def supervised_echo() -> Supervisor:
    """A tree with an echo in it, of that name."""
    return tree(ChildSpec(id="echo", name="echo", actor=Echo))


def by_ref() -> tuple[Said, Said]:
    """How an echo is asked and told through its `Ref`."""
    ref = supervised_echo().registry.resolve("echo")
    return ref.call, ref.cast


def by_handle() -> tuple[Said, Said]:
    """The same through a `Handle`."""
    handle = supervised_echo().handle("echo")
    return handle.call, handle.cast


def by_pykkas_methods() -> tuple[Said, Said]:
    """The same actor, asked and told as Pykka's are."""
    ref = supervised_echo().registry.resolve("echo")
    return ref.ask, ref.tell


def stock() -> tuple[Said, Said]:
    """Pykka's own actor."""
    ref = StockEcho.start()
    return ref.ask, ref.tell


def plain() -> tuple[Said, Said]:
    """A thread and a queue."""
    server = PlainEcho()
    return server.ask, server.tell


WAYS = {
    "ref": by_ref,
    "handle": by_handle,
    "pykkas": by_pykkas_methods,
    "stock": stock,
    "plain": plain,
}


def asking(way: str, size: int) -> Figures:
    """One thread asks and waits for the answer."""
    ask, _ = WAYS[way]()
    return cost_of_each(size, lambda: ask(1))


def asking_at_once(way: str, size: int) -> Figures:
    """Many threads ask the same one."""
    ask, _ = WAYS[way]()
    each = size // CALLERS + 1
    go = threading.Event()

    def caller() -> None:
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
    ask, tell = WAYS[way]()

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
    handle = tree(spec, restarts=crashes).handle("it")
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
    top, numbers = dynamic(), itertools.count()
    return memory_of(size, lambda: top.start_child(echo(next(numbers))))


def looking(branches: int, size: int) -> Figures:
    """Take pictures of `size` actors, spread over so many supervisors."""
    specs = [many(f"branch {number}") for number in range(branches)]
    top = tree(*specs)
    for spec in specs:
        branch = DynamicSupervisor(top.registry, spec.id)
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
    "spawn/task": functools.partial(spawning, task_runner),
    "spawn/child": functools.partial(spawning, child_runner),
    "spawn/actor": functools.partial(spawning, lambda: run_actor),
    "spawn/stock": functools.partial(spawning, lambda: run_stock),
    "spawn/plain": functools.partial(spawning, lambda: run_thread),
    "beside/task": beside_tasks,
    "beside/child": beside_children,
    "beside/actor": beside_actors,
    "beside/stock": beside_stock,
    **{f"ask/{way}": functools.partial(asking, way) for way in WAYS},
    **{f"ask_at_once/{way}": functools.partial(asking_at_once, way) for way in WAYS},
    **{f"tell/{way}": functools.partial(telling, way) for way in WAYS},
    "recovery/handle": recovery,
    "idle/child": idle_children,
    "idle/actor": functools.partial(memory_of, start=Echo.start),
    "idle/stock": functools.partial(memory_of, start=StockEcho.start),
    "idle/plain": functools.partial(memory_of, start=PlainEcho),
    "snapshot/flat": functools.partial(looking, 1),
    "snapshot/nested": functools.partial(looking, 10),
}
"""Every contestant, as CASE/CONTESTANT."""


def main() -> None:
    """Measure those named on the command line, one after the other."""
    figures = []
    for word in sys.argv[1:]:
        name, _, size = word.partition("=")
        figures.append(MEASURES[name](int(size)))
    print(json.dumps(figures), flush=True)
    # Thousands of idle threads are left to the system: taking them down is no figure.
    os._exit(0)


if __name__ == "__main__":
    main()
