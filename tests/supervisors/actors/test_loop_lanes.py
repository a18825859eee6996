"""Lanes of tasks on an event loop: `TaskSupervisor.open_lane_on`."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from supervisors import (
    ChildStateError,
    EventLoopActor,
    ExitReason,
    Ref,
    StartError,
    TaskSupervisor,
    current_scope,
)
from supervisors.exits import KILLED, NORMAL, Crashed

PATIENT = 20.0

around: contextvars.ContextVar[int] = contextvars.ContextVar("around", default=0)

Work = Callable[[], Coroutine[Any, Any, object]]


class Piece:
    """A task of a lane that notes what it hears."""

    def __init__(self, work: Work) -> None:
        self.label = "piece"
        self.tags: dict[str, Any] = {"piece": 7}
        self.context = contextvars.copy_context()
        self.arun = work
        self.ref: Ref[Any] | None = None
        self.reasons: list[ExitReason] = []
        self.over = threading.Event()

    def started(self, ref: Ref[Any]) -> None:
        self.ref = ref

    def ended(self, reason: ExitReason) -> None:
        self.reasons.append(reason)
        self.over.set()


class Source:
    """Hands pieces out in order."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.waiting = deque(pieces)
        self.threads: set[int] = set()
        self.empty = threading.Event()
        self.refusals: list[tuple[Piece, Exception]] = []

    def next_task(self) -> Piece | None:
        self.threads.add(threading.get_ident())
        if self.waiting:
            return self.waiting.popleft()
        self.empty.set()
        return None

    def refused(self, task: Piece, error: Exception) -> None:
        self.refusals.append((task, error))
        self.empty.set()


@pytest.fixture
def tasks() -> Iterator[TaskSupervisor]:
    with TaskSupervisor.start() as running:
        yield running


@pytest.fixture
def loop() -> Iterator[Ref[EventLoopActor]]:
    ref = EventLoopActor.start()
    yield ref
    ref.kill()


def test_one_at_a_time_in_order_on_the_loop(
    tasks: TaskSupervisor, loop: Ref[EventLoopActor]
) -> None:
    seen: list[tuple[int, int]] = []

    def work(number: int) -> Work:
        async def one() -> None:
            seen.append((number, len(tasks.children())))
            await asyncio.sleep(0)
            # Seen by nobody else: each runs in a copy of its context.
            assert around.get() == 0
            scope = current_scope()
            assert scope is not None
            assert scope.tags == {"piece": 7}
            around.set(number)

        return one

    pieces = [Piece(work(number)) for number in range(1, 101)]
    source = Source(pieces)

    tasks.open_lane_on(loop, source)

    assert source.empty.wait(PATIENT)
    assert seen == [(number, 1) for number in range(1, 101)]
    assert all(piece.reasons == [NORMAL] for piece in pieces)
    assert loop.life.thread is not None
    assert source.threads == {loop.life.thread.ident}


def test_a_crash_is_its_own_end_and_the_lane_goes_on(
    tasks: TaskSupervisor, loop: Ref[EventLoopActor]
) -> None:
    async def broken() -> None:
        raise SystemExit

    async def well() -> None: ...

    pieces = [Piece(broken), Piece(well)]
    source = Source(pieces)

    tasks.open_lane_on(loop, source)

    assert source.empty.wait(PATIENT)
    assert isinstance(pieces[0].reasons[0], Crashed)
    assert pieces[1].reasons == [NORMAL]


def test_a_killed_task_is_cancelled_and_ends_its_lane(
    tasks: TaskSupervisor, loop: Ref[EventLoopActor]
) -> None:
    began, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def well() -> None: ...

    first, second = Piece(wait), Piece(well)
    source = Source([first, second])
    tasks.open_lane_on(loop, source)
    assert began.wait(PATIENT)

    assert first.ref is not None
    first.ref.kill()

    assert first.over.wait(PATIENT)
    assert cancelled.wait(PATIENT)
    assert first.reasons == [KILLED]
    assert first.ref.life.thread_left.wait(PATIENT)
    assert list(source.waiting) == [second]
    tasks.open_lane_on(loop, source)
    assert second.over.wait(PATIENT)


def test_a_task_that_may_not_begin_goes_back_and_ends_the_lane(
    loop: Ref[EventLoopActor],
) -> None:
    async def well() -> None: ...

    async def wait() -> None:
        await asyncio.Event().wait()

    source = Source([Piece(well), Piece(well)])
    first, second = tuple(source.waiting)
    with TaskSupervisor.start(max_children=1) as full:
        full.async_on(loop, wait)

        full.open_lane_on(loop, source)

        assert source.empty.wait(PATIENT)
        [(given_back, error)] = source.refusals
    assert given_back is first
    assert isinstance(error, ChildStateError)
    assert list(source.waiting) == [second]
    assert first.reasons == []


def test_a_lane_on_a_loop_that_is_closed_is_refused(tasks: TaskSupervisor) -> None:
    loop = asyncio.new_event_loop()
    loop.close()

    with pytest.raises(StartError, match="does not run"):
        tasks.open_lane_on(loop, Source([]))
