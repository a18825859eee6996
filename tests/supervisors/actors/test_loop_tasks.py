"""Tasks on an event loop: `TaskSupervisor.async_on`."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Iterator

import pytest

from supervisors import (
    Actor,
    ActorDownError,
    BlockingCallError,
    ChildSpec,
    EventLoopActor,
    Ref,
    Scope,
    ScopeCancelledError,
    StartError,
    Supervisor,
    TaskSupervisor,
    snapshot,
    within,
)
from supervisors.exits import KILLED, NORMAL, SHUTDOWN
from supervisors.testing import assert_no_actor_left, living

PATIENT = 20.0


@pytest.fixture
def tasks() -> Iterator[TaskSupervisor]:
    with TaskSupervisor.start() as running:
        yield running


@pytest.fixture
def loop() -> Iterator[Ref[EventLoopActor]]:
    ref = EventLoopActor.start()
    yield ref
    ref.kill()


class Waiting:
    """A coroutine function that waits until it is cancelled, and tells how it went."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.cancelled = threading.Event()

    async def __call__(self) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def nothing() -> None: ...


def test_a_coroutine_runs_on_the_loop_of_its_owner(
    tasks: TaskSupervisor, loop: Ref[EventLoopActor]
) -> None:
    async def where() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    task = tasks.async_on(loop, where)

    assert task.await_(PATIENT) is loop.life.loop
    assert task.ref.wait(PATIENT) == NORMAL


def test_a_loop_of_ones_own_will_do_and_goes_on(tasks: TaskSupervisor) -> None:
    async def six_times_seven() -> int:
        await asyncio.sleep(0)
        return 42

    async def program() -> int:
        return await tasks.async_on(asyncio.get_running_loop(), six_times_seven)

    assert asyncio.run(program()) == 42


def test_what_it_raises_is_raised_where_it_is_awaited(
    tasks: TaskSupervisor, loop: Ref[EventLoopActor]
) -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tasks.async_on(loop, broken).await_(PATIENT)

    assert tasks.async_on(loop, nothing).await_(PATIENT) is None


def test_a_kill_cancels_what_it_awaits(
    tasks: TaskSupervisor, loop: Ref[EventLoopActor]
) -> None:
    waiting = Waiting()
    task = tasks.async_on(loop, waiting)
    assert waiting.began.wait(PATIENT)

    task.ref.kill()

    assert waiting.cancelled.wait(PATIENT)
    assert task.ref.wait(PATIENT) == KILLED


def test_asked_to_stop_it_is_cancelled_too(
    tasks: TaskSupervisor, loop: Ref[EventLoopActor]
) -> None:
    waiting = Waiting()
    task = tasks.async_on(loop, waiting)
    assert waiting.began.wait(PATIENT)

    task.ref.shutdown()

    assert task.ref.wait(PATIENT) == SHUTDOWN
    assert waiting.cancelled.is_set()


def test_all_end_with_their_supervisor(loop: Ref[EventLoopActor]) -> None:
    waiting = [Waiting() for _ in range(20)]
    with TaskSupervisor.start() as tasks:
        running = [tasks.async_on(loop, one) for one in waiting]
        assert all(one.began.wait(PATIENT) for one in waiting)
        assert len(tasks.children()) == 20

    assert all(one.cancelled.wait(PATIENT) for one in waiting)
    assert {task.ref.wait(PATIENT) for task in running} == {SHUTDOWN}
    with pytest.raises(ActorDownError):
        tasks.async_on(loop, nothing)


def test_all_end_with_the_owner_of_their_loop(
    tasks: TaskSupervisor, loop: Ref[EventLoopActor]
) -> None:
    waiting = Waiting()
    task = tasks.async_on(loop, waiting)
    assert waiting.began.wait(PATIENT)

    loop.kill()

    assert task.ref.wait(PATIENT) == KILLED
    assert waiting.cancelled.wait(PATIENT)
    assert loop.life.thread_left.wait(PATIENT)
    with pytest.raises(StartError, match="does not run"):
        tasks.async_on(loop, nothing)
    assert tasks.children() == ()


def test_a_loop_that_is_closed_takes_nobody_in(tasks: TaskSupervisor) -> None:
    loop = asyncio.new_event_loop()
    loop.close()

    with pytest.raises(StartError, match="closed"):
        tasks.async_on(loop, nothing)

    assert tasks.children() == ()


def test_killed_before_its_first_step_it_never_begins(tasks: TaskSupervisor) -> None:
    waiting = Waiting()

    async def program() -> None:
        task = tasks.async_on(asyncio.get_running_loop(), waiting)
        task.ref.kill()
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(program())

    assert not waiting.began.is_set()
    assert_no_actor_left(besides=living())


def test_a_coroutine_that_ignores_its_cancellation_holds_nobody_up(
    tasks: TaskSupervisor, loop: Ref[EventLoopActor]
) -> None:
    began, go = threading.Event(), threading.Event()

    async def stubborn() -> None:
        began.set()
        while not go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.001)

    task = tasks.async_on(loop, stubborn)
    assert began.wait(PATIENT)

    task.ref.kill()

    assert task.ref.wait(PATIENT) == KILLED
    assert tasks.children() == ()
    assert tasks.async_on(loop, nothing).await_(PATIENT) is None
    with pytest.raises(AssertionError, match="abandoned but still running"):
        assert_no_actor_left(timeout=0.01, besides=living())
    go.set()
    assert task.ref.life.thread_left.wait(PATIENT)


def test_a_blocking_call_is_refused_and_named(
    tasks: TaskSupervisor, loop: Ref[EventLoopActor]
) -> None:
    other = Actor.start()

    async def block() -> None:
        other.call("anything")

    with pytest.raises(BlockingCallError, match="acall"):
        tasks.async_on(loop, block).await_(PATIENT)

    other.stop()


def test_it_belongs_to_its_starters_work_and_context(
    tasks: TaskSupervisor, loop: Ref[EventLoopActor]
) -> None:
    around: contextvars.ContextVar[str] = contextvars.ContextVar("around")
    around.set("here")
    other = Actor.start()

    async def look() -> str:
        scope.cancel("nobody wants it")
        with pytest.raises(ScopeCancelledError):
            await other.acall("anything")
        return around.get()

    with within(Scope("the work")) as scope:
        task = tasks.async_on(loop, look)

    assert task.await_(PATIENT) == "here"
    other.stop()


def test_a_picture_of_the_tree_shows_it() -> None:
    specs = [
        ChildSpec(id="loop", name="loop", actor=EventLoopActor),
        TaskSupervisor.child_spec(),
    ]
    waiting = Waiting()
    with Supervisor.start(specs) as top:
        tasks = TaskSupervisor(top.registry, "tasks")
        owner = top.registry.await_name("loop", PATIENT)
        tasks.async_on(owner, waiting, label="example 7")
        assert waiting.began.wait(PATIENT)

        picture = str(snapshot(top))

    assert "example 7" in picture
