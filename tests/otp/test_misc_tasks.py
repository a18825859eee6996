"""All recorded cases of Elixir's `Task` and `Task.Supervisor`, on our tasks."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisors import (
    ActorDownError,
    CallTimeoutError,
    ChildStateError,
    Crashed,
    Exit,
    ExitReason,
    Failed,
    Ok,
    Ref,
    Restart,
    Stop,
    Task,
    TaskOwnerError,
    TaskSupervisor,
    await_many,
    current_scope,
    yield_many,
)
from supervisors.testing import Probe
from tests.otp.task_streams import caller_exit, encoded, played, word
from tests.supervisors.actors.parts import WAIT, Scripted, running

GOLDEN = Path(__file__).parent / "golden" / "misc_tasks.json"
CASES = {
    case["name"].removeprefix("tasks/"): case
    for case in json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]
}
STREAMS = [name for name, case in CASES.items() if "elixir" not in case]

DIFFERENCES = {
    "timeouts and crashes in await, await_many and streams": (
        "Elixir exits the caller; here an error is raised in the caller. An actor that "
        "does not catch it ends with `Crashed(error)`, and the error says what the "
        "reason in Elixir says."
    ),
    "await_from_non_owner_raises": (
        "Elixir raises ArgumentError, we TaskOwnerError, which is a ValueError."
    ),
    "max_children_async_raises": (
        "Elixir raises with a text of its own; we raise ChildStateError, whose state "
        "is `max_children`, and our text."
    ),
    "ending a task that runs": (
        "Elixir's task is gone; our thread goes on until its function returns. The "
        "task is dead for everybody from the same moment, and its calls are refused."
    ),
}
"""Where a case is held in our words: the difference is in the form, not the outcome."""


class Nap:
    """A long sleep of a recorded task: until the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, *_: Any) -> None:
        """Sleep, and wake when somebody wants this task to end."""
        scope = current_scope()
        assert scope is not None
        with scope.on_cancel(self.over.set):
            assert self.over.wait(WAIT)
        scope.check()


@pytest.fixture
def nap() -> Iterator[Nap]:
    """How long tasks of a test sleep."""
    nap = Nap()
    yield nap
    nap.over.set()


@pytest.fixture
def tasks(nap: Nap) -> Iterator[TaskSupervisor]:
    """A task supervisor of its own for each test."""
    with TaskSupervisor.start(task_shutdown="brutal_kill") as tasks:
        yield tasks
        nap.over.set()


def boom() -> Any:
    """Elixir's `exit(:boom)`."""
    raise Stop(Failed("boom"))


def in_actor(script: Callable[[Any], Any]) -> tuple[Any, ExitReason | None]:
    """What a script returns in an actor of its own, and how the actor ended of it."""
    with running(Scripted) as actor:
        try:
            return actor.call(script, WAIT), None
        except ActorDownError:
            return None, actor.wait(WAIT)


def exit_of(script: Callable[[], Any]) -> Any:
    """What Elixir's `catch :exit` would have got."""
    try:
        return script()
    except CallTimeoutError:
        return {"exit": "timeout"}
    except ActorDownError as error:
        return {"exit": word(error.reason)}


def told(outcome: Ok[Any] | Exit | None) -> Any:
    """An outcome in the words of the record."""
    return None if outcome is None else encoded(outcome)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_does_what_elixirs_does(name: str) -> None:
    case = CASES[name]

    assert played(case) == case["result"]


def result_of(name: str) -> Any:
    return CASES[name]["result"]


def test_await_ok(tasks: TaskSupervisor) -> None:
    assert tasks.async_(lambda: 1).await_(WAIT) == result_of("await_ok")


def test_await_timeout_exits_caller(tasks: TaskSupervisor, nap: Nap) -> None:
    got = exit_of(lambda: tasks.async_nolink(nap).await_(0.02))

    assert got == result_of("await_timeout_exits_caller")


def test_async_crash_kills_linked_caller(tasks: TaskSupervisor) -> None:
    value, reason = in_actor(lambda _: tasks.async_(boom).await_(WAIT))

    assert value is None
    assert reason == Failed("boom")
    assert {"caller_exit": caller_exit(reason)} == result_of(
        "async_crash_kills_linked_caller"
    )


def test_async_nolink_crash_await_exits(tasks: TaskSupervisor) -> None:
    got = exit_of(lambda: tasks.async_nolink(boom).await_(WAIT))

    assert got == result_of("async_nolink_crash_await_exits")


def test_async_nolink_crash_yield_tuple(tasks: TaskSupervisor) -> None:
    got = told(tasks.async_nolink(boom).yield_(WAIT))

    assert got == result_of("async_nolink_crash_yield_tuple")


