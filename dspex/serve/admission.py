"""How many requests are worked on at a time, and whether any is taken at all.

There is no queue: a request that finds no place is refused at once, and told when to
come again. Used on one event loop only, so there is no lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from dspex.serve.refusals import RETRY_AFTER, Refusal, Refused


class Admission:
    """The places of a service.

    Args:
        most: Requests worked on at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._in_flight = 0
        self._draining = False
        self._waiting: list[asyncio.Future[None]] = []

    def allow(self, most: int) -> None:
        """Work on so many at a time from now on; those that have a place keep it."""
        self._most = most

    @property
    def in_flight(self) -> int:
        """Requests that have a place now."""
        return self._in_flight

    @property
    def draining(self) -> bool:
        """Whether no more are taken."""
        return self._draining

    def begin_draining(self) -> None:
        """Take no more; those that have a place are answered."""
        self._draining = True
        self._tell()

    async def drained(self) -> None:
        """Wait until no more are taken and none has a place."""
        if not self._is_drained():
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for the block.

        Raises:
            Refused: There is none.
        """
        if self._draining:
            raise Refused(DRAINING)
        if self._in_flight >= self._most:
            raise Refused(_busy(self._most))
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            self._tell()

    def _is_drained(self) -> bool:
        return self._draining and not self._in_flight

    def _tell(self) -> None:
        if self._is_drained():
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                if not one.done():
                    one.set_result(None)


DRAINING = Refusal(
    status=503,
    type="draining",
    message="this service is about to stop and takes no more requests. Ask another "
    "one, or ask again in a moment.",
    retry_after=RETRY_AFTER,
    closes=True,
)


def _busy(most: int) -> Refusal:
    return Refusal(
        status=503,
        type="busy",
        message=f"{most} requests are worked on, and this service takes no more at a "
        "time. Ask again in a moment, or start it with a larger max_in_flight.",
        retry_after=RETRY_AFTER,
    )
