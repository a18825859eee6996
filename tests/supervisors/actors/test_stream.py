"""A function over many inputs, on real tasks."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import itertools
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from supervisors import (
    SYSTEM_CLOCK,
    ActorDownError,
    CallTimeoutError,
    ChildStateError,
    ConfigError,
    Crashed,
    Exit,
    Failed,
    Killed,
    Ok,
    ScopeCancelledError,
    Supervisor,
    Task,
    TaskSupervisor,
    current_scope,
    deadline,
    stream,
)
from supervisors._crew import Crew
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import WAIT, BoomError, Scripted, running

word: contextvars.ContextVar[str] = contextvars.ContextVar("word", default="none")


@pytest.fixture
def tasks() -> Iterator[TaskSupervisor]:
    with TaskSupervisor.start(task_shutdown="brutal_kill") as tasks:
        yield tasks


class Gates:
    """Work that waits, input by input, until it is let go."""

    def __init__(self) -> None:
        self.entered = Probe()
        self.gates: dict[int, threading.Event] = {}
        self.lock = threading.Lock()

    def gate(self, number: int) -> threading.Event:
        with self.lock:
            return self.gates.setdefault(number, threading.Event())

    def __call__(self, number: int) -> int:
        gate, scope = self.gate(number), current_scope()
        assert scope is not None
        self.entered(number)
        with scope.on_cancel(gate.set):
            assert gate.wait(WAIT)
        return number

    def expect(self, *numbers: int) -> None:
        """Wait until these have begun."""
        assert {self.entered.expect() for _ in numbers} == set(numbers)


def crash_at(bad: int, number: int) -> int:
    if number == bad:
        raise BoomError(str(number))
    return number


def values(results: Any) -> list[Any]:
    return [result.value for result in results]


def test_results_come_in_the_order_of_the_inputs(tasks: TaskSupervisor) -> None:
    results = tasks.stream(range(500), lambda n: n * n, max_concurrency=8)

    assert values(results) == [n * n for n in range(500)]


def test_unordered_results_come_as_they_are_done(tasks: TaskSupervisor) -> None:
    gates = Gates()
    gates.gate(1).set()
    results = tasks.stream([0, 1], gates, max_concurrency=2, ordered=False)

    first = next(results)
    gates.gate(0).set()

    assert [first, *results] == [Ok(1), Ok(0)]


def test_inputs_may_be_without_an_end(tasks: TaskSupervisor) -> None:
    results = tasks.stream(itertools.count(), lambda n: -n, max_concurrency=3)

    assert values(itertools.islice(results, 100)) == [-n for n in range(100)]


def test_an_input_is_taken_only_when_a_task_may_start(tasks: TaskSupervisor) -> None:
    taken: list[int] = []

    def inputs() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = tasks.stream(inputs(), abs, max_concurrency=3, ordered=False)
    assert taken == []

    for delivered, _ in enumerate(results, start=1):
        assert len(taken) <= delivered + 3


def test_memory_is_bounded_behind_a_slow_head(tasks: TaskSupervisor) -> None:
    gates = Gates()
    for number in range(1, 20):
        gates.gate(number).set()
    results = tasks.stream(range(20), gates, max_concurrency=2, max_ahead=5)
    taker = threading.Thread(target=lambda: got.extend(results))
    got: list[Any] = []
    taker.start()
    gates.expect(0, 1, 2, 3, 4)
    for ref in tasks.children():
        if ref.life.label != "stream 1":
            ref.wait(WAIT)

    gates.entered.expect_nothing()
    gates.gate(0).set()
    taker.join(WAIT)

    assert values(got) == list(range(20))


def test_inputs_that_raise_end_the_stream(tasks: TaskSupervisor) -> None:
    gates = Gates()

    def inputs() -> Iterator[int]:
        yield 0
        raise BoomError("no more")

    results = tasks.stream(inputs(), gates, max_concurrency=2)

    with pytest.raises(BoomError, match="no more"):
        next(results)
    assert tasks.children() == ()
    assert list(results) == []


# Crashes.


def test_a_crash_of_a_linked_task_is_raised_and_ends_the_others(
    tasks: TaskSupervisor,
) -> None:
    gates = Gates()

    def work(number: int) -> int:
        if number == 1:
            raise BoomError("1")
        return gates(number)

    results = tasks.stream([0, 1], work, max_concurrency=2)

    with pytest.raises(BoomError):
        next(results)
    assert tasks.children() == ()
    assert list(results) == []


def test_a_crash_is_a_result_when_the_tasks_are_not_linked(
    tasks: TaskSupervisor,
) -> None:
    work = functools.partial(crash_at, 1)

    results = list(tasks.stream(range(3), work, link=False, zip_input_on_exit=True))

    assert [results[0], results[2]] == [Ok(0), Ok(2)]
    crashed = results[1]
    assert isinstance(crashed, Exit)
    assert isinstance(crashed.reason, Crashed)
    assert crashed.input == 1


def test_a_killed_task_is_an_exit_or_an_error(tasks: TaskSupervisor) -> None:
    def work(_: int) -> None:
        tasks.children()[0].kill()

    with pytest.raises(ActorDownError, match="killed"):
        next(tasks.stream([1], work))


# Time.


def test_each_task_has_its_own_time(tasks: TaskSupervisor) -> None:
    del tasks
    clock = ManualClock()
    gates = Gates()
    with Supervisor.start([TaskSupervisor.child_spec()], clock=clock) as top:
        tasks = TaskSupervisor(top.registry, "tasks")
        results = tasks.stream(
            [0, 1], gates, max_concurrency=1, timeout=3, on_timeout="kill_task"
        )
        got: list[Any] = []
        taker = threading.Thread(target=lambda: got.extend(results))
        taker.start()
        gates.expect(0)
        clock.advance(3)
        gates.expect(1)
        clock.advance(2)
        gates.gate(1).set()
        taker.join(WAIT)

    assert got == [Exit(Failed("timeout")), Ok(1)]


def test_a_result_that_came_too_late_is_a_timeout_for_a_slow_taker() -> None:
    clock = ManualClock()
    gates = Gates()
    results = stream(
        [0, 1], gates, clock=clock, timeout=3, on_timeout="kill_task", max_concurrency=2
    )
    first: list[Any] = []
    taker = threading.Thread(target=lambda: first.append(next(results)))
    taker.start()
    gates.expect(0, 1)
    gates.gate(0).set()
    taker.join(WAIT)
    assert first == [Ok(0)]
    clock.advance(4)
    life = next(iter(results._crew._running.values()))
    gates.gate(1).set()
    assert life.thread_left.wait(WAIT)

    assert list(results) == [Exit(Failed("timeout"))]


def test_a_task_that_takes_too_long_ends_the_stream(tasks: TaskSupervisor) -> None:
    with pytest.raises(CallTimeoutError, match='on_timeout="kill_task"'):
        next(tasks.stream([1], Gates(), timeout=0.01))
    assert tasks.children() == ()


def test_the_calls_of_a_task_end_with_its_time(tasks: TaskSupervisor) -> None:
    def work(_: int) -> bool:
        scope = current_scope()
        assert scope is not None
        return scope.deadline is not None

    assert next(tasks.stream([1], work, timeout=60)) == Ok(True)
    assert next(tasks.stream([1], work, timeout=None)) == Ok(False)


def test_the_deadline_of_the_work_around_ends_the_stream(
    tasks: TaskSupervisor,
) -> None:
    with deadline(0.01), pytest.raises(CallTimeoutError):
        next(tasks.stream([1], Gates(), timeout=None))
    assert tasks.children() == ()


# Leaving early.


def leave_by_break(results: Any, first: list[Any]) -> None:
    for result in results:
        first.append(result)
        break


@pytest.mark.parametrize("how", ["break", "close", "with", "forget"])
def test_leaving_early_ends_the_tasks(tasks: TaskSupervisor, how: str) -> None:
    gates = Gates()
    gates.gate(0).set()
    first: list[Any] = []

    def start() -> Any:
        return tasks.stream(itertools.count(), gates, max_concurrency=3)

    match how:
        case "break":
            leave_by_break(start(), first)
        case "close":
            results = start()
            first.append(next(results))
            results.close()
            results.close()
        case "with":
            with start() as results:
                first.append(next(results))
        case _:
            first.append(next(start()))
    gc.collect()

    assert first == [Ok(0)]
    assert tasks.children() == ()


def test_a_stream_that_nobody_iterates_starts_nothing(tasks: TaskSupervisor) -> None:
    seen = Probe()

    tasks.stream([1, 2], seen)

    seen.expect_nothing()


def test_the_death_of_the_taker_ends_the_tasks(tasks: TaskSupervisor) -> None:
    gates = Gates()
    with running(Scripted) as taker:
        taker.cast(lambda _: list(tasks.stream([0, 1], gates, max_concurrency=2)))
        gates.expect(0, 1)

        refs = tasks.children()
        taker.kill()

        assert [ref.wait(WAIT) for ref in refs] == [Killed(), Killed()]


def test_a_stream_leaves_nothing_at_its_owner(tasks: TaskSupervisor) -> None:
    with running(Scripted) as taker:
        got = taker.call(lambda _: values(tasks.stream([1, 2], abs)), WAIT)

        assert got == [1, 2]
        assert not taker.life.ended._callbacks


def test_the_end_of_the_task_supervisor_ends_the_stream(
    tasks: TaskSupervisor,
) -> None:
    gates = Gates()
    gates.gate(0).set()
    results = tasks.stream(itertools.count(), gates, max_concurrency=2)
    next(results)

    tasks.stop(WAIT)

    with pytest.raises(ActorDownError):
        next(results)


def test_news_that_came_before_anybody_listened_is_heard() -> None:
    crew = Crew(SYSTEM_CLOCK)

    life = Task.completed(1)._life
    crew.told(0)(life.ended)
    crew.add(0, life)

    bell, _ = crew.bell()
    assert bell.done()
    assert [position for position, _, _ in crew.news()] == [0]


# Nesting and limits.


def nested(tasks: TaskSupervisor, depth: int, number: int) -> int:
    if depth == 0:
        return number
    below = functools.partial(nested, tasks, depth - 1)
    return sum(values(tasks.stream(range(number), below, max_concurrency=1)))


def test_streams_inside_streams_never_deadlock(tasks: TaskSupervisor) -> None:
    work = functools.partial(nested, tasks, 3)

    got = values(tasks.stream(range(5), work, max_concurrency=1))

    assert got == [nested(tasks, 3, number) for number in range(5)]
    assert got == [0, 0, 0, 0, 1]


def test_a_full_supervisor_ends_the_stream() -> None:
    with TaskSupervisor.start(max_children=1, task_shutdown="brutal_kill") as tasks:
        with pytest.raises(ChildStateError, match="max_children"):
            next(tasks.stream([0, 1], Gates(), max_concurrency=2))

        assert tasks.children() == ()


def test_a_stream_runs_in_copies_of_its_takers_context(tasks: TaskSupervisor) -> None:
    def work(_: int) -> str:
        before = word.get()
        word.set("changed in a task")
        return before

    token = word.set("mine")
    try:
        assert values(tasks.stream(range(50), work)) == ["mine"] * 50
    finally:
        word.reset(token)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_concurrency": 0}, "Pass a number from 1 on"),
        ({"timeout": -1}, "None for no limit"),
        ({"on_timeout": "wait"}, "expected 'exit'"),
        ({"max_concurrency": 4, "max_ahead": 3}, "what runs counts as well"),
    ],
)
def test_options_that_make_no_sense_are_refused_at_once(
    tasks: TaskSupervisor, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        tasks.stream([1], abs, **options)


def test_elixirs_unbounded_buffer_can_be_had(tasks: TaskSupervisor) -> None:
    results = tasks.stream(range(9), abs, max_concurrency=2, max_ahead=math.inf)

    assert values(results) == list(range(9))


# On event loops.


def taken_on_loop(make: Callable[[], Any]) -> list[Any]:
    async def main() -> list[Any]:
        return [result async for result in make()]

    return asyncio.run(main())


async def numbers() -> AsyncIterator[int]:
    for number in range(5):
        await asyncio.sleep(0)
        yield number


def test_a_stream_is_an_async_iterator_too(tasks: TaskSupervisor) -> None:
    got = taken_on_loop(lambda: tasks.stream(range(50), abs, max_concurrency=4))

    assert values(got) == list(range(50))


def test_inputs_may_be_asynchronous(tasks: TaskSupervisor) -> None:
    assert values(taken_on_loop(lambda: tasks.stream(numbers(), abs))) == [*range(5)]


def test_the_loop_goes_on_while_a_stream_waits(tasks: TaskSupervisor) -> None:
    gates = Gates()

    async def main() -> list[Any]:
        got = []

        async def take() -> None:
            async for result in tasks.stream([0], gates):
                got.append(result)

        async def let_go() -> None:
            gates.gate(0).set()

        await asyncio.gather(take(), let_go())
        return got

    assert asyncio.run(main()) == [Ok(0)]


def test_cancelling_who_takes_the_results_ends_the_tasks(
    tasks: TaskSupervisor,
) -> None:
    gates = Gates()

    async def main() -> None:
        async def take() -> None:
            async for _ in tasks.stream([0, 1], gates, max_concurrency=2):
                pass

        taker = asyncio.create_task(take())
        await asyncio.to_thread(gates.expect, 0, 1)
        taker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taker
        assert tasks.children() == ()

    asyncio.run(main())


def test_errors_and_time_on_a_loop_are_the_same(tasks: TaskSupervisor) -> None:
    work = functools.partial(crash_at, 1)
    with pytest.raises(BoomError):
        taken_on_loop(lambda: tasks.stream(range(3), work))
    got = taken_on_loop(
        lambda: tasks.stream([1], Gates(), timeout=0.01, on_timeout="kill_task")
    )
    assert got == [Exit(Failed("timeout"))]

    async def with_deadline() -> None:
        with deadline(0.01), pytest.raises(CallTimeoutError):
            await anext(tasks.stream([1], Gates(), timeout=None))

    asyncio.run(with_deadline())


def test_work_that_was_given_up_starts_no_more(tasks: TaskSupervisor) -> None:
    with running(Scripted) as taker:
        refused = Probe()

        def script(actor: Any) -> None:
            results = tasks.stream(itertools.count(), abs)
            next(results)
            actor.actor_ref.kill()
            try:
                values(itertools.islice(results, 1000))
            except ScopeCancelledError as error:
                refused(error)

        taker.cast(script)

        assert isinstance(refused.expect(), ScopeCancelledError)
