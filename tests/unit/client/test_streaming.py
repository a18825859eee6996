"""Reading a stream: chunks to the channel, the reply or the right error at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.channel import Channel, ConsumerGoneError
from dspex.client.providers.format import Chunk
from dspex.client.streaming import read_stream
from dspex.core.errors import (
    LMConnectionError,
    LMError,
    LMResponseError,
    LMServerError,
    LMStreamError,
    LMTimeoutError,
)
from dspex.core.lm import Reply

PATIENT = 20.0
END = b"."


class Letters:
    """A format of one letter a chunk; a full stop ends it, and "!" is an error."""

    def __init__(self) -> None:
        self._text = ""

    def feed(self, data: bytes) -> Sequence[Chunk]:
        return tuple(self._chunks(data.decode()))

    def finish(self) -> Reply:
        if not self._text.endswith(END.decode()):
            raise LMResponseError("the stream ended before the answer did.")
        return Reply(texts=(self._text[:-1],))

    def _chunks(self, text: str) -> Iterator[Chunk]:
        for letter in text:
            if letter == "!":
                raise LMServerError("an error came in the stream.", status=529)
            self._text += letter
            yield Chunk(text="" if letter == END.decode() else letter)


class Body:
    """A response's body: its parts, then how it breaks off, and whether it is shut."""

    def __init__(
        self, parts: Iterable[bytes], breaks: BaseException | None = None
    ) -> None:
        self._parts = parts
        self._breaks = breaks
        self.is_open = False
        self.was_opened = False

    async def parts(self) -> AsyncGenerator[bytes, None]:
        self.is_open = self.was_opened = True
        try:
            for part in self._parts:
                yield part
            if self._breaks is not None:
                raise self._breaks
        finally:
            self.is_open = False


def read(body: Body, channel: Channel) -> Any:
    """The reply, or the error that came instead."""
    work = read_stream(body.parts(), Letters(), channel)
    try:
        return asyncio.run(asyncio.wait_for(work, PATIENT))
    except LMError as error:
        return error


def letters(channel: Channel) -> str:
    channel.finish(Reply(texts=("",)))
    return "".join(chunk.text for chunk in iter(channel.take, None))


@given(
    text=st.text("abc", max_size=20),
    cuts=st.lists(st.integers(0, 20), max_size=5),
)
def test_whole_stream_is_handed_on_and_returned_wherever_it_is_cut(
    text: str, cuts: list[int]
) -> None:
    channel = Channel()
    whole = text.encode() + END
    places = [0, *sorted(cuts), len(whole)]
    body = Body(whole[a:b] for a, b in pairwise(places))

    reply = read(body, channel)

    assert reply == Reply(texts=(text,))
    assert letters(channel) == text
    assert channel.began == bool(text)
    assert not body.is_open


@pytest.mark.parametrize(
    "breaks",
    [LMConnectionError("it broke."), LMTimeoutError("no byte for 60 s.")],
)
def test_break_before_the_first_chunk_is_raised_as_it_is(breaks: LMError) -> None:
    channel = Channel()

    error = read(Body([], breaks), channel)

    assert error is breaks
    assert error.retryable


def test_break_after_the_first_chunk_holds_the_text_so_far() -> None:
    channel, breaks = Channel(), LMConnectionError("it broke.", request_id="r1")

    error = read(Body([b"ab", b"c"], breaks), channel)

    assert isinstance(error, LMStreamError)
    assert error.text == "abc"
    assert error.request_id == "r1"
    assert error.__cause__ is breaks
    assert not error.retryable
    assert letters(channel) == "abc"


def test_error_inside_the_stream_holds_the_text_so_far() -> None:
    error = read(Body([b"ab", b"!"]), Channel())

    assert isinstance(error, LMStreamError)
    assert (error.text, error.status) == ("ab", 529)


def test_error_as_the_first_thing_in_a_stream_may_be_tried_again() -> None:
    error = read(Body([b"!"]), Channel())

    assert isinstance(error, LMServerError)


def test_stream_that_ends_too_early_is_no_reply() -> None:
    error = read(Body([b"ab"]), Channel())

    assert isinstance(error, LMStreamError)
    assert isinstance(error.__cause__, LMResponseError)


def test_chunk_that_says_nothing_does_not_forbid_another_attempt() -> None:
    channel = Channel()

    error = read(Body([END], LMConnectionError("it broke.")), channel)

    assert isinstance(error, LMConnectionError)
    assert not channel.began


def test_second_attempt_after_a_break_goes_on_in_the_same_channel() -> None:
    channel = Channel()

    read(Body([], LMConnectionError("it broke.")), channel)
    reply = read(Body([b"ab", END]), channel)

    assert reply.text == "ab"
    assert letters(channel) == "ab"


def test_second_attempt_after_the_first_chunk_is_refused_and_reads_nothing() -> None:
    channel = Channel()
    read(Body([b"ab"]), channel)
    body = Body([b"ab", END])

    error = read(body, channel)

    assert isinstance(error, LMStreamError)
    assert error.text == "ab"
    assert not body.was_opened
    assert letters(channel) == "ab"


def test_consumer_that_left_shuts_the_body() -> None:
    channel = Channel()
    body = Body(_leaving_after(b"a", channel))

    error = read(body, channel)

    assert isinstance(error, ConsumerGoneError)
    assert error.text == "a"
    assert not body.is_open


def _leaving_after(part: bytes, channel: Channel) -> Iterator[bytes]:
    yield part
    channel.close()
    while True:
        yield part


def test_consumer_that_stops_reading_an_endless_body_shuts_it() -> None:
    body = Body(iter(lambda: b"a", b""))

    error = read(body, Channel(size=3, patience=0.01))

    assert isinstance(error, ConsumerGoneError)
    assert error.text == "aaa"
    assert not body.is_open


def test_cancelling_while_a_chunk_waits_for_room_shuts_the_body() -> None:
    async def work() -> None:
        body, channel = Body([b"ab"]), Channel(size=1, patience=PATIENT)
        parts = body.parts()
        reading = asyncio.create_task(read_stream(parts, Letters(), channel))
        while not channel.began:
            await asyncio.sleep(0)
        assert body.is_open

        reading.cancel()
        await asyncio.wait([reading], timeout=PATIENT)

        assert reading.cancelled()
        # `parts` is still held here, so nothing but the reading has shut it.
        assert not body.is_open

    asyncio.run(work())
