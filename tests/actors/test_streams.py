"""Streams from the provider to whoever reads them, whatever breaks on the way."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from functools import partial
from typing import Any, NoReturn

import pytest

import dspex
from dspex.client import http_exchange
from dspex.client.call import Fate
from dspex.client.channel import Channel, ConsumerGoneError
from dspex.client.providers.format import Chunk
from dspex.core import errors
from dspex.core.lm import Reply
from dspex.runtime.base_lm import BaseLM
from dspex.runtime.stream import Stream
from dspex.testing import (
    SERVER_ERROR,
    EndlessBody,
    FakeProvider,
    Fault,
    StreamCut,
    StreamError,
    StreamStall,
    StreamUnfinished,
)
from supervisors import waits
from supervisors.testing import ManualClock
from tests.actors.lab import (
    PATIENT,
    STURDY,
    Callers,
    Record,
    assert_books_agree,
    call,
    client_name,
    eventually,
    kill,
    wind_until,
    wire_name,
)

ANSWER = "Lima is the capital of Peru"
PIECES = ["Lima", " is", " the", " capital", " of", " Peru"]
IMPATIENT = 0.05
"""A patience that a test waits for."""
SLOWLY = 0.05
"""Seconds between two pieces, where something has to happen in between."""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda _messages: ANSWER) as provider:
        yield provider


@pytest.fixture
def slow_provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda _: ANSWER, chunk_interval=SLOWLY) as provider:
        yield provider


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(STURDY) as runtime:
        yield runtime


@pytest.fixture
def record(runtime: dspex.Runtime) -> Record:
    return Record(runtime.events)


def lm_of(provider: FakeProvider, **options: Any) -> dspex.LM:
    return dspex.LM("openai/m", api_base=provider.base_url, api_key="k", **options)


def texts_of(stream: Stream) -> list[str]:
    return [chunk.text for chunk in stream]


def read(stream: Stream) -> tuple[list[str], BaseException | None]:
    """What comes before the end, and the error it ends with."""
    found: list[str] = []
    try:
        for chunk in stream:
            found.append(chunk.text)
    except errors.LMError as error:
        return found, error
    return found, None


def fates(provider: FakeProvider) -> list[str]:
    provider.wait_for_idle(PATIENT)
    return [billed.fate for billed in provider.bill]


# Streams that come to their end, and the cache.


def test_stream_comes_in_the_pieces_the_provider_sends(
    provider: FakeProvider, runtime: dspex.Runtime, record: Record
) -> None:
    stream = lm_of(provider).stream("hi")

    texts = texts_of(stream)

    assert texts == PIECES
    assert stream.text == stream.reply.text == ANSWER
    assert stream.reply.usage.completion_tokens == len(PIECES)
    assert [billed.streamed for billed in provider.bill] == [True]
    assert_books_agree(record, provider)


def test_first_piece_is_there_before_the_last_was_sent(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(StreamStall(after=1))

    with lm_of(provider).stream("hi") as stream:
        first = next(stream)

        assert first.text == PIECES[0]
        assert provider.in_flight == 1


def test_async_stream_comes_in_the_same_pieces(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    async def work() -> list[str]:
        stream = lm_of(provider).astream(messages=[{"role": "user", "content": "hi"}])
        return [chunk.text async for chunk in stream]

    assert asyncio.run(work()) == PIECES


@pytest.mark.parametrize("provider_name", ["anthropic", "gemini"])
def test_every_provider_s_format_streams_and_breaks_alike(
    provider_name: str, provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(StreamCut(after=2), on=2)
    lm = dspex.LM(
        f"{provider_name}/m", api_base=provider.root_url, api_key="k", cache=False
    )

    whole = read(lm.stream("hi"))
    found, error = read(lm.stream("hi"))

    assert whole == (PIECES, None)
    assert found == PIECES[:2]
    assert isinstance(error, errors.LMStreamError)
    assert error.text == "Lima is"


def test_model_of_one_s_own_code_streams_each_completion_as_one_piece(
    runtime: dspex.Runtime,
) -> None:
    class Twice(BaseLM):
        def forward(self, messages: Any, **settings: Any) -> Reply:
            return Reply(texts=("Lima", "Cusco"), reasoning=("By the sea.", ""))

    stream = Twice("twice").stream("hi")

    assert [(chunk.index, chunk.text, chunk.reasoning) for chunk in stream] == [
        (0, "Lima", "By the sea."),
        (1, "Cusco", ""),
    ]
    assert stream.reply.texts == ("Lima", "Cusco")


def test_whole_stream_is_cached_and_a_hit_is_one_chunk(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = lm_of(provider)
    texts_of(lm.stream("hi"))

    again = lm.stream("hi")
    texts = texts_of(again)

    assert texts == [ANSWER]
    assert again.reply.cached
    assert lm("hi") == [ANSWER]
    assert len(provider.bill) == 1


def test_answer_that_was_not_streamed_is_a_hit_too(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = lm_of(provider)
    lm("hi")

    assert texts_of(lm.stream("hi")) == [ANSWER]
    assert len(provider.bill) == 1


def test_stream_of_an_uncached_model_is_asked_anew(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = lm_of(provider, cache=False)

    assert texts_of(lm.stream("hi")) == texts_of(lm.stream("hi")) == PIECES
    assert len(provider.bill) == 2


def test_several_completions_come_side_by_side(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    stream = lm_of(provider).stream("hi", n=2)

    texts = ["", ""]
    for chunk in stream:
        texts[chunk.index] += chunk.text

    assert tuple(texts) == stream.reply.texts == (ANSWER, ANSWER)


def test_stream_goes_into_the_history(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = lm_of(provider)
    texts_of(lm.stream("hi"))

    assert [entry["outputs"] for entry in lm.history] == [[ANSWER]]


def test_many_streams_at_once_are_all_whole(
    provider: FakeProvider, runtime: dspex.Runtime, record: Record
) -> None:
    lm = lm_of(provider, cache=False)

    async def one(number: int) -> str:
        return "".join([chunk.text async for chunk in lm.astream(f"hi {number}")])

    async def work() -> list[str]:
        return await asyncio.gather(*map(one, range(100)))

    assert asyncio.run(work()) == [ANSWER] * 100
    assert record.count(Fate.ANSWERED) == 100


# Streams that break.


@pytest.mark.parametrize(
    "fault", [StreamCut(after=2), StreamError(after=2), StreamUnfinished(after=2)]
)
def test_broken_stream_is_an_error_with_the_text_so_far_and_never_sent_again(
    fault: Fault, provider: FakeProvider, runtime: dspex.Runtime, record: Record
) -> None:
    provider.misbehave(fault)

    found, error = read(lm_of(provider).stream("hi"))

    assert found == PIECES[:2]
    assert isinstance(error, errors.LMStreamError)
    assert error.text == "Lima is"
    assert error.model == "openai/m"
    assert error.attempts == 1
    assert error.__cause__ is not None
    assert len(provider.bill) == 1
    assert_books_agree(record, provider)


def test_whatever_error_an_exchange_raises_after_a_piece_nothing_is_sent_again(
    provider: FakeProvider, runtime: dspex.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def careless(_parts: Any, _reader: Any, channel: Channel) -> NoReturn:
        await channel.put(Chunk(text="Lima"), channel.begin_attempt())
        raise errors.LMConnectionError("it broke.")

    monkeypatch.setattr(http_exchange, "read_stream", careless)

    found, error = read(lm_of(provider).stream("hi"))

    assert found == ["Lima"]
    assert isinstance(error, errors.LMStreamError)
    assert error.text == "Lima"
    assert len(provider.bill) == 1


def test_broken_stream_is_not_cached(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(StreamCut(after=2), times=1)
    lm = lm_of(provider)

    broken, _ = read(lm.stream("hi"))
    whole, _ = read(lm.stream("hi"))

    assert (broken, whole) == (PIECES[:2], PIECES)


def test_stream_that_stalls_is_an_error_with_the_text_so_far(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(StreamStall(after=2))

    # Time enough for the first two pieces on a busy machine.
    found, error = read(lm_of(provider, timeout=0.5).stream("hi"))

    assert found == PIECES[:2]
    assert isinstance(error, errors.LMStreamError)
    assert isinstance(error.__cause__, errors.LMTimeoutError)
    assert fates(provider) == ["gone"]


def test_deadline_in_the_middle_of_a_stream_tells_the_text_so_far(
    provider: FakeProvider,
) -> None:
    clock = ManualClock()
    provider.misbehave(StreamStall(after=1))

    with dspex.Runtime(clock=clock):
        stream = lm_of(provider, deadline=3.0).stream("hi")
        first = next(stream).text
        reading = call(partial(read, stream))
        clock.advance(3.0)
        [(found, error)] = reading.outcomes()

    assert [first, *found] == PIECES[:1]
    assert isinstance(error, errors.LMStreamError)
    assert error.text == PIECES[0]
    assert fates(provider) == ["gone"]


@pytest.mark.parametrize("fault", [SERVER_ERROR, StreamCut(after=0)])
def test_failure_before_the_first_piece_is_retried(
    fault: Fault, provider: FakeProvider
) -> None:
    clock = ManualClock()
    provider.misbehave(fault, times=1)

    with dspex.Runtime(clock=clock):
        stream = lm_of(provider).stream("hi")
        reading = call(partial(texts_of, stream))
        wind_until(clock, lambda: reading.done)

    assert reading.outcomes() == [PIECES]
    assert stream.reply.attempts == 2


def test_error_before_the_first_piece_is_the_provider_s_own(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(SERVER_ERROR)

    found, error = read(lm_of(provider, num_retries=0).stream("hi"))

    assert found == []
    assert isinstance(error, errors.LMServerError)
    assert error.status == 500


# Consumers that leave or stop reading.


def test_closing_breaks_the_request_off(
    provider: FakeProvider, runtime: dspex.Runtime, record: Record
) -> None:
    provider.misbehave(StreamStall(after=1))
    stream = lm_of(provider).stream("hi")
    next(stream)

    stream.close()

    assert fates(provider) == ["gone"]
    eventually(lambda: record.count(Fate.CANCELLED) == 1)
    assert texts_of(stream) == []


def test_leaving_the_loop_breaks_the_request_off(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(EndlessBody())

    for _ in lm_of(provider).stream("hi"):
        break
    gc.collect()

    assert fates(provider) == ["gone"]


def test_leaving_the_loop_of_a_coroutine_breaks_the_request_off(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(EndlessBody())

    async def work() -> None:
        async for _ in lm_of(provider).astream("hi"):
            break
        gc.collect()
        await asyncio.to_thread(provider.wait_for_idle, PATIENT)

    asyncio.run(work())

    assert fates(provider) == ["gone"]


def test_consumer_that_stops_reading_breaks_the_request_off(
    provider: FakeProvider, runtime: dspex.Runtime, record: Record
) -> None:
    provider.misbehave(EndlessBody())
    stream = lm_of(provider).stream("hi", patience=IMPATIENT)
    next(stream)

    # Nothing is read while the queue fills up.
    assert fates(provider) == ["gone"]

    found, error = read(stream)
    assert isinstance(error, ConsumerGoneError)
    assert error.text == PIECES[0] + "".join(found)
    assert_books_agree(record, provider)


def test_consumer_that_leaves_is_no_fault_of_the_provider(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(StreamStall(after=1), times=20)
    lm = lm_of(provider, cache=False)

    for _ in range(20):
        with lm.stream("hi") as stream:
            next(stream)

    assert texts_of(lm.stream("hi")) == PIECES


# Restarts.


def test_stream_goes_on_when_the_client_is_killed(
    slow_provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = lm_of(slow_provider)
    stream = lm.stream("hi")
    first = next(stream).text

    kill(runtime, client_name(lm))
    rest = texts_of(stream)

    assert [first, *rest] == PIECES
    assert stream.reply.text == ANSWER
    assert len(slow_provider.bill) == 1


def test_stream_breaks_when_the_wire_is_killed_and_is_never_sent_again(
    provider: FakeProvider, runtime: dspex.Runtime, record: Record
) -> None:
    provider.misbehave(StreamStall(after=2))
    lm = lm_of(provider)
    stream = lm.stream("hi")
    texts = [next(stream).text, next(stream).text]

    kill(runtime, wire_name(lm))
    found, error = read(stream)

    assert texts == PIECES[:2]
    assert found == []
    assert isinstance(error, errors.LMStreamError)
    assert error.text == "Lima is"
    assert fates(provider) == ["gone"]
    assert_books_agree(record, provider)


def test_stream_that_had_not_begun_is_sent_again_when_the_wire_is_killed(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(StreamStall(after=0), times=1)
    lm = lm_of(provider)
    reading = call(partial(texts_of, lm.stream("hi")))
    provider.wait_for_in_flight(1, PATIENT)

    kill(runtime, wire_name(lm))

    assert reading.outcomes() == [PIECES]
    assert fates(provider) == ["gone", "answered"]


def test_whatever_is_killed_each_stream_ends_whole_or_with_what_was_read(
    provider: FakeProvider, runtime: dspex.Runtime, record: Record
) -> None:
    # What is sent again may stall again, after the last kill.
    lm = lm_of(provider, cache=False, timeout=1.0)
    lm("Is the key a good one? Then many requests may be out at a time.")
    provider.misbehave(StreamStall(after=2), times=15)
    streams = [lm.stream(f"hi {number}") for number in range(20)]
    readers = Callers([partial(read, stream) for stream in streams])
    # Some have begun, and are not over before the wire is killed.
    eventually(lambda: sum(stream.text == "Lima is" for stream in streams) >= 5)

    for name in (client_name(lm), wire_name(lm)) * 2:
        kill(runtime, name)

    outcomes = readers.outcomes()
    assert any(error is not None for _, error in outcomes)
    for found, error in outcomes:
        if error is None:
            assert found == PIECES
        else:
            assert isinstance(error, errors.LMStreamError)
            assert error.text == "".join(found)
    provider.wait_for_idle(PATIENT)
    assert_books_agree(record, provider)


def test_closing_the_runtime_ends_a_stream(provider: FakeProvider) -> None:
    provider.misbehave(StreamStall(after=1))

    with dspex.Runtime() as runtime:
        stream = lm_of(provider).stream("hi")
        next(stream)
        runtime.close()

        with pytest.raises((errors.LMError, errors.RuntimeClosedError)):
            next(stream)


# Equal calls, and other models.


def test_equal_calls_share_a_stream_and_those_who_follow_get_it_whole(
    slow_provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = lm_of(slow_provider)
    stream = lm.stream("hi")
    first = next(stream).text

    following = Callers([lambda: texts_of(lm.stream("hi")), lambda: lm("hi")])
    rest = texts_of(stream)

    assert [first, *rest] == PIECES
    assert following.outcomes() == [[ANSWER], [ANSWER]]
    assert len(slow_provider.bill) == 1


@pytest.mark.parametrize("ends", ["closed", "cut", "killed"])
def test_those_who_follow_a_stream_that_ends_too_early_ask_for_themselves(
    ends: str, provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(StreamStall(after=1), times=1)
    lm = lm_of(provider)
    stream = lm.stream("hi")
    next(stream)
    following = call(lambda: lm("hi"))
    eventually(lambda: "cache/memory" in str(waits()), "a follower")

    match ends:
        case "closed":
            stream.close()
        case "cut":
            provider.stop()
            provider.start()
        case _:
            kill(runtime, wire_name(lm))

    assert following.outcomes() == [[ANSWER]]
    assert fates(provider) == ["cut" if ends == "cut" else "gone", "answered"]


def test_fallback_streams_when_the_first_model_fails_before_its_first_piece(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(SERVER_ERROR, on=1)
    second = lm_of(provider)
    first = dspex.LM(
        "openai/other",
        api_base=provider.base_url,
        api_key="k",
        num_retries=0,
        fallbacks=[second],
    )

    assert texts_of(first.stream("hi")) == PIECES


def test_no_other_model_goes_on_with_a_stream_that_broke(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(StreamCut(after=1), on=1)
    lm = lm_of(provider, fallbacks=[lm_of(provider)])

    found, error = read(lm.stream("hi"))

    assert found == PIECES[:1]
    assert isinstance(error, errors.LMStreamError)
    assert len(provider.bill) == 1


def test_reply_that_was_read_is_not_turned_down(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    other = lm_of(provider, temperature=1)
    lm = lm_of(provider, fallbacks=[other], fallback_when=lambda _reply: True)

    texts = texts_of(lm.stream("hi"))

    assert texts == PIECES
    assert len(provider.bill) == 1
