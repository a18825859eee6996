"""Blocks that end in another context than they began in.

The two halves of a fixture of asynchronous tests are two tasks, and those of a
dependency of FastAPI two threads, each with a context of its own.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import types
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any

import pytest

import dspex

IN_MEMORY = dspex.Config(persist=False)


def entered(block: AbstractContextManager[Any]) -> Any:
    return contextvars.copy_context().run(block.__enter__)


def left(block: AbstractContextManager[Any]) -> Any:
    return contextvars.copy_context().run(block.__exit__, None, None, None)


def test_a_runtime_that_is_left_elsewhere_is_closed() -> None:
    runtime = dspex.Runtime(IN_MEMORY)

    entered(runtime)
    left(runtime)

    assert runtime.state == "closed"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: dspex.Runtime(IN_MEMORY).use(), id="use"),
        pytest.param(lambda: dspex.Budget(calls=1), id="Budget"),
        pytest.param(dspex.track_usage, id="track_usage"),
        pytest.param(lambda: dspex.context(max_errors=1), id="context"),
    ],
)
def test_a_block_that_is_left_elsewhere_changes_nothing_there(
    make: Callable[[], AbstractContextManager[Any]],
) -> None:
    block = make()

    entered(block)

    assert not left(block)


def test_a_lifespan_may_end_in_another_task() -> None:
    lifespan = dspex.lifespan(IN_MEMORY)
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        runtime = loop.run_until_complete(lifespan.__aenter__())

        loop.run_until_complete(lifespan.__aexit__(None, None, None))

    assert runtime.state == "closed"


class Waits(dspex.Module):
    """A program that awaits and is never answered."""

    async def aforward(self) -> dspex.Prediction:
        await for_ever()
        return dspex.Prediction()


@types.coroutine
def for_ever() -> Generator[None]:
    while True:
        yield


def test_a_call_whose_coroutine_is_dropped_elsewhere_just_ends() -> None:
    program = Waits(callbacks=[dspex.BaseCallback()])
    call = program.acall()

    contextvars.copy_context().run(call.send, None)
    call.close()

    assert inspect.getcoroutinestate(call) == inspect.CORO_CLOSED
