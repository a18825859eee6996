"""Exceptions thrown into disposable tasks, and into nothing else."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from supervisors import Killed, TaskSupervisor
from supervisors._inject import Injection, TaskInterrupt
from supervisors._threads import ThreadCache
from supervisors.testing import Probe
from tests.supervisors.actors.parts import WAIT, Block, letting_go


@pytest.fixture
def tasks() -> Iterator[TaskSupervisor]:
    with TaskSupervisor.start(inject=True) as tasks:
        yield tasks


def spin(begun: threading.Event) -> None:
    """Compute for ever, in Python."""
    begun.set()
    for _ in itertools.count():
        pass


def test_a_killed_task_that_computes_leaves_its_thread(tasks: TaskSupervisor) -> None:
    begun = threading.Event()
    task = tasks.async_nolink(lambda: spin(begun))
    assert begun.wait(WAIT)

    assert task.shutdown("brutal_kill") is None

    assert task.ref.wait(WAIT) == Killed()
    assert task.ref.life.thread_left.wait(WAIT)


def test_an_exception_waits_for_the_end_of_code_in_c(tasks: TaskSupervisor) -> None:
    with letting_go(Block()) as block:
        task = tasks.async_nolink(lambda: block(None))
        block.inside()

        task.ref.kill()

        assert not task.ref.life.thread_left.done()
    assert task.ref.life.thread_left.wait(WAIT)


def test_without_the_option_nothing_is_thrown() -> None:
    with TaskSupervisor.start() as tasks, letting_go(Block()) as block:
        caught = Probe()

        def work() -> None:
            try:
                block(None)
                caught("nothing")
            except BaseException as error:
                caught(error)

        task = tasks.async_nolink(work)
        block.inside()
        task.ref.kill()
        block.release.set()

        assert caught.expect() == "nothing"


def test_it_is_thrown_once_and_only_while_the_function_runs() -> None:
    injection = Injection()
    assert not injection.throw()

    def work() -> None:
        assert injection.throw()
        assert not injection.throw()
        for _ in itertools.count():
            pass

    with pytest.raises(TaskInterrupt):
        injection.run(work)
    assert not injection.throw()


class ThrownAtTheEnd(Injection):
    """Is thrown at in the moment in which it leaves."""

    def _close(self) -> None:
        self.throw()
        super()._close()


def test_what_has_not_come_when_the_function_ends_is_taken_back() -> None:
    for _ in range(2_000):
        with pytest.raises(TaskInterrupt):
            ThrownAtTheEnd().run(lambda: None)
        # Were one left, it would come here.
        assert sum(range(50)) == 1225


TRACED = """
import sys
from tests.supervisors.actors import test_inject

test_inject.{moment}()
sys.settrace(lambda *_: None)
(lambda: None)()
sys.settrace(None)
print("traced")
test_inject.released.set()
"""
released = threading.Event()


def an_interrupt_that_was_taken_back() -> None:
    with pytest.raises(TaskInterrupt):
        ThrownAtTheEnd().run(lambda: None)


def an_interrupt_of_what_hangs_in_c() -> None:
    hangs, injection = threading.Event(), Injection()

    def hang() -> None:
        hangs.set()
        released.wait(10 * WAIT)

    def until_interrupted() -> None:
        with contextlib.suppress(TaskInterrupt):
            injection.run(hang)

    threading.Thread(target=until_interrupted, daemon=True).start()
    hangs.wait(WAIT)
    assert injection.throw()


@pytest.mark.parametrize(
    "moment", [an_interrupt_that_was_taken_back, an_interrupt_of_what_hangs_in_c]
)
def test_what_is_traced_afterwards_does_not_hang(moment: Callable[[], None]) -> None:
    words = [sys.executable, "-c", TRACED.format(moment=moment.__name__)]

    ended = subprocess.run(words, capture_output=True, text=True, timeout=60)

    assert (ended.stdout, ended.stderr) == ("traced\n", "")


@pytest.fixture
def _restless() -> Iterator[None]:
    """Threads take turns as often as they can, so that races come about."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_restless")
def test_the_next_job_of_the_thread_is_never_hit() -> None:
    rounds = 5_000
    threads = ThreadCache()
    hits: list[BaseException] = []
    counts = {"interrupted": 0}

    for number in range(rounds):
        injection, begun = Injection(), threading.Event()
        innocent = threading.Event()

        def disposable(
            injection: Injection = injection,
            begun: threading.Event = begun,
            length: int = number % 40,
        ) -> None:
            def work() -> None:
                begun.set()
                for _ in range(length * 50):
                    pass

            try:
                injection.run(work)
            except TaskInterrupt:
                counts["interrupted"] += 1

        def next_job(innocent: threading.Event = innocent) -> None:
            try:
                for _ in range(200):
                    pass
            except BaseException as error:
                hits.append(error)
            innocent.set()

        threads.run(disposable)
        begun.wait(WAIT)
        injection.throw()
        threads.run(next_job)
        assert innocent.wait(WAIT)

    assert hits == []
    # Both happened: some were hit, and some were done before.
    assert 0 < counts["interrupted"] < rounds


@pytest.mark.usefixtures("_restless")
def test_the_next_task_is_never_hit(tasks: TaskSupervisor) -> None:
    for _ in range(1_000):
        begun = threading.Event()
        task = tasks.async_nolink(begun.set)
        begun.wait(WAIT)
        task.ref.kill()

        assert tasks.async_nolink(lambda: sum(range(100))).await_(WAIT) == 4950
