"""Answers of a model in the user's own code, in the place of a provider's.

The code is foreign: it may block, hang, raise anything and return anything. Here that
becomes a reply or one of dspex's errors, so that retries, limits and breaker treat it
as they treat a provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol, cast

from dspex.client.daemon_threads import DaemonThreads
from dspex.client.wire import Facts, Send
from dspex.core.errors import (
    ConfigurationError,
    LMConnectionError,
    LMError,
    LMTimeoutError,
    LMUnexpectedError,
)
from dspex.core.lm import Reply, Request


class Answerer(Protocol):
    """A model in this process."""

    @property
    def label(self) -> str:
        """The model as errors name it."""

    @property
    def is_async(self) -> bool:
        """Whether `answer` returns an awaitable; when not, a thread calls it."""

    def answer(self, request: Request) -> Reply | Awaitable[Reply]:
        """Answer a request."""


class HomeMade:
    """Has an answerer work, within a time, and words what goes wrong.

    It is an `Exchange` of the wire, on whose event loop it has many answers made at a
    time.

    Args:
        answerer: The model.
        most_threads: How many answers are made side by side when they block. An answer
            that was given up keeps its thread until its code returns.
    """

    def __init__(self, answerer: Answerer, *, most_threads: int) -> None:
        self._answerer = answerer
        self._threads = DaemonThreads(most_threads, f"model {answerer.label}")

    async def answer(self, request: Request, *, timeout: float) -> Reply:
        """Have a request answered.

        Args:
            request: What is asked.
            timeout: Seconds for the whole answer. Code in a thread is not stopped by
                it; what it returns later is ignored.

        Raises:
            LMTimeoutError: It took longer, or the code raised a `TimeoutError`.
            LMConnectionError: The code raised another `OSError`.
            LMUnexpectedError: The code raised an error of its own, which is chained.
            LMError: The code raised this.
            ConfigurationError: The code raised it.
        """
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                return await self._work(request)
        except (LMError, ConfigurationError):
            raise
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            # The last two would end the wire, and with it the calls of others.
            if isinstance(error, TimeoutError) and limit.expired():
                raise self._too_slow(timeout) from None
            raise self._worded(error) from error

    async def make(self, send: Send, _facts: Facts, /) -> Reply:
        """Have a request answered; see `wire.Exchange.make`.

        Nothing is handed on before the end: a channel that ends without a chunk hands
        on the reply itself.
        """
        return await self.answer(send.request, timeout=send.read_timeout)

    async def aclose(self) -> None:
        """Let the threads end."""
        self._threads.close()

    async def _work(self, request: Request) -> Reply:
        answerer = self._answerer
        if answerer.is_async:
            return await cast("Awaitable[Reply]", answerer.answer(request))
        answer = await self._threads.run(lambda: answerer.answer(request))
        return cast("Reply", answer)

    def _too_slow(self, timeout: float) -> LMTimeoutError:
        label = self._answerer.label
        return LMTimeoutError(
            f"{label!r} had no answer after {timeout:g} s; the model's own code was "
            "still at work. Make it faster, or give it longer with timeout=.",
            model=label,
        )

    def _worded(self, error: BaseException) -> LMError:
        label, kind = self._answerer.label, type(error).__name__
        # The text of a foreign error may hold a prompt or a key; it is in the cause.
        text = (
            f"{label!r} raised {kind} in its own code; an answer was expected. Mend "
            "the model's code; the error is chained to this one."
        )
        match error:
            case TimeoutError():
                return LMTimeoutError(text, model=label)
            case OSError():
                return LMConnectionError(text, model=label)
            case _:
                return LMUnexpectedError(text, model=label)
