"""Work side by side under the tree: what the runtime supplies as a `Spawner`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

import dspex
from dspex.core.errors import WorkLostError, WorkTimeoutError
from dspex.core.spawner import Finished
from dspex.runtime.runtime import current_runtime
from dspex.runtime.spawning import TreeSpawner
from supervisors import Task
from supervisors.tasks import TaskSupervisorActor

WITHIN = 10.0
"""Seconds after which a wait in these tests counts as a hang."""

note: ContextVar[str] = ContextVar("note", default="nobody's")


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as opened:
        yield opened


@pytest.fixture
def spawner() -> TreeSpawner:
    return TreeSpawner()


def by_position(ends: Iterator[Finished[int]]) -> list[int | None]:
    return [end.value for end in sorted(ends, key=lambda end: end.position)]


def test_each_item_is_done_once(spawner: TreeSpawner) -> None:
    ends = spawner.each(lambda n: n * n, range(50), concurrency=7)

    assert by_position(ends) == [n * n for n in range(50)]


def test_no_more_pieces_run_at_a_time_than_allowed(spawner: TreeSpawner) -> None:
    full = threading.Barrier(3)
    running: set[int] = set()
    most = [0]

    def work(n: int) -> int:
        running.add(n)
        most.append(len(running))
        # Only full rounds pass, so at least three run together.
        full.wait(WITHIN)
        running.discard(n)
        return n

    list(spawner.each(work, range(9), concurrency=3))

    assert max(most) == 3


def test_an_error_is_the_end_of_its_piece_alone(spawner: TreeSpawner) -> None:
    def work(n: int) -> int:
        if n == 1:
            raise SystemExit("no")
        return n

    ends = {end.position: end for end in spawner.each(work, range(3), concurrency=2)}

    assert isinstance(ends[1].error, SystemExit)
    assert (ends[0].value, ends[2].value) == (0, 2)


def test_a_piece_sees_its_starters_context_and_leaks_nothing(
    spawner: TreeSpawner,
) -> None:
    def work(n: int) -> str:
        seen = note.get()
        note.set(f"piece {n}'s")
        return seen

    note.set("the starter's")
    seen = [end.value for end in spawner.each(work, range(40), concurrency=1)]

    assert seen == ["the starter's"] * 40
    assert note.get() == "the starter's"


def test_a_piece_that_takes_too_long_is_given_up_and_may_call_no_more(
    spawner: TreeSpawner,
) -> None:
    ends_are_in, ended = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def work(n: int) -> int:
        if n == 0:
            ends_are_in.wait(WITHIN)
            errors.append(_error_of_a_call())
            ended.set()
        return n

    ends = list(spawner.each(work, range(2), concurrency=2, timeout=0.5, label="row"))
    ends_are_in.set()

    late = next(end for end in ends if end.position == 0)
    assert isinstance(late.error, WorkTimeoutError)
    assert late.error.position == 0
    assert "row 0 was not done within 0.5 s" in str(late.error)
    assert [end.value for end in ends if end.position == 1] == [1]
    assert ended.wait(WITHIN)
    assert isinstance(errors[0], dspex.LMCancelledError)


def _error_of_a_call() -> BaseException:
    lm = dspex.LM("openai/gpt-4o-mini", api_key="sk-1", cache=False)
    try:
        lm.complete(())
    except BaseException as error:
        return error
    return AssertionError("the call was made")


def test_pieces_still_running_are_given_up_when_nobody_wants_their_ends(
    spawner: TreeSpawner,
) -> None:
    begun, closed, ended = threading.Event(), threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def work(n: int) -> int:
        if n == 0:
            # What was not begun would simply not run.
            assert begun.wait(WITHIN)
        else:
            begun.set()
            closed.wait(WITHIN)
            errors.append(_error_of_a_call())
            ended.set()
        return n

    ends = spawner.each(work, range(2), concurrency=2)
    first = next(ends)
    ends.close()
    closed.set()

    assert first.position == 0
    assert ended.wait(WITHIN)
    assert isinstance(errors[0], dspex.LMCancelledError)


def test_a_batch_is_seen_in_the_tree_only_while_it_runs(
    spawner: TreeSpawner, runtime: dspex.Runtime
) -> None:
    ends = spawner.each(lambda n: n, range(2), concurrency=1, label="row")
    next(ends)
    during = str(runtime)
    ends.close()

    assert "row batch" in during
    assert "row batch" not in str(runtime)


def test_a_runtime_that_closes_ends_what_runs_in_it(
    spawner: TreeSpawner, runtime: dspex.Runtime
) -> None:
    started, hold = threading.Event(), threading.Event()
    found: list[Finished[int]] = []

    def work(n: int) -> int:
        started.set()
        hold.wait(WITHIN)
        return n

    def batch() -> None:
        with runtime.use():
            found.extend(spawner.each(work, [0], concurrency=1))

    thread = threading.Thread(target=batch)
    thread.start()
    assert started.wait(WITHIN)
    runtime.close(timeout=0.1)
    thread.join(WITHIN)
    hold.set()

    assert isinstance(found[0].error, WorkLostError)


def test_blocking_work_leaves_the_loop_free(spawner: TreeSpawner) -> None:
    go = threading.Event()

    async def main() -> tuple[str, str]:
        note.set("the coroutine's")
        waiting = asyncio.create_task(spawner.in_thread(lambda: _after(go)))
        await asyncio.sleep(0)
        # The loop still runs, so this line is reached while the work waits.
        go.set()
        return await asyncio.wait_for(waiting, WITHIN), note.get()

    assert asyncio.run(main()) == ("the coroutine's", "the coroutine's")


def _after(go: threading.Event) -> str:
    assert go.wait(WITHIN)
    return note.get()


def test_what_work_in_a_thread_raises_is_raised_to_its_awaiter(
    spawner: TreeSpawner,
) -> None:
    def work() -> int:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        asyncio.run(spawner.in_thread(work))


def test_a_cancelled_awaiter_gives_its_work_up(spawner: TreeSpawner) -> None:
    started, hold = threading.Event(), threading.Event()
    errors: list[BaseException] = []
    ended = threading.Event()

    def work() -> None:
        started.set()
        hold.wait(WITHIN)
        errors.append(_error_of_a_call())
        ended.set()

    async def main() -> None:
        waiting = asyncio.create_task(spawner.in_thread(work))
        await asyncio.to_thread(started.wait, WITHIN)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    hold.set()

    assert ended.wait(WITHIN)
    assert isinstance(errors[0], dspex.LMCancelledError)


def test_a_batch_that_the_collector_closes_in_its_own_thread_holds_nothing_up(
    spawner: TreeSpawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, go = threading.Event(), threading.Event()
    ends = spawner.each(lambda number: number or go.wait(30), [0, 1], concurrency=2)
    next(ends)
    end_in_order = TaskSupervisorActor.on_end

    def collect_and_end(actor: Any, *reason: Any) -> Any:
        if not closed.is_set():
            ends.close()
            closed.set()
        return end_in_order(actor, *reason)

    monkeypatch.setattr(TaskSupervisorActor, "on_end", collect_and_end)
    go.set()

    current_runtime().close()

    assert closed.wait(30)


def test_work_that_is_given_up_leaves_nothing_of_its_batch_in_the_tree(
    spawner: TreeSpawner, runtime: dspex.Runtime
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work(_number: int) -> bool:
        begun.set()
        return may_end.wait(WITHIN)

    def search() -> list[Finished[bool]]:
        return list(spawner.each(work, range(3), concurrency=2, label="row"))

    task = Task.async_(search)
    assert begun.wait(WITHIN)
    during = str(runtime)
    # Its calls are refused from now on, and it is in one.
    task.ref.shutdown()
    may_end.set()
    task.shutdown(WITHIN)

    assert "row batch" in during
    assert "row batch" not in str(runtime)
