"""Reading everything again while it is used: checked first, swapped whole.

What is wrong with the new is told, and the old goes on. A wish that comes while one is
being carried out is carried out after it, once, however many came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from dspex.core.errors import DspexError
from supervisors.log import logger

Read = TypeVar("Read")


class Reloading(Generic[Read]):
    """Carries out wishes to reload, one after another, on one event loop.

    Args:
        read: Reads and checks everything, in a thread; raises when something is wrong.
        swap: Puts what was read in the place of the old, on the loop; raises when that
            cannot be, and then leaves the old.
        on_begin: Called before each reading.
        on_end: Called after it, however it ended.
    """

    def __init__(
        self,
        *,
        read: Callable[[], Read],
        swap: Callable[[Read], Awaitable[object]],
        on_begin: Callable[[], object],
        on_end: Callable[[], object],
    ) -> None:
        self._read = read
        self._swap = swap
        self._on_begin = on_begin
        self._on_end = on_end
        self._wished = asyncio.Event()
        self.failed = 0
        """How many reloads were refused."""
        self.done = 0
        """How many were carried out."""
        self.was_refused = False
        """Whether the last one was refused."""

    def wish(self) -> None:
        """Reload soon."""
        self._wished.set()

    async def run(self) -> None:
        """Carry out wishes until this is cancelled."""
        while True:
            await self._wished.wait()
            self._wished.clear()
            self._on_begin()
            try:
                await self._swap(await asyncio.to_thread(self._read))
            except Exception as error:  # noqa: BLE001 - whatever is wrong with the new, the old goes on
                self.failed += 1
                self.was_refused = True
                told = str(error) if isinstance(error, DspexError) else repr(error)
                logger("dspex").error("reload refused", reason=told)
            else:
                self.done += 1
                self.was_refused = False
                logger("dspex").info("reloaded")
            finally:
                self._on_end()
