"""The channel: chunks on their way from the wire's event loop to their consumer.

It joins two sides that run apart: a request's attempt, which puts chunks in on one
event loop, and one consumer, a plain thread or a coroutine on another loop. It is
bounded, so a slow consumer slows the request down, and one that is gone ends it. It
knows no provider, no retry and no actor.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from itertools import zip_longest

from dspex.client.providers.format import Chunk
from dspex.core import defaults
from dspex.core.errors import (
    ConfigurationError,
    LMCancelledError,
    LMError,
    LMStreamError,
)
from dspex.core.lm import Reply
from supervisors import ReplyFuture


class ConsumerGoneError(LMStreamError, LMCancelledError):
    """Nobody reads the stream any more, so its request is broken off."""


class Channel:
    """The chunks of one streamed call, in order, each handed on once.

    The side of the request: each attempt calls `begin_attempt`, then `put` for each
    chunk. Whoever learns how the call ended, in any thread, calls `finish` or `fail`;
    the first of them counts. The consumer takes chunks until there is none, and may
    `close` at any time. It gets every chunk that was put before it hears of the end,
    so the order in which chunks and the end arrive does not matter.

    Args:
        size: Chunks that may wait for the consumer.
        patience: Seconds the consumer may take nothing while so many wait.

    Raises:
        ConfigurationError: One of them is not positive.
    """

    def __init__(
        self,
        *,
        size: int = defaults.STREAM_SIZE,
        patience: float = defaults.STREAM_PATIENCE,
    ) -> None:
        if size < 1 or not patience > 0:
            raise ConfigurationError(
                f"a stream was given size={size!r} and patience={patience!r}; they "
                "count chunks and seconds. Pass positive numbers, or leave them out."
            )
        self._size = size
        self._patience = patience
        # Protects all fields below, which are used by the wire's loop, the consumer and
        # whoever ends the call. Futures are settled outside of it, because that runs
        # the code of others.
        self._lock = threading.Lock()
        self._chunks: deque[Chunk] = deque()
        self._texts: list[str] = []
        self._attempt = 0
        self._began = False
        # Why the request is to be broken off, once it is.
        self._gone: str | None = None
        self._closed = False
        self._end: Reply | BaseException | None = None
        # Made by who has to wait, settled and dropped by who changes something.
        self._news: ReplyFuture[None] | None = None
        self._room: ReplyFuture[None] | None = None

    @property
    def began(self) -> bool:
        """Whether a chunk was handed on, so that the request may not be sent again.

        Any thread may ask. It never becomes false again.
        """
        return self._began

    @property
    def text(self) -> str:
        """What was handed on of the first completion, read by now or not."""
        with self._lock:
            return "".join(self._texts)

    @property
    def reply(self) -> Reply | None:
        """The whole reply, once the call has ended with one."""
        end = self._end
        return end if isinstance(end, Reply) else None

    # The side of the request.

    def begin_attempt(self) -> int:
        """Be the attempt that writes from now on; those before write no more.

        Returns:
            The number to `put` chunks with.

        Raises:
            ConsumerGoneError: Nobody reads any more.
            LMStreamError: An earlier attempt handed a chunk on, so this one must not.
        """
        with self._lock:
            self._check_consumer()
            if self._began:
                raise LMStreamError(
                    "a stream that had begun was sent again; what was read would come "
                    "twice, so it ends here. Ask again if you need the whole.",
                    text="".join(self._texts),
                )
            self._attempt += 1
            return self._attempt

    async def put(self, chunk: Chunk, attempt: int) -> None:
        """Hand a chunk on, as soon as there is room for it.

        Raises:
            ConsumerGoneError: The consumer has left, or took nothing for too long.
            LMCancelledError: The call has ended, or another attempt has begun.
        """
        while (room := self._offer(chunk, attempt)) is not None:
            try:
                async with asyncio.timeout(self._patience):
                    await room
            except TimeoutError:
                self._lose_patience()

    def finish(self, reply: Reply) -> None:
        """The call has ended well.

        When nothing was handed on (an answer from the cache, or from the call of
        another), the reply is handed on now, a chunk for each completion.
        """
        with self._lock:
            if self._end is not None:
                return
            if not self._began and self._gone is None:
                for chunk in _whole(reply):
                    self._take_in(chunk)
            self._end = reply
        self._tell_both()

    def fail(self, error: BaseException) -> None:
        """The call has ended without an answer.

        The consumer gets an `LMError` as `as_told` makes it, and any other as it is.
        """
        with self._lock:
            if self._end is not None:
                return
            self._end = self._told(error) if isinstance(error, LMError) else error
        self._tell_both()

    def as_told(self, error: LMError) -> LMError:
        """The same error before the first chunk, and one with the text so far after.

        The latter is an `LMStreamError` whose cause is the error. One that says that
        the call was given up stays as it is.
        """
        with self._lock:
            return self._told(error)

    # The side of the consumer.

    def take(self) -> Chunk | None:
        """Wait for the next chunk; `None` at the end of a whole answer or when closed.

        Raises:
            LMError: The call ended so; every chunk before was taken.
        """
        while isinstance(found := self._next(), ReplyFuture):
            found.wait()
        return found

    async def atake(self) -> Chunk | None:
        """The same for a coroutine, on any loop. Cancelling it loses no chunk."""
        while isinstance(found := self._next(), ReplyFuture):
            await found
        return found

    def close(self) -> None:
        """Read no more: what waits is dropped and the request is broken off.

        Closing twice, or after the end, is harmless.
        """
        with self._lock:
            if self._gone is None:
                self._gone = "the stream was closed before its end"
            self._chunks.clear()
            self._closed = True
        self._tell_both()

    # What happens under the lock.

    def _offer(self, chunk: Chunk, attempt: int) -> ReplyFuture[None] | None:
        """Take a chunk in, or say what to wait for until there is room."""
        with self._lock:
            self._check_consumer()
            if self._end is not None or attempt != self._attempt:
                raise LMCancelledError(
                    "the call has ended or is made anew; this attempt hands on no more."
                )
            if len(self._chunks) >= self._size:
                self._room = self._room or ReplyFuture()
                return self._room
            self._take_in(chunk)
            news, self._news = self._news, None
        if news is not None:
            news.resolve(None)
        return None

    def _next(self) -> Chunk | ReplyFuture[None] | None:
        """The next chunk, or what to wait for, or `None` after the last."""
        with self._lock:
            if self._chunks:
                chunk = self._chunks.popleft()
                room, self._room = self._room, None
            elif self._closed or isinstance(self._end, Reply):
                return None
            elif self._end is not None:
                raise self._end
            else:
                self._news = self._news or ReplyFuture()
                return self._news
        if room is not None:
            room.resolve(None)
        return chunk

    def _told(self, error: LMError) -> LMError:
        if not self._began or isinstance(error, LMStreamError | LMCancelledError):
            return error
        return _broken(error, "".join(self._texts))

    def _take_in(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self._began = True
        if chunk.index == 0:
            self._texts.append(chunk.text)

    def _lose_patience(self) -> None:
        with self._lock:
            # The consumer may have taken one at the last moment.
            if len(self._chunks) >= self._size:
                self._gone = self._gone or (
                    f"nothing of the stream was read for {self._patience:g} s while "
                    f"{self._size} chunks waited"
                )

    def _check_consumer(self) -> None:
        if self._gone is not None:
            raise ConsumerGoneError(
                f"{self._gone}, so the request was broken off. Read a stream to its "
                "end without long pauses, or give it more patience.",
                text="".join(self._texts),
            )

    def _tell_both(self) -> None:
        with self._lock:
            waited_for = (self._news, self._room)
            self._news = self._room = None
        for change in waited_for:
            if change is not None:
                change.resolve(None)


def _broken(error: LMError, text: str) -> LMStreamError:
    stream_error = LMStreamError(
        f"the stream broke after {len(text)} characters of text: {error} It is not "
        "sent again, because what was read would come twice; `.text` holds it.",
        text=text,
        model=error.model,
        status=error.status,
        request_id=error.request_id,
        retry_after=error.retry_after,
        attempts=error.attempts,
    )
    stream_error.__cause__ = error
    return stream_error


def _whole(reply: Reply) -> Iterator[Chunk]:
    """A reply that did not come in pieces, as one chunk for each completion."""
    for index, (text, reasoning) in enumerate(
        zip_longest(reply.texts, reply.reasoning, fillvalue="")
    ):
        if text or reasoning:
            yield Chunk(text=text, reasoning=reasoning, index=index)