def test_yield_timeout_nil_then_ok(tasks: TaskSupervisor) -> None:
    go = threading.Event()
    task = tasks.async_nolink(lambda: go.wait(WAIT) and 7)

    first = task.yield_(0.01)
    go.set()

    assert [first, told(task.yield_(WAIT))] == result_of("yield_timeout_nil_then_ok")


def test_yield_or_shutdown(tasks: TaskSupervisor, nap: Nap) -> None:
    task = tasks.async_nolink(nap)

    assert [task.yield_(0.01), task.shutdown()] == result_of("yield_or_shutdown")


def test_shutdown_brutal_kill(tasks: TaskSupervisor, nap: Nap) -> None:
    task = tasks.async_nolink(nap)

    assert task.shutdown("brutal_kill") == result_of("shutdown_brutal_kill")


def test_shutdown_already_replied(tasks: TaskSupervisor) -> None:
    task = tasks.async_nolink(lambda: 5)
    task.ref.wait(WAIT)

    assert told(task.shutdown()) == result_of("shutdown_already_replied")


def test_shutdown_crashed(tasks: TaskSupervisor) -> None:
    task = tasks.async_nolink(boom)
    task.ref.wait(WAIT)

    assert told(task.shutdown()) == result_of("shutdown_crashed")


def test_await_many_ok_ordered(tasks: TaskSupervisor) -> None:
    gates = {number: threading.Event() for number in (1, 2, 3)}
    many = [
        tasks.async_(functools.partial(after, gates[number], number))
        for number in (1, 2, 3)
    ]

    for number in (3, 2, 1):
        gates[number].set()
        assert many[number - 1].ref.wait(WAIT)

    assert await_many(many, WAIT) == result_of("await_many_ok_ordered")


def after(gate: threading.Event, value: int) -> int:
    assert gate.wait(WAIT)
    return value


def test_await_many_timeout(tasks: TaskSupervisor, nap: Nap) -> None:
    many = [tasks.async_nolink(lambda: None), tasks.async_nolink(nap)]

    got = exit_of(lambda: await_many(many, 0.04))

    assert got == result_of("await_many_timeout")


def test_yield_many_mixed(tasks: TaskSupervisor, nap: Nap) -> None:
    many: list[Task[Any]] = [
        tasks.async_nolink(lambda: 1),
        tasks.async_nolink(boom),
        tasks.async_nolink(nap),
    ]
    for task in many[:2]:
        assert task.ref.wait(WAIT)

    got = [told(outcome) for _task, outcome in yield_many(many, 0.01)]

    assert got == result_of("yield_many_mixed")


def test_ignore_returns(tasks: TaskSupervisor, nap: Nap) -> None:
    assert tasks.async_nolink(nap).ignore() == result_of("ignore_returns")


class Counted:
    """A function that counts its runs, and ends the first few with a crash."""

    def __init__(self, crashes: int = 0) -> None:
        self.crashes = crashes
        self.runs = 0
        self.done = threading.Event()

    def __call__(self) -> None:
        self.runs += 1
        if self.runs <= self.crashes:
            boom()
        self.done.set()


def until_none_left(tasks: TaskSupervisor) -> None:
    """Wait until the supervisor has handled the ends of all its tasks."""
    for _ in range(100_000):
        try:
            if not tasks.children():
                return
        except ActorDownError:
            return
    pytest.fail("a task is still there")


def test_start_child_temporary_not_restarted(tasks: TaskSupervisor) -> None:
    work = Counted(crashes=99)

    assert tasks.start_child(work).wait(WAIT) == Failed("boom")

    got = [work.runs, len(tasks.children())]
    assert got == result_of("start_child_temporary_not_restarted")


def test_start_child_transient_restarted_until_ok(tasks: TaskSupervisor) -> None:
    work = Counted(crashes=2)

    tasks.start_child(work, restart=Restart.TRANSIENT)
    assert work.done.wait(WAIT)
    until_none_left(tasks)

    got = [work.runs, len(tasks.children()), tasks.is_alive()]
    assert got == result_of("start_child_transient_restarted_until_ok")


def test_start_child_permanent_exhausts_intensity() -> None:
    work = Counted()
    with TaskSupervisor.start() as tasks:
        over = Probe()
        tasks.ref().monitor(over)

        tasks.start_child(work, restart=Restart.PERMANENT)
        over.expect(WAIT)

        got = [work.runs, tasks.is_alive()]
    assert got == result_of("start_child_permanent_exhausts_intensity")


