"""Lanes: tasks one after another on one thread, each an actor of its own."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from supervisors import (
    ActorDownError,
    Crashed,
    ExitReason,
    Killed,
    Normal,
    Ref,
    TaskSupervisor,
    current_scope,
)

_seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")


class Errand:
    """A task of a lane."""

    label = "errand"
    tags: Mapping[str, Any] = {"errand": 1}

    def __init__(self, work: Callable[[], object]) -> None:
        self.context = contextvars.copy_context()
        self.run = work
        self.ref: Ref[Any] | None = None
        self.reason: ExitReason | None = None
        self.over = threading.Event()

    def started(self, ref: Ref[Any]) -> None:
        self.ref = ref

    def ended(self, reason: ExitReason) -> None:
        assert self.reason is None, "told twice"
        self.reason = reason
        self.over.set()


class Errands:
    """Some tasks, in order."""

    def __init__(self, *errands: Errand) -> None:
        self.left = list(errands)
        self.used_up = threading.Event()
        self.sent_back: list[Any] = []

    def next_task(self) -> Errand | None:
        if self.left:
            return self.left.pop(0)
        self.used_up.set()
        return None

    def refused(self, task: Any, error: Exception) -> None:
        self.sent_back.append((task, error))
        self.used_up.set()


def test_tasks_of_a_lane_run_in_order_on_one_thread() -> None:
    threads: list[int] = []
    errands = [Errand(lambda: threads.append(threading.get_ident())) for _ in range(3)]
    source = Errands(*errands)

    with TaskSupervisor.start() as tasks:
        tasks.open_lane(source)
        assert source.used_up.wait(10)

    assert len(threads) == 3
    assert len(set(threads)) == 1
    assert [errand.reason for errand in errands] == [Normal()] * 3
    assert len({errand.ref for errand in errands}) == 3


def test_nothing_of_one_task_is_seen_by_the_next() -> None:
    seen: list[str] = []

    def work() -> None:
        seen.append(_seen.get())
        _seen.set("something")

    source = Errands(Errand(work), Errand(work))

    with TaskSupervisor.start() as tasks:
        tasks.open_lane(source)
        assert source.used_up.wait(10)

    assert seen == ["nothing", "nothing"]


def test_calls_of_a_task_bear_its_tags() -> None:
    tags: list[Any] = []

    def work() -> None:
        scope = current_scope()
        tags.append(None if scope is None else scope.tags)

    source = Errands(Errand(work))

    with TaskSupervisor.start() as tasks:
        tasks.open_lane(source)
        assert source.used_up.wait(10)

    assert tags == [{"errand": 1}]


def test_a_task_that_raises_ends_itself_and_not_its_lane() -> None:
    def fail() -> None:
        raise SystemExit

    errands = [Errand(fail), Errand(lambda: None)]
    source = Errands(*errands)

    with TaskSupervisor.start() as tasks:
        tasks.open_lane(source)
        assert source.used_up.wait(10)

    assert isinstance(errands[0].reason, Crashed)
    assert errands[1].reason == Normal()


def test_a_killed_task_ends_its_lane() -> None:
    working, released = threading.Event(), threading.Event()

    def hang() -> None:
        working.set()
        released.wait(10)

    hung, never = Errand(hang), Errand(lambda: None)
    source = Errands(hung, never)

    with TaskSupervisor.start() as tasks:
        tasks.open_lane(source)
        assert working.wait(10)
        (child,) = tasks.children()
        assert child is hung.ref
        child.kill()
        assert hung.over.wait(10)
        released.set()
        assert child.life.thread_left.wait(10)

        assert hung.reason == Killed()
        assert source.left == [never]


def test_what_a_stopped_supervisor_does_not_take_goes_back() -> None:
    released, working = threading.Event(), threading.Event()

    def wait() -> None:
        working.set()
        released.wait(10)

    later = Errand(lambda: None)
    source = Errands(Errand(wait), later)

    with TaskSupervisor.start(max_children=1) as tasks:
        tasks.open_lane(source)
        assert working.wait(10)
        other = Errands(later)
        tasks.open_lane(other)
        assert other.used_up.wait(10)
        released.set()
        assert source.used_up.wait(10)

    assert [task for task, _ in other.sent_back] == [later]


def test_no_lane_is_opened_under_a_dead_supervisor() -> None:
    with TaskSupervisor.start() as tasks:
        pass

    with pytest.raises(ActorDownError):
        tasks.open_lane(Errands())
