"""Streamed answers as people hold them, for threads and for coroutines.

A stream owns no socket and no thread of the tree: its call is made beside, as any other
call, and its chunks come through a channel. How the call is made is a function that it
is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Self

from dspex.client.channel import Channel
from dspex.client.providers.format import Chunk
from dspex.core import defaults
from dspex.core.callbacks import Announced
from dspex.core.errors import LMCancelledError, LMStreamError
from dspex.core.lm import Reply
from dspex.core.loops import running_loop
from dspex.core.outputs import outputs_of
from supervisors import Scope, current_scope, within

Fetch = Callable[[Channel], Reply]
"""Makes a call whose chunks go into the channel, and waits for its reply."""
AsyncFetch = Callable[[Channel], Awaitable[Reply]]
"""The same for a coroutine."""


class _Answer:
    """What both kinds of stream share: a channel, and a call that can be given up."""

    # How the call is given up, once it was begun. On the class, so that it is there
    # when the constructor raised.
    _give_up: Callable[[], object] | None = None

    def __init__(self, patience: float, call: Announced | None) -> None:
        self._channel = Channel(patience=patience)
        self._call = call

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.text)} characters so far>"

    def __del__(self) -> None:
        # The channel is left alone: its lock may be held in this very thread.
        if self._give_up is not None:
            self._give_up()

    @property
    def text(self) -> str:
        """What has come of the first completion, also what was not read yet."""
        return self._channel.text

    @property
    def reply(self) -> Reply:
        """The whole reply, with usage and all, once the stream has ended.

        Raises:
            LMStreamError: It has not, it broke, or it was closed; `.text` holds what
                has come.
        """
        reply = self._channel.reply
        if reply is None:
            raise LMStreamError(
                "there is no whole reply: the stream was not read to its end, was "
                "closed, or broke. Read it to its end first; `.text` holds what came.",
                text=self.text,
            )
        return reply

    def _enter(self) -> None:
        """Tell that the call begins."""
        if self._call is not None:
            self._call.__enter__()

    def _exit(self, exc_info: tuple[Any, ...]) -> None:
        """Read no more, and tell how the call has ended."""
        self._leave()
        if self._call is not None:
            if self._channel.reply is not None:
                self._call.outputs = outputs_of(self._channel.reply)
            self._call.__exit__(*exc_info)

    def _leave(self) -> None:
        self._channel.close()
        # What was closed before it began never begins.
        self._give_up = self._give_up or _nothing
        self._give_up()


class Stream(_Answer):
    """An answer that comes in pieces; from `LM.stream`.

    Iterate over it with `for`. The call is made when the first chunk is asked for, with
    the cache, limits and retries of any other; an answer from the cache, or from
    another's equal call, is one chunk. Chunks wait in a bounded queue, so whoever reads
    slowly slows the provider down. The request is broken off when the stream is closed,
    when the loop over it is left and nobody holds it, or when nothing is read for
    `patience` seconds while the queue is full.

    Iterating raises the `LMError` the call ended with. After the first chunk that is
    an `LMStreamError` with the text so far, and the request is not sent again.

    Example:
        >>> def fetch(channel):
        ...     return Reply(texts=("Paris",))
        >>> stream = Stream(fetch)
        >>> [chunk.text for chunk in stream]
        ['Paris']
        >>> stream.reply.text
        'Paris'
    """

    def __init__(
        self,
        fetch: Fetch,
        *,
        patience: float = defaults.STREAM_PATIENCE,
        call: Announced | None = None,
    ) -> None:
        """Hold what is to be done; `LM.stream` makes them."""
        super().__init__(patience, call)
        self._fetch = fetch

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Chunk:
        if self._give_up is None:
            self._give_up = _begin_on_a_thread(self._fetch, self._channel)
        try:
            chunk = self._channel.take()
        except BaseException:
            # A Ctrl-C comes this way, too.
            self.close()
            raise
        if chunk is None:
            raise StopIteration
        return chunk

    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._exit(exc_info)

    def close(self) -> None:
        """Read no more and break the request off. Closing twice is harmless."""
        self._leave()


class AsyncStream(_Answer):
    """The same for coroutines; from `LM.astream`.

    Iterate over it with `async for`, on one event loop, where its call is made as a
    task. Cancelling the read of a chunk closes the stream.

    Example:
        >>> async def fetch(channel):
        ...     return Reply(texts=("Paris",))
        >>> async def read():
        ...     return [chunk.text async for chunk in AsyncStream(fetch)]
        >>> asyncio.run(read())
        ['Paris']
    """

    def __init__(
        self,
        fetch: AsyncFetch,
        *,
        patience: float = defaults.STREAM_PATIENCE,
        call: Announced | None = None,
    ) -> None:
        """Hold what is to be done; `LM.astream` makes them."""
        super().__init__(patience, call)
        self._fetch = fetch

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        if self._give_up is None:
            self._give_up = _begin_as_a_task(self._fetch, self._channel)
        try:
            chunk = await self._channel.atake()
        except BaseException:
            self._leave()
            raise
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def __aenter__(self) -> Self:
        self._enter()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._exit(exc_info)

    async def aclose(self) -> None:
        """Read no more and break the request off. Closing twice is harmless."""
        self._leave()


def _nothing() -> None:
    """Give up a call that was never begun."""


def _begin_on_a_thread(fetch: Fetch, channel: Channel) -> Callable[[], object]:
    """Make the call beside, as a part of this thread's work; how to give it up."""
    outer = current_scope()
    scope = Scope("the call of a stream", tags=outer.tags if outer else None)
    with within(scope):
        context = contextvars.copy_context()
    threading.Thread(
        target=context.run,
        args=(_settle, fetch, channel),
        name="dspex-stream",
        daemon=True,
    ).start()
    return partial(scope.cancel, "nobody reads it any more")


def _settle(fetch: Fetch, channel: Channel) -> None:
    try:
        channel.finish(fetch(channel))
    except BaseException as error:  # noqa: BLE001 - it is raised where the chunks are read
        channel.fail(error)


def _begin_as_a_task(fetch: AsyncFetch, channel: Channel) -> Callable[[], object]:
    """The same on the running loop, as a task of its own."""
    loop = running_loop()
    task = loop.create_task(_asettle(fetch, channel), name="dspex-stream")

    def give_up() -> None:
        # Any thread may drop a stream, also when its loop has closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(task.cancel)

    return give_up


async def _asettle(fetch: AsyncFetch, channel: Channel) -> None:
    try:
        channel.finish(await fetch(channel))
    except asyncio.CancelledError:
        # Whoever reads was not cancelled by this, and must not seem so.
        channel.fail(LMCancelledError("the call of a stream was cancelled."))
        raise
    except BaseException as error:  # noqa: BLE001 - it is raised where the chunks are read
        channel.fail(error)