def killed_owner(start: Callable[[], Task[Any]]) -> Ref[Any]:
    """The task of an actor that is killed while the task runs."""
    with running(Scripted) as owner:
        task: Task[Any] = owner.call(lambda _: start(), WAIT)
        owner.kill()
        assert owner.wait(WAIT) is not None
    return task.ref


def test_owner_death_kills_linked_task(tasks: TaskSupervisor, nap: Nap) -> None:
    ref = killed_owner(lambda: tasks.async_(nap))

    assert ref.is_alive() == result_of("owner_death_kills_linked_task")


def test_owner_death_leaves_nolink_task(tasks: TaskSupervisor) -> None:
    go = threading.Event()
    try:
        ref = killed_owner(lambda: tasks.async_nolink(lambda: go.wait(WAIT)))

        assert ref.is_alive() == result_of("owner_death_leaves_nolink_task")
    finally:
        go.set()


def test_await_from_non_owner_raises(tasks: TaskSupervisor) -> None:
    task = tasks.async_nolink(lambda: 1)

    def by_another(_: Any) -> str:
        with pytest.raises(TaskOwnerError) as caught:
            task.await_(WAIT)
        kind: type[Exception] = type(caught.value)
        return "ArgumentError" if issubclass(kind, ValueError) else kind.__name__

    assert in_actor(by_another)[0] == result_of("await_from_non_owner_raises")


def refusal(start: Callable[[], Any]) -> dict[str, str]:
    with pytest.raises(ChildStateError) as caught:
        start()
    return {"error": caught.value.state}


def test_max_children(nap: Nap) -> None:
    with TaskSupervisor.start(max_children=1, task_shutdown="brutal_kill") as tasks:
        tasks.start_child(nap)
        second = refusal(lambda: tasks.start_child(lambda: 1))
        nap.over.set()

    assert ["ok", second] == result_of("max_children")


def test_max_children_async_raises() -> None:
    with (
        TaskSupervisor.start(max_children=0) as tasks,
        pytest.raises(ChildStateError, match="max_children") as caught,
    ):
        tasks.async_(lambda: 1)

    assert caught.value.state == "max_children"
    assert "maximum number of tasks" in result_of("max_children_async_raises")


def test_async_stream_owner_killed_kills_tasks(tasks: TaskSupervisor, nap: Nap) -> None:
    up = Probe()

    def work(number: int) -> None:
        up(number)
        nap()

    with running(Scripted) as owner:
        owner.cast(lambda _: list(tasks.stream([1, 2], work, max_concurrency=2)))
        up.expect()
        up.expect()
        refs = tasks.children()
        owner.kill()
        # The second may still be on its way into the stream when its owner dies.
        for ref in refs:
            assert ref.wait(WAIT) is not None

        got = [ref.is_alive() for ref in refs]
    assert got == result_of("async_stream_owner_killed_kills_tasks")


def test_take_early_stops_starting_more(tasks: TaskSupervisor) -> None:
    started = Probe()
    # The recorded tasks sleep equally long: none is done before the one ahead of it.
    done = [threading.Event() for _ in range(101)]
    done[0].set()

    def work(number: int) -> None:
        started(number)
        assert done[number - 1].wait(WAIT)
        done[number].set()

    results = tasks.stream(range(1, 101), work, max_concurrency=2)
    for count, result in enumerate(results, start=1):
        assert isinstance(result, Ok)
        if count == 3:
            break
    results.close()
    runs = 0
    until_none_left(tasks)
    while not started._queue.empty():
        started.expect()
        runs += 1

    assert (runs < 10) == result_of("take_early_stops_starting_more")


def test_lazy_input_backpressure(tasks: TaskSupervisor, nap: Nap) -> None:
    taken = []

    def work(number: int) -> None:
        if number > 1:
            nap()

    def inputs() -> Iterator[int]:
        for number in range(1, 101):
            taken.append(number)
            yield number

    for _ in tasks.stream(inputs(), work, max_concurrency=3):
        break

    assert (len(taken) <= 4) == result_of("lazy_input_backpressure")


def test_completed_task() -> None:
    assert Task.completed(9).await_(WAIT) == result_of("completed_task")


def test_each_recorded_case_has_its_test() -> None:
    here = {
        name.removeprefix("test_") for name in globals() if name.startswith("test_")
    }

    assert len(CASES) == 74
    assert len(STREAMS) == 48
    assert set(CASES) - set(STREAMS) <= here


def test_a_crash_of_a_linked_task_keeps_its_exception(tasks: TaskSupervisor) -> None:
    def crash() -> None:
        raise RuntimeError("oops")

    _, reason = in_actor(lambda _: tasks.async_(crash).await_(WAIT))

    assert isinstance(reason, Crashed)
    assert str(reason.exception) == "oops"
