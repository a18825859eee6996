"""Ctrl-C in a line of IPython that awaits."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pytest

from dspex.repl.awaiting import ipython_loop, run_awaited

FOREVER = 3_600.0


@pytest.fixture(autouse=True)
def _no_loop_is_left() -> Iterator[None]:
    yield
    ipython_loop().close()


def interrupting(began: threading.Event) -> threading.Thread:
    """Have a Ctrl-C noted; it wakes nobody, as one that another thread was given."""

    def interrupt() -> None:
        if began.wait(30):
            _thread.interrupt_main()

    hand = threading.Thread(target=interrupt)
    hand.start()
    return hand


def test_a_line_gives_what_it_awaits() -> None:
    async def line() -> int:
        return await asyncio.sleep(0, 7)

    assert run_awaited(line()) == 7


def test_an_error_of_a_line_is_its_own() -> None:
    async def line() -> None:
        raise ValueError("no such city")

    with pytest.raises(ValueError, match="no such city"):
        run_awaited(line())


def test_ctrl_c_ends_a_line_and_its_tasks_also_where_it_wakes_nobody() -> None:
    began = threading.Event()
    cancelled: list[str] = []

    async def work(name: str) -> None:
        try:
            began.set()
            await asyncio.sleep(FOREVER)
        except asyncio.CancelledError:
            cancelled.append(name)
            raise

    async def line() -> None:
        task = asyncio.create_task(work("its task"))
        await work("the line")
        await task

    hand = interrupting(began)
    with pytest.raises(KeyboardInterrupt):
        run_awaited(line())
    hand.join()

    assert sorted(cancelled) == ["its task", "the line"]


def test_a_task_of_an_earlier_line_goes_on() -> None:
    kept: list[asyncio.Task[None]] = []
    began = threading.Event()

    async def earlier() -> None:
        kept.append(asyncio.create_task(asyncio.sleep(FOREVER)))

    async def line() -> None:
        began.set()
        await asyncio.sleep(FOREVER)

    run_awaited(earlier())
    hand = interrupting(began)
    with pytest.raises(KeyboardInterrupt):
        run_awaited(line())
    hand.join()

    assert not kept[0].done()
    kept[0].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        ipython_loop().run_until_complete(kept[0])


def test_a_line_that_shows_its_own_end_gives_its_result() -> None:
    began = threading.Event()

    async def line() -> str:
        began.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(FOREVER)
        return "shown"

    hand = interrupting(began)
    result = run_awaited(line())
    hand.join()

    assert result == "shown"
