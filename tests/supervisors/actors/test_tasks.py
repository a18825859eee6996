"""Functions that run as short-lived actors."""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Iterator

import pytest

from supervisors import (
    ActorDownError,
    CallTimeoutError,
    ChildSpec,
    Crashed,
    DynamicSupervisorActor,
    Killed,
    Normal,
    ScopeCancelledError,
    Shutdown,
    Supervisor,
    TaskSupervisor,
    current_scope,
)
from supervisors.testing import Probe
from tests.supervisors.actors.parts import WAIT, Block, BoomError, letting_go, worker

word: contextvars.ContextVar[str] = contextvars.ContextVar("word", default="none")


@pytest.fixture
def top() -> Iterator[Supervisor]:
    tasks = ChildSpec(
        id="tasks", name="tasks", actor=DynamicSupervisorActor, kind="supervisor"
    )
    with Supervisor.start([tasks, worker("w")]) as top:
        yield top


@pytest.fixture
def tasks(top: Supervisor) -> TaskSupervisor:
    return TaskSupervisor(top.registry, "tasks")


def test_a_task_has_a_value_and_ends_normally(tasks: TaskSupervisor) -> None:
    task = tasks.start_task(lambda: 6 * 7)

    assert task.get(WAIT) == 42
    assert task.get(WAIT) == 42
    assert task.wait(WAIT) == Normal()


def test_a_task_raises_what_its_function_raised(tasks: TaskSupervisor) -> None:
    def work() -> None:
        raise BoomError("in the task")

    task = tasks.start_task(work)

    with pytest.raises(BoomError, match="in the task"):
        task.get(WAIT)
    assert isinstance(task.wait(WAIT), Crashed)


def test_a_task_that_is_forgotten_leaves_no_trace(tasks: TaskSupervisor) -> None:
    for number in range(20):
        tasks.start_task(functools.partial(abs, number)).wait(WAIT)
    last = tasks.start_task(lambda: "last")
    last.wait(WAIT)
    probe = Probe()
    last.ref.monitor(probe)
    probe.expect()

    for _ in range(1_000):
        if tasks.which_children() == ():
            return
    pytest.fail("ended tasks are still listed")


def test_waiting_for_a_task_may_time_out_and_be_tried_again(
    tasks: TaskSupervisor,
) -> None:
    with letting_go(Block("value")) as block:
        task = tasks.start_task(lambda: block(None), label="slow")

        with pytest.raises(CallTimeoutError, match=r"'slow 1' is not done after 0\.01"):
            task.get(0.01)
        block.release.set()

        assert task.get(WAIT) == "value"


def test_a_cancelled_task_is_over_at_once_and_its_calls_are_refused(
    top: Supervisor, tasks: TaskSupervisor
) -> None:
    refused = Probe()
    block = Block()

    def work() -> None:
        try:
            top.handle("w").call(block, timeout=None)
        except ScopeCancelledError as error:
            refused(str(error))

    with letting_go(block):
        task = tasks.start_task(work, label="job")
        block.inside()

        task.cancel("nobody wants it")

        assert task.wait(WAIT) == Killed()
        with pytest.raises(ActorDownError):
            task.get(WAIT)
        assert refused.expect() == "job was given up: nobody wants it"
    assert task.ref.life.thread_left.wait(WAIT)


def test_a_task_that_its_supervisor_stops_tells_who_waits(
    top: Supervisor, tasks: TaskSupervisor
) -> None:
    started = threading.Event()
    scopes = []

    def work() -> None:
        scope = current_scope()
        assert scope is not None
        scopes.append(scope)
        with letting_go(Block()) as block, scope.on_cancel(block.release.set):
            started.set()
            block(None)

    task = tasks.start_task(work)
    assert started.wait(WAIT)
    stopper = threading.Thread(target=top.stop)
    stopper.start()
    scopes[0].cancel("the tree is stopped")
    stopper.join(WAIT)

    assert task.wait(WAIT) in (Shutdown(), Normal())
    assert task.get(WAIT) is None


def test_a_task_killed_by_others_gives_its_scope_up(tasks: TaskSupervisor) -> None:
    with letting_go(Block()) as block:
        task = tasks.start_task(lambda: block(None))
        block.inside()

        task.ref.kill()

        with pytest.raises(ActorDownError, match="killed"):
            task.get(WAIT)
        assert task.scope.cancelled


def test_a_task_runs_in_a_copy_of_its_starters_context(tasks: TaskSupervisor) -> None:
    def work() -> str:
        before = word.get()
        word.set("changed in the task")
        return before

    token = word.set("mine")
    try:
        assert tasks.start_task(work).get(WAIT) == "mine"
        assert word.get() == "mine"
    finally:
        word.reset(token)


def test_a_task_has_a_scope_of_its_own(tasks: TaskSupervisor) -> None:
    task = tasks.start_task(current_scope)

    assert task.get(WAIT) is task.scope
