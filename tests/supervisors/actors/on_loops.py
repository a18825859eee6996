"""Small parts for tests in which a loop of the test's own runs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from supervisors import LoopActor
from supervisors.testing import Probe
from tests.supervisors.actors.parts import Scripted

P = ParamSpec("P")

PATIENCE = 30.0
"""Seconds after which an asyncio test counts as hanging."""


def on_a_loop(
    test: Callable[P, Coroutine[Any, Any, None]],
) -> Callable[P, None]:
    """Run an asyncio test on a loop of its own, which must have nothing to complain of.

    What a callback of the loop raises is told to nobody else.
    """

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        complaints: list[Any] = []

        async def bounded() -> None:
            asyncio.get_running_loop().set_exception_handler(
                lambda _loop, complaint: complaints.append(complaint)
            )
            async with asyncio.timeout(PATIENCE):
                await test(*args, **kwargs)

        asyncio.run(bounded())
        assert complaints == []

    return run


class Task(Scripted, LoopActor):
    """A `Scripted` that lives on a loop, and notes how it ends."""

    def __init__(self, probe: Probe | None = None) -> None:
        super().__init__()
        self.probe = probe or Probe()

    def on_end(self, reason: Any) -> Any:
        self.probe(("on_end", reason))

    async def on_close(self) -> None:
        # A cancellation that is late would hit one of these.
        for _ in range(3):
            await asyncio.sleep(0)
        self.probe("closed")


def asleep(actor: Any) -> Coroutine[Any, Any, None]:
    """A message that awaits what never comes."""

    async def sleep() -> None:
        try:
            actor.probe("asleep")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            actor.probe("cancelled")
            raise

    return sleep()
