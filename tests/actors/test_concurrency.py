"""Programs between threads and event loops: `asyncify`, `syncify`, `in_context`."""

from __future__ import annotations

import asyncio
import copy
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

import dspex
from dspex.testing import DummyLM

WITHIN = 10.0
"""Seconds after which a wait in these tests counts as a hang."""


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as opened:
        yield opened


# in_context


def seen_by_a_plain_thread(work: Any) -> Any:
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(work()))
    thread.start()
    thread.join(WITHIN)
    return seen[0]


def test_a_plain_thread_sees_the_context_it_was_given() -> None:
    def look() -> int:
        return int(dspex.settings.max_errors)

    with dspex.context(max_errors=3):
        carried = dspex.in_context(look)
        bare = seen_by_a_plain_thread(look)

    assert bare == 10
    assert seen_by_a_plain_thread(carried) == 3


def test_a_carried_function_may_run_in_many_threads_and_leaks_nothing() -> None:
    together = threading.Barrier(4)

    def look(n: int) -> int:
        together.wait(WITHIN)
        before = int(dspex.settings.max_errors)
        dspex.context(max_errors=n + 50).__enter__()
        return before

    with dspex.context(max_errors=3):
        carried = dspex.in_context(look)
    with ThreadPoolExecutor(4) as pool:
        first = list(pool.map(carried, range(4)))
        second = list(pool.map(carried, range(4)))

    assert first == second == [3] * 4


def test_usage_and_history_reach_over_a_carried_thread() -> None:
    class Outer(dspex.Program):
        def __init__(self) -> None:
            self.ask = dspex.Predict("a -> b")

        def forward(self) -> Any:
            return seen_by_a_plain_thread(dspex.in_context(self.find))

        def find(self) -> Any:
            return self.ask(a="x")

    outer = Outer()

    with dspex.context(lm=DummyLM([{"b": "yes"}])):
        assert outer().b == "yes"

    assert len(outer.history) == 1


# asyncify


def test_a_blocking_program_is_awaited_in_its_callers_context() -> None:
    predict = dspex.asyncify(dspex.Predict("a -> b"))

    async def main() -> Any:
        with dspex.context(lm=DummyLM([{"b": "yes"}])):
            return await predict(a="x")

    assert asyncio.run(main()).b == "yes"


def test_no_more_threads_run_than_the_setting_says() -> None:
    running, most, full = [0], [0], threading.Barrier(4)
    lock = threading.Lock()

    def work() -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        # Passes only when four run together.
        full.wait(WITHIN)
        with lock:
            running[0] -= 1
        return 42

    async def main() -> list[int]:
        with dspex.context(async_max_workers=4):
            return list(await asyncio.gather(*(ask() for _ in range(12))))

    ask = dspex.asyncify(work)

    assert asyncio.run(main()) == [42] * 12
    assert most[0] == 4


def test_a_changed_setting_counts_on_a_loop_that_runs_already() -> None:
    full = threading.Barrier(3)

    async def main() -> list[int]:
        with dspex.context(async_max_workers=1):
            await dspex.asyncify(lambda: None)()
        with dspex.context(async_max_workers=3):
            # Passes only when three run together.
            wait = dspex.asyncify(lambda: full.wait(WITHIN))
            return list(await asyncio.gather(*(wait() for _ in range(3))))

    assert sorted(asyncio.run(main())) == [0, 1, 2]


def test_what_a_blocking_program_raises_is_raised_to_its_awaiter() -> None:
    def work() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        asyncio.run(dspex.asyncify(work)())


# syncify


class Later(dspex.Program):
    """A program with a coroutine alone."""

    def __init__(self) -> None:
        self.ask = dspex.Predict("a -> b")

    async def aforward(self, a: str) -> Any:
        return await self.ask.acall(a=a)


@pytest.fixture
def lm() -> DummyLM:
    return DummyLM([{"b": str(n)} for n in range(9)])


@pytest.mark.parametrize("in_place", [True, False])
def test_a_coroutine_program_is_called(in_place: bool, lm: DummyLM) -> None:
    program = dspex.syncify(Later(), in_place=in_place)

    with dspex.context(lm=lm):
        assert [program(a="x").b, program(a="y").b] == ["0", "1"]
    assert len(program.history) == 2


@pytest.mark.parametrize("in_place", [True, False])
def test_it_is_called_where_a_loop_runs_already(in_place: bool, lm: DummyLM) -> None:
    program = dspex.syncify(Later(), in_place=in_place)

    async def cell() -> Any:
        return program(a="x")

    with dspex.context(lm=lm):
        assert asyncio.run(cell()).b == "0"


def test_a_copy_of_it_uses_its_own_parts(lm: DummyLM) -> None:
    program = dspex.syncify(Later())
    twin = copy.deepcopy(program)

    with dspex.context(lm=lm):
        twin(a="x")

    assert len(twin.ask.history) == 1
    assert len(program.ask.history) == 0


def test_a_program_without_a_coroutine_is_refused() -> None:
    class Now(dspex.Program):
        def forward(self) -> int:
            return 1

    with pytest.raises(dspex.ConfigurationError, match="has no aforward"):
        dspex.syncify(Now())


def test_a_program_with_a_coroutine_alone_says_how_to_call_it() -> None:
    with pytest.raises(NotImplementedError, match=r"dspex\.syncify\(program\)"):
        Later()(a="x")


def test_what_a_coroutine_raises_inside_a_running_loop_is_raised() -> None:
    class Failing(dspex.Program):
        async def aforward(self) -> None:
            raise LookupError("nothing there")

    program = dspex.syncify(Failing())

    async def cell() -> None:
        program()

    with pytest.raises(LookupError, match="nothing there"):
        asyncio.run(cell())


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_in_a_running_loop_gives_a_coroutine_program_up() -> None:
    given_up = threading.Event()

    class Endless(dspex.Module):
        async def aforward(self) -> None:
            main = threading.main_thread().ident or 0
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: signal.pthread_kill(main, signal.SIGINT))
            try:
                await asyncio.Event().wait()
            finally:
                given_up.set()

    async def cell() -> None:
        dspex.syncify(Endless())()

    # As in a notebook, where Ctrl-C is no cancelling of the loop's task.
    loop = asyncio.new_event_loop()
    with closing(loop), pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(cell())

    assert given_up.wait(WITHIN)
