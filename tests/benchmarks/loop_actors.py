"""What actors on an event loop cost beside plain asyncio tasks.

Each function gets a size, does its work that often and returns its figures. Run as
`python -m tests.benchmarks.loop_actors [SIZE]` this prints all of them as JSON, each
measured in a process of its own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from supervisors import EventLoopActor, LoopActor, Ref
from tests.benchmarks.first import memory_mb

Figures = dict[str, float]
"""What was measured, by name."""

Request = tuple["asyncio.Future[Any]", Any]


class LoopEcho(LoopActor):
    """Answers with what it was sent."""

    def on_receive(self, message: Any) -> Any:
        return message


async def plain_echo(requests: asyncio.Queue[Request]) -> None:
    """The same as a task with a queue, and nothing else."""
    while True:
        answer, message = await requests.get()
        answer.set_result(message)


def spawn_stop_loop_actor(size: int) -> Figures:
    """Start an actor on the running loop and stop it."""

    async def work() -> None:
        for _ in range(size):
            await gone(await LoopEcho.astart())

    return on_a_loop(size, work)


def spawn_stop_plain_task(size: int) -> Figures:
    """Start a task and cancel it."""

    async def work() -> None:
        for _ in range(size):
            task = asyncio.create_task(plain_echo(asyncio.Queue()))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

    return on_a_loop(size, work)


def acall_loop_actor(size: int) -> Figures:
    """Await answers, one after another, from an actor on the same loop."""

    async def work() -> None:
        ref = await LoopEcho.astart()
        for number in range(size):
            await ref.acall(number)
        await gone(ref)

    return on_a_loop(size, work)


def acall_plain_task(size: int) -> Figures:
    """The same from a plain task."""

    async def work() -> None:
        requests: asyncio.Queue[Request] = asyncio.Queue()
        task = asyncio.create_task(plain_echo(requests))
        for number in range(size):
            await ask_plain(requests, number)
        task.cancel()

    return on_a_loop(size, work)


def ask_loop_actor_from_thread(size: int) -> Figures:
    """Ask an actor on a loop from a thread, one call after another."""
    ref = LoopEcho.start_on(EventLoopActor.start())

    def work() -> None:
        for number in range(size):
            ref.call(number)

    return cost(size, work)


def many_loop_actors(size: int) -> Figures:
    """Start so many on one loop, and let all of them answer."""

    async def start() -> list[Ref[Any]]:
        return [await LoopEcho.astart() for _ in range(size)]

    async def ask(refs: list[Ref[Any]]) -> list[Any]:
        calls = (ref.acall(number, None) for number, ref in enumerate(refs))
        return list(await asyncio.gather(*calls))

    return many(size, start, ask)


def many_plain_tasks(size: int) -> Figures:
    """The same with plain tasks."""
    tasks: list[asyncio.Task[None]] = []

    async def start() -> list[asyncio.Queue[Request]]:
        queues: list[asyncio.Queue[Request]] = [asyncio.Queue() for _ in range(size)]
        tasks.extend(asyncio.create_task(plain_echo(queue)) for queue in queues)
        await asyncio.sleep(0)
        return queues

    async def ask(queues: list[asyncio.Queue[Request]]) -> list[Any]:
        calls = (ask_plain(queue, number) for number, queue in enumerate(queues))
        return list(await asyncio.gather(*calls))

    return many(size, start, ask)


async def ask_plain(requests: asyncio.Queue[Request], message: Any) -> Any:
    """Send a message and await its answer."""
    answer = asyncio.get_running_loop().create_future()
    requests.put_nowait((answer, message))
    return await answer


async def gone(ref: Ref[Any]) -> None:
    """Stop an actor and wait until nothing of it is left."""
    ref.shutdown()
    await ref.life.thread_left


def many(
    size: int,
    start: Callable[[], Coroutine[Any, Any, list[Any]]],
    ask: Callable[[list[Any]], Coroutine[Any, Any, list[Any]]],
) -> Figures:
    """Memory of so many that are idle, and what one answer of each costs."""

    async def work() -> Figures:
        gc.collect()
        before = memory_mb("VmRSS")
        began = time.process_time()
        idle = await start()
        started = time.process_time()
        gc.collect()
        memory = memory_mb("VmRSS") - before
        asked = time.process_time()
        answers = await ask(idle)
        done = time.process_time()
        assert answers == list(range(size))
        return {
            "start_cpu_us": 1e6 * (started - began) / size,
            "bytes": memory * 1024**2 / size,
            "answer_cpu_us": 1e6 * (done - asked) / size,
        }

    return asyncio.run(work())


def on_a_loop(size: int, work: Callable[[], Coroutine[Any, Any, None]]) -> Figures:
    """What one of the operations in `work` costs, on a loop of its own."""
    return cost(size, lambda: asyncio.run(work()))


def cost(operations: int, work: Callable[[], object]) -> Figures:
    """What one of the operations in `work` costs, in microseconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"cpu_us": 1e6 * cpu / operations, "wall_us": 1e6 * wall / operations}


MEASURES: dict[str, Callable[[int], Figures]] = {
    measure.__name__: measure
    for measure in (
        spawn_stop_loop_actor,
        spawn_stop_plain_task,
        acall_loop_actor,
        acall_plain_task,
        ask_loop_actor_from_thread,
        many_loop_actors,
        many_plain_tasks,
    )
}


def main(size: str = "10000", name: str = "") -> None:
    """Print the figures of one measure, or of each from a process of its own."""
    if name:
        print(json.dumps(MEASURES[name](int(size))))
        return
    for one in MEASURES:
        command = [sys.executable, "-m", "tests.benchmarks.loop_actors", size, one]
        figures = json.loads(subprocess.check_output(command, text=True))
        rounded = {what: round(figure, 1) for what, figure in figures.items()}
        print(json.dumps({one: rounded}))


if __name__ == "__main__":
    main(*sys.argv[1:])
