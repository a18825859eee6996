"""Functions that run as short-lived actors."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from supervisors import (
    ActorDownError,
    CallTimeoutError,
    ChildNotFoundError,
    ChildSpec,
    ChildStateError,
    ConfigError,
    Crashed,
    DynamicSupervisorActor,
    Exit,
    ExitSignal,
    Killed,
    Normal,
    Ok,
    Restart,
    Scope,
    ScopeCancelledError,
    Shutdown,
    StartError,
    Supervisor,
    Task,
    TaskOwnerError,
    TaskSupervisor,
    await_many,
    current_scope,
    deadline,
    snapshot,
    within,
    yield_many,
)
from supervisors._current import current_life
from supervisors.events import CHILD_ABANDONED, Event, Events
from supervisors.testing import Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    BoomError,
    Scripted,
    letting_go,
    running,
    worker,
)

word: contextvars.ContextVar[str] = contextvars.ContextVar("word", default="none")


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def top(events: Events) -> Iterator[Supervisor]:
    children = [TaskSupervisor.child_spec(), worker("w")]
    with Supervisor.start(children, events=events) as top:
        yield top


@pytest.fixture
def tasks(top: Supervisor) -> TaskSupervisor:
    return TaskSupervisor(top.registry, "tasks")


def crash() -> Any:
    raise BoomError("in the task")


def blocked(block: Block) -> Callable[[], Any]:
    return functools.partial(block, None)


def until_asked_to_stop() -> str:
    """Work until somebody wants this task to end, as a well-behaved function does."""
    scope, asked = current_scope(), threading.Event()
    assert scope is not None
    with scope.on_cancel(asked.set):
        assert asked.wait(WAIT)
    return "half done"


# Values and crashes.


def test_a_task_has_a_value_and_ends_normally(tasks: TaskSupervisor) -> None:
    task = tasks.async_(lambda: 6 * 7)

    assert task.await_(WAIT) == 42
    assert task.await_(WAIT) == 42
    assert task.ref.wait(WAIT) == Normal()


def test_a_task_raises_what_its_function_raised(tasks: TaskSupervisor) -> None:
    task = tasks.async_nolink(crash)

    with pytest.raises(BoomError, match="in the task"):
        task.await_(WAIT)
    assert isinstance(task.ref.wait(WAIT), Crashed)


def test_whatever_a_function_raises_ends_its_task_alone(tasks: TaskSupervisor) -> None:
    def leave() -> None:
        raise SystemExit(3)

    task = tasks.async_nolink(leave)

    with pytest.raises(SystemExit):
        task.await_(WAIT)
    assert tasks.async_(lambda: "alive").await_(WAIT) == "alive"


def test_a_task_that_is_over_is_on_no_list(
    top: Supervisor, tasks: TaskSupervisor
) -> None:
    task = tasks.async_(lambda: None)

    task.await_(WAIT)

    assert tasks.children() == ()
    assert all(node.id != task.label for node in snapshot(top).children)


def test_a_running_task_is_in_the_picture_of_the_tree(
    top: Supervisor, tasks: TaskSupervisor
) -> None:
    with letting_go(Block()) as block:
        task = tasks.async_(blocked(block), label="slow")
        block.inside()

        node = snapshot(top).find("tasks", "slow 1")

        assert tasks.children() == (task.ref,)
        assert node is not None
        assert (node.kind, node.state) == ("TaskActor", "up")
    task.await_(WAIT)


def test_starts_and_ends_of_tasks_are_events(
    tasks: TaskSupervisor, events: Events
) -> None:
    seen = Probe()
    events.attach(seen, ("supervisors", "child"))

    tasks.async_(lambda: None, label="job").await_(WAIT)

    names: list[Event] = [seen.expect(), seen.expect()]
    assert [event.name[-1] for event in names] == ["start", "exit"]
    assert {event.metadata["child_id"] for event in names} == {"job 1"}


# Waiting.


def test_a_wait_that_timed_out_may_be_tried_again(tasks: TaskSupervisor) -> None:
    with letting_go(Block("value")) as block:
        task = tasks.async_(blocked(block), label="slow")

        with pytest.raises(CallTimeoutError, match="'slow 1' is not done in time"):
            task.await_(0.01)
        for _ in range(3):
            assert task.yield_(0.001) is None
        assert not task.ref.life.ended._callbacks
        block.release.set()

        assert task.yield_(WAIT) == Ok("value")


def test_the_deadline_of_the_work_around_ends_a_wait(tasks: TaskSupervisor) -> None:
    with letting_go(Block()) as block:
        task = tasks.async_(blocked(block))

        with deadline(0.01), pytest.raises(CallTimeoutError):
            task.yield_(WAIT)
        with deadline(0.01), pytest.raises(CallTimeoutError):
            yield_many([task], WAIT)


def test_a_wait_ends_when_the_work_around_is_given_up(tasks: TaskSupervisor) -> None:
    scope = Scope("job")
    with letting_go(Block()) as block, within(scope):
        task = tasks.async_(blocked(block))
        block.inside()
        canceller = threading.Thread(target=scope.cancel, args=["enough"])
        canceller.start()

        with pytest.raises(ScopeCancelledError, match="job was given up: enough"):
            task.await_(WAIT)
        canceller.join(WAIT)


def test_only_the_owner_waits(tasks: TaskSupervisor) -> None:
    task = tasks.async_nolink(lambda: 1)

    def refused(_actor: Any) -> list[str]:
        texts = []
        attempts: list[Callable[[], Any]] = [
            task.await_,
            task.yield_,
            task.shutdown,
            task.ignore,
            lambda: await_many([task]),
            lambda: yield_many([task]),
        ]
        for attempt in attempts:
            with pytest.raises(TaskOwnerError) as caught:
                attempt()
            texts.append(str(caught.value))
        return texts

    with running(Scripted) as other:
        texts = other.call(refused, WAIT)

    assert len(texts) == 6
    assert texts[0].startswith("await_() of the task 'task 1' was called by somebody")
    assert task.await_(WAIT) == 1


def test_await_many_raises_at_the_first_failure(tasks: TaskSupervisor) -> None:
    with letting_go(Block()) as block:
        many = [tasks.async_nolink(blocked(block)), tasks.async_nolink(crash)]

        with pytest.raises(BoomError):
            await_many(many, WAIT)
        assert many[0].ref.is_alive()


def test_nothing_to_wait_for_is_no_wait() -> None:
    assert await_many([]) == []
    assert yield_many([]) == []


# On event loops.


def test_a_task_is_awaited_on_an_event_loop_that_goes_on(tasks: TaskSupervisor) -> None:
    async def main() -> tuple[Any, str]:
        with letting_go(Block("value")) as block:
            task = tasks.async_nolink(blocked(block))

            async def meanwhile() -> str:
                block.release.set()
                return "the loop went on"

            value, said = await asyncio.gather(task.aawait(WAIT), meanwhile())
            return value, said

    assert asyncio.run(main()) == ("value", "the loop went on")


def test_awaiting_raises_what_waiting_raises(tasks: TaskSupervisor) -> None:
    async def main() -> None:
        with pytest.raises(BoomError):
            await tasks.async_nolink(crash)
        with letting_go(Block()) as block:
            slow = tasks.async_nolink(blocked(block))
            with pytest.raises(CallTimeoutError):
                await slow.aawait(0.01)
            assert not slow.ref.life.ended._callbacks

    asyncio.run(main())


# Ending.


def test_a_task_asked_to_stop_may_finish(tasks: TaskSupervisor) -> None:
    task = tasks.async_(until_asked_to_stop)

    assert task.shutdown(WAIT) == Ok("half done")
    assert task.ref.wait(WAIT) == Normal()


def test_a_task_asked_to_stop_ends_by_a_refused_call(
    top: Supervisor, tasks: TaskSupervisor
) -> None:
    block = Block()
    with letting_go(block):
        task = tasks.async_(lambda: top.handle("w").call(block, timeout=None))
        block.inside()

        assert task.shutdown(WAIT) is None
        assert task.ref.wait(WAIT) == Shutdown()


def test_a_task_that_does_not_heed_is_given_up(tasks: TaskSupervisor) -> None:
    with letting_go(Block()) as block:
        task = tasks.async_(blocked(block))
        block.inside()

        assert task.shutdown(0.01) is None
        assert task.ref.wait(WAIT) == Killed()
        assert tasks.children() == ()
    assert task.ref.life.thread_left.wait(WAIT)


def test_a_task_that_was_killed_by_others_says_so(tasks: TaskSupervisor) -> None:
    with letting_go(Block()) as block:
        task = tasks.async_(blocked(block))
        block.inside()

        task.ref.kill()

        with pytest.raises(ActorDownError, match="killed"):
            task.await_(WAIT)
        assert task.shutdown() == Exit(Killed())
        assert task.scope.cancelled


def test_the_end_of_a_task_that_is_shut_down_does_not_end_its_owner(
    tasks: TaskSupervisor,
) -> None:
    def script(_actor: Any) -> str:
        tasks.async_(until_asked_to_stop).shutdown("brutal_kill")
        return "alive"

    with running(Scripted) as owner:
        assert owner.call(script, WAIT) == "alive"
        assert owner.is_alive()


def test_an_ignored_task_does_not_end_its_owner(tasks: TaskSupervisor) -> None:
    with letting_go(Block()) as block, running(Scripted) as owner:
        task: Task[Any]
        task = owner.call(lambda _: tasks.async_(lambda: block(None) and crash()), WAIT)
        assert owner.call(lambda _: task.ignore(), WAIT) is None
        block.release.set()

        assert isinstance(task.ref.wait(WAIT), Crashed)
        assert owner.is_alive()


def test_the_end_of_the_tree_asks_tasks_to_stop(
    top: Supervisor, tasks: TaskSupervisor
) -> None:
    task = tasks.async_(until_asked_to_stop)

    top.stop(WAIT)

    assert task.yield_(WAIT) == Ok("half done")


def test_the_death_of_the_task_supervisor_kills_its_tasks(
    tasks: TaskSupervisor,
) -> None:
    with letting_go(Block()) as block:
        task = tasks.async_(blocked(block))
        block.inside()

        tasks.ref().kill()

        assert task.ref.wait(WAIT) == Killed()


def test_nothing_is_started_under_a_supervisor_that_has_ended() -> None:
    tasks = TaskSupervisor.start()
    roll = tasks.ref().life.roll
    tasks.stop(WAIT)

    assert not roll.enter(Task.completed(1).ref.life)
    with pytest.raises(ActorDownError):
        tasks.async_(lambda: 1)


def test_a_child_is_terminated_by_its_ref(tasks: TaskSupervisor) -> None:
    temporary = tasks.start_child(until_asked_to_stop)
    lasting = tasks.start_child(until_asked_to_stop, restart=Restart.PERMANENT)
    assert set(tasks.children()) == {temporary, lasting}

    tasks.terminate_child(temporary)
    tasks.terminate_child(lasting)

    assert tasks.children() == ()
    assert not temporary.is_alive()
    assert not lasting.is_alive()
    with pytest.raises(ChildNotFoundError):
        tasks.terminate_child(lasting)


def test_max_children_counts_both_kinds() -> None:
    with TaskSupervisor.start(max_children=2) as tasks:
        first = tasks.start_child(until_asked_to_stop)
        tasks.start_child(until_asked_to_stop, restart=Restart.TRANSIENT)

        for restart in Restart:
            with pytest.raises(ChildStateError, match="max_children"):
                tasks.start_child(until_asked_to_stop, restart=restart)
        tasks.terminate_child(first)

        assert tasks.async_(lambda: "room again").await_(WAIT) == "room again"


def test_a_dynamic_supervisor_is_no_task_supervisor() -> None:
    spec = ChildSpec(id="d", name="d", actor=DynamicSupervisorActor, kind="supervisor")
    with (
        Supervisor.start([spec]) as top,
        pytest.raises(ConfigError, match=r"TaskSupervisor\.child_spec"),
    ):
        TaskSupervisor(top.registry, "d").async_(crash)


def sends_after(block: Block, top: Supervisor, told: Probe) -> Callable[[], None]:
    """Work that sends a message once its block is let go."""

    def work() -> None:
        block(None)
        top.handle("w").cast(lambda _actor: told("sent"))

    return work


def test_what_a_dead_task_sends_is_void(top: Supervisor, tasks: TaskSupervisor) -> None:
    told = Probe()
    with letting_go(Block()) as block:
        task = tasks.async_(sends_after(block, top, told))
        block.inside()
        task.ref.kill()
    assert task.ref.life.thread_left.wait(WAIT)

    top.handle("w").call(lambda _actor: None, WAIT)
    told.expect_nothing()


def test_a_task_asked_to_stop_may_still_send(
    top: Supervisor, tasks: TaskSupervisor
) -> None:
    told = Probe()
    with letting_go(Block()) as block:
        task = tasks.async_(sends_after(block, top, told))
        block.inside()
        task.ref.shutdown()

    assert told.expect() == "sent"
    assert task.await_(WAIT) is None


# Links.


def test_an_actor_that_traps_gets_the_end_of_its_task_as_a_message(
    tasks: TaskSupervisor,
) -> None:
    told = Probe()

    class Trapping(Scripted):
        trap_exit = True

        def on_receive(self, message: Any) -> Any:
            if isinstance(message, ExitSignal):
                return told(message)
            return super().on_receive(message)

    with running(Trapping) as owner:
        task = owner.call(lambda _: tasks.async_(crash), WAIT)

        signal = told.expect()

        assert signal.source == task.ref
        assert isinstance(signal.reason, Crashed)


def test_an_actor_ends_for_the_reason_of_its_task(tasks: TaskSupervisor) -> None:
    with running(Scripted) as owner:
        owner.cast(lambda _: tasks.async_(crash).await_(WAIT))

        reason = owner.wait(WAIT)

    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, BoomError)


def test_a_task_without_a_supervisor() -> None:
    assert Task.async_(lambda: "alone").await_(WAIT) == "alone"


# Contexts, scopes and threads.


def test_a_task_runs_in_a_copy_of_its_starters_context(tasks: TaskSupervisor) -> None:
    def work() -> str:
        before = word.get()
        word.set("changed in the task")
        return before

    token = word.set("mine")
    try:
        assert [tasks.async_(work).await_(WAIT) for _ in range(20)] == ["mine"] * 20
        assert word.get() == "mine"
    finally:
        word.reset(token)
    assert tasks.async_(work).await_(WAIT) == "none"


def test_each_run_of_a_restarted_task_has_a_fresh_copy_of_the_context(
    tasks: TaskSupervisor,
) -> None:
    seen = Probe()

    def work() -> None:
        seen(word.get())
        word.set("changed in the task")
        crash()

    token = word.set("mine")
    try:
        tasks.start_child(work, restart=Restart.TRANSIENT)
    finally:
        word.reset(token)

    assert [seen.expect() for _ in range(4)] == ["mine"] * 4


def test_a_task_has_a_scope_of_its_own(tasks: TaskSupervisor) -> None:
    task = tasks.async_(current_scope)

    assert task.await_(WAIT) is task.scope


def test_the_scopes_of_the_starter_hold_for_the_task(
    top: Supervisor, tasks: TaskSupervisor
) -> None:
    scope, block = Scope("job"), Block()
    with letting_go(block):
        with within(scope):
            task = tasks.async_nolink(lambda: top.handle("w").call(block, timeout=None))
        block.inside()

        scope.cancel("nobody wants it")

        with pytest.raises(ScopeCancelledError, match="job was given up"):
            task.await_(WAIT)


def test_work_that_was_given_up_starts_no_task(tasks: TaskSupervisor) -> None:
    scope = Scope("job")
    scope.cancel("nobody wants it")

    with within(scope), pytest.raises(ScopeCancelledError):
        tasks.async_(lambda: 1)


def test_threads_are_used_again(tasks: TaskSupervisor) -> None:
    def thread() -> int:
        return threading.get_ident()

    threads = {tasks.async_(thread).await_(WAIT) for _ in range(200)}

    assert len(threads) < 20


def test_tasks_that_wait_for_tasks_never_starve(tasks: TaskSupervisor) -> None:
    def nested(depth: int) -> int:
        if depth == 0:
            return 0
        return 1 + tasks.async_(functools.partial(nested, depth - 1)).await_(WAIT)

    assert tasks.async_(functools.partial(nested, 30)).await_(WAIT) == 30


def test_code_in_a_task_is_in_an_actor(tasks: TaskSupervisor) -> None:
    task = tasks.async_(current_life)

    assert task.await_(WAIT) is task.ref.life


# Zombies.


def test_tasks_that_were_given_up_are_counted_and_capped(
    top: Supervisor, tasks: TaskSupervisor, events: Events
) -> None:
    abandoned = Probe()
    events.attach(abandoned, CHILD_ABANDONED)
    blocks = [Block() for _ in range(16)]
    with contextlib.ExitStack() as stack:
        for block in blocks:
            stack.enter_context(letting_go(block))
            task = tasks.async_nolink(blocked(block), label="stuck")
            block.inside()
            task.shutdown("brutal_kill")

        assert abandoned.expect().measurements == {"zombies": 1}
        with pytest.raises(StartError, match="max_zombies of their supervisor: stuck"):
            tasks.async_nolink(lambda: 1)
        refused = tasks.ref().life.roll
    for life in refused._zombies.present():
        assert life.thread_left.wait(WAIT)

    assert tasks.async_nolink(lambda: "again").await_(WAIT) == "again"


def test_a_handle_finds_the_next_incarnation(tasks: TaskSupervisor) -> None:
    assert tasks.async_(lambda: 1).await_(WAIT) == 1
    first = tasks.ref()
    first.kill()
    tasks.registry.await_name("tasks", WAIT)

    assert tasks.async_(lambda: 2).await_(WAIT) == 2
    assert tasks.ref() != first
