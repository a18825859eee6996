"""The two kinds of stream over a call that is made up."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from dspex.client.channel import Channel
from dspex.client.providers.format import Chunk
from dspex.core.errors import (
    ConfigurationError,
    LMCancelledError,
    LMConnectionError,
    LMStreamError,
)
from dspex.core.lm import Reply
from dspex.runtime.stream import AsyncStream, Stream
from supervisors import (
    NO_REPLY,
    Actor,
    Ref,
    Scope,
    ScopeCancelledError,
    current_scope,
    within,
)

PATIENT = 20.0
REPLY = Reply(texts=("ab",))


def put(channel: Channel, *texts: str) -> None:
    """Hand texts on from a loop, as the wire does."""
    asyncio.run(aput(channel, *texts))


async def aput(channel: Channel, *texts: str) -> None:
    attempt = channel.begin_attempt()
    for text in texts:
        await channel.put(Chunk(text=text), attempt)


def fetch(channel: Channel) -> Reply:
    """A call that goes well."""
    put(channel, "a", "b")
    return REPLY


async def afetch(channel: Channel) -> Reply:
    await aput(channel, "a", "b")
    return REPLY


class Silent(Actor):
    """Never answers."""

    def on_receive(self, message: Any) -> Any:
        return NO_REPLY


@pytest.fixture
def silent() -> Iterator[Ref[Silent]]:
    ref = Silent.start()
    yield ref
    ref.stop()


class Endless:
    """A call that hands on one chunk, then lasts until it is given up."""

    def __init__(self, silent: Ref[Silent]) -> None:
        self._silent = silent
        self.begun = threading.Event()
        self.given_up = threading.Event()

    def __call__(self, channel: Channel) -> Reply:
        put(channel, "a")
        try:
            self.begun.set()
            self._silent.call("hello", timeout=None)
        except ScopeCancelledError:
            self.given_up.set()
            raise
        raise AssertionError

    async def acall(self, channel: Channel) -> Reply:
        await aput(channel, "a")
        try:
            self.begun.set()
            await self._silent.acall("hello", timeout=None)
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        raise AssertionError


# For threads.


def test_stream_gives_the_chunks_and_then_the_reply() -> None:
    stream = Stream(fetch)

    texts = [chunk.text for chunk in stream]

    assert texts == ["a", "b"]
    assert stream.text == "ab"
    assert stream.reply is REPLY


def test_ended_stream_stays_at_its_end() -> None:
    stream = Stream(fetch)
    list(stream)

    assert list(stream) == []


def test_nothing_is_called_before_the_first_chunk_is_asked_for() -> None:
    called = threading.Event()

    def work(channel: Channel) -> Reply:
        called.set()
        return REPLY

    stream = Stream(work)
    before = called.is_set()
    next(stream)

    assert (before, called.is_set()) == (False, True)


def test_stream_closed_before_it_began_never_begins() -> None:
    called = threading.Event()

    def work(channel: Channel) -> Reply:
        called.set()
        return REPLY

    stream = Stream(work)
    stream.close()

    assert list(stream) == []
    assert not called.is_set()


def test_error_before_the_first_chunk_is_raised_where_it_is_asked_for() -> None:
    def work(channel: Channel) -> NoReturn:
        raise LMConnectionError("no connection.")

    with pytest.raises(LMConnectionError):
        next(Stream(work))


def test_error_after_the_first_chunk_holds_the_text_so_far() -> None:
    def work(channel: Channel) -> NoReturn:
        put(channel, "a", "b")
        raise LMConnectionError("it broke.")

    stream, texts = Stream(work), list[str]()
    with pytest.raises(LMStreamError) as caught:
        texts.extend(chunk.text for chunk in stream)

    assert caught.value.text == "ab"
    assert stream.text == "ab"
    with pytest.raises(LMStreamError, match="no whole reply"):
        _ = stream.reply


def test_reply_of_a_stream_that_was_not_read_says_so() -> None:
    with pytest.raises(LMStreamError, match="Read it to its end"):
        _ = Stream(fetch).reply


def test_close_gives_the_call_up(silent: Ref[Silent]) -> None:
    work = Endless(silent)
    stream = Stream(work)
    first = next(stream)

    stream.close()
    stream.close()

    assert work.given_up.wait(PATIENT)
    assert first.text == "a"
    assert list(stream) == []


def test_leaving_the_block_gives_the_call_up(silent: Ref[Silent]) -> None:
    work = Endless(silent)

    with pytest.raises(ZeroDivisionError), Stream(work) as stream:
        next(stream)
        raise ZeroDivisionError

    assert work.given_up.wait(PATIENT)


def test_leaving_the_loop_over_a_stream_nobody_holds_gives_the_call_up(
    silent: Ref[Silent],
) -> None:
    work = Endless(silent)

    for _ in Stream(work):
        break
    gc.collect()

    assert work.given_up.wait(PATIENT)


def test_ctrl_c_while_waiting_for_a_chunk_gives_the_call_up(
    silent: Ref[Silent], monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Endless(silent)
    stream = Stream(work)
    next(stream)

    def interrupted() -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(stream._channel, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(stream)

    assert work.given_up.wait(PATIENT)


def test_call_belongs_to_the_work_of_whoever_reads(silent: Ref[Silent]) -> None:
    work = Endless(silent)
    outer = Scope("example 7", tags={"example": 7})
    tags: list[Any] = []

    def tagged(channel: Channel) -> Reply:
        scope = current_scope()
        assert scope is not None
        tags.append(scope.tags)
        return work(channel)

    with within(outer):
        stream = Stream(tagged)
        next(stream)
        work.begun.wait(PATIENT)
        outer.cancel("its deadline passed")
        with pytest.raises(ScopeCancelledError, match="example 7"):
            next(stream)

    assert tags == [{"example": 7}]


def test_stream_without_patience_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Stream(fetch, patience=0.0)


def test_stream_shows_how_far_it_is() -> None:
    stream = Stream(fetch)
    list(stream)

    assert repr(stream) == "<Stream: 2 characters so far>"


# For coroutines.


def test_async_stream_gives_the_chunks_and_then_the_reply() -> None:
    async def work() -> tuple[list[str], Reply]:
        stream = AsyncStream(afetch)
        return [chunk.text async for chunk in stream], stream.reply

    assert asyncio.run(work()) == (["a", "b"], REPLY)


def test_async_error_after_the_first_chunk_holds_the_text_so_far() -> None:
    async def breaks(channel: Channel) -> NoReturn:
        await aput(channel, "a", "b")
        raise LMConnectionError("it broke.")

    async def work() -> None:
        async for _ in AsyncStream(breaks):
            pass

    with pytest.raises(LMStreamError) as caught:
        asyncio.run(work())

    assert caught.value.text == "ab"


def test_async_stream_closed_before_it_began_never_begins() -> None:
    async def work() -> list[Chunk]:
        stream = AsyncStream(_never)
        await stream.aclose()
        return [chunk async for chunk in stream]

    assert asyncio.run(work()) == []


async def _never(channel: Channel) -> NoReturn:
    raise AssertionError


def test_leaving_the_async_block_ends_the_call(silent: Ref[Silent]) -> None:
    call = Endless(silent)

    async def work() -> None:
        async with AsyncStream(call.acall) as stream:
            await anext(stream)
        await _until_set(call.given_up)

    asyncio.run(work())


def test_leaving_the_async_loop_over_a_stream_nobody_holds_ends_the_call(
    silent: Ref[Silent],
) -> None:
    call = Endless(silent)

    async def work() -> None:
        async for _ in AsyncStream(call.acall):
            break
        gc.collect()
        await _until_set(call.given_up)

    asyncio.run(work())


def test_cancelling_the_reading_ends_the_call(silent: Ref[Silent]) -> None:
    call = Endless(silent)

    async def work() -> None:
        stream = AsyncStream(call.acall)
        await anext(stream)
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)

        reading.cancel()
        await _until_set(call.given_up)

        assert reading.cancelled()

    asyncio.run(work())


async def _until_set(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, PATIENT)


def test_call_that_was_cancelled_does_not_seem_to_cancel_the_reader() -> None:
    async def cancelled(channel: Channel) -> NoReturn:
        raise asyncio.CancelledError

    async def work() -> None:
        await anext(AsyncStream(cancelled))

    with pytest.raises(LMCancelledError):
        asyncio.run(work())


def test_stream_that_outlives_its_loop_is_dropped_in_silence(
    silent: Ref[Silent],
) -> None:
    call = Endless(silent)

    async def work() -> AsyncStream:
        stream = AsyncStream(call.acall)
        await anext(stream)
        return stream

    stream = asyncio.run(work())
    del stream
    gc.collect()

    assert call.given_up.is_set()
