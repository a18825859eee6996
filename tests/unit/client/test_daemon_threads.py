import asyncio
import contextvars
import gc
import threading
from collections.abc import Awaitable, Callable

import pytest

from dspex.client.daemon_threads import DaemonThreads

PATIENT = 20.0


def with_threads(most: int, use: Callable[[DaemonThreads], Awaitable[None]]) -> None:
    async def main() -> None:
        threads = DaemonThreads(most, "t")
        try:
            await use(threads)
        finally:
            threads.close()

    asyncio.run(main())


def my_name() -> str:
    return threading.current_thread().name


def test_thread_is_used_again() -> None:
    names: list[str] = []

    async def use(threads: DaemonThreads) -> None:
        for _ in range(3):
            names.append(await threads.run(my_name))

    with_threads(1, use)

    assert names == ["t-1"] * 3


def test_no_more_work_at_a_time_than_threads() -> None:
    running, most, lock = [0], [0], threading.Lock()
    both = threading.Barrier(2)

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        both.wait(PATIENT)
        with lock:
            running[0] -= 1

    async def use(threads: DaemonThreads) -> None:
        await asyncio.gather(*(threads.run(work) for _ in range(6)))

    with_threads(2, use)

    assert most == [2]


def test_error_of_the_work_comes_out() -> None:
    def work() -> None:
        raise SystemExit(7)

    async def use(threads: DaemonThreads) -> None:
        with pytest.raises(SystemExit):
            await threads.run(work)
        assert await threads.run(my_name) == "t-1"

    with_threads(1, use)


def test_work_sees_the_context_and_leaves_nothing_in_it() -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []

    def work() -> None:
        seen.append(variable.get())
        variable.set("changed")

    async def use(threads: DaemonThreads) -> None:
        variable.set("mine")
        await threads.run(work)
        await threads.run(work)

    with_threads(1, use)

    assert seen == ["mine", "mine"]


def test_work_cancelled_before_it_began_does_not_begin() -> None:
    go_on, done = threading.Event(), list[str]()

    async def use(threads: DaemonThreads) -> None:
        first = asyncio.create_task(threads.run(lambda: go_on.wait(PATIENT)))
        second = asyncio.create_task(threads.run(lambda: done.append("second")))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        go_on.set()
        assert await first
        await threads.run(lambda: done.append("third"))

    with_threads(1, use)

    assert done == ["third"]


def test_threads_end_when_they_are_closed() -> None:
    seen: list[threading.Thread] = []

    async def use(threads: DaemonThreads) -> None:
        await threads.run(lambda: seen.append(threading.current_thread()))

    with_threads(1, use)
    seen[0].join(PATIENT)

    assert seen[0].daemon
    assert not seen[0].is_alive()


def test_threads_end_when_their_owner_is_gone() -> None:
    async def use() -> list[threading.Thread]:
        threads = DaemonThreads(2, "t")
        both = threading.Barrier(2)

        def work() -> threading.Thread:
            both.wait(PATIENT)
            return threading.current_thread()

        return list(await asyncio.gather(threads.run(work), threads.run(work)))

    seen = asyncio.run(use())
    gc.collect()
    for thread in seen:
        thread.join(PATIENT)

    assert not any(thread.is_alive() for thread in seen)
