"""The channel: nothing lost, doubled or out of order, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dspex.client.channel import Channel, ConsumerGoneError
from dspex.client.providers.format import Chunk
from dspex.core.errors import (
    ConfigurationError,
    LMCancelledError,
    LMConnectionError,
    LMServerError,
    LMStreamError,
)
from dspex.core.lm import Reply

PATIENT = 20.0
"""Seconds after which a test takes something for lost."""
SHORT = 0.01
"""A patience that a test waits for."""
REPLY = Reply(texts=("ab",))


def chunks(count: int) -> list[Chunk]:
    return [Chunk(text=f"{number} ") for number in range(count)]


def put_all(channel: Channel, what: list[Chunk]) -> None:
    """Hand on what there is room for."""

    async def work() -> None:
        attempt = channel.begin_attempt()
        for chunk in what:
            await channel.put(chunk, attempt)

    asyncio.run(asyncio.wait_for(work(), PATIENT))


def read_all(channel: Channel) -> list[Chunk]:
    return list(iter(channel.take, None))


async def aread_all(channel: Channel) -> list[Chunk]:
    found = []
    while (chunk := await channel.atake()) is not None:
        found.append(chunk)
    return found


class Side(threading.Thread):
    """One side of a channel, on a thread; what it returned or raised."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._outcome: Any = None
        self.start()

    def run(self) -> None:
        try:
            self._outcome = self._work()
        except BaseException as error:
            self._outcome = error

    def outcome(self) -> Any:
        self.join(PATIENT)
        assert not self.is_alive(), "this side of the channel hangs"
        return self._outcome


async def begun(task: asyncio.Task[Any]) -> None:
    """Let a task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()


# The end, whatever came first.


def test_chunks_put_before_the_end_are_read_before_it() -> None:
    channel = Channel()
    put_all(channel, chunks(3))
    channel.finish(REPLY)

    found = read_all(channel)

    assert found == chunks(3)
    assert channel.reply is REPLY


def test_chunks_put_before_a_failure_are_read_before_it_is_raised() -> None:
    channel = Channel()
    put_all(channel, chunks(2))
    channel.fail(LMServerError("it is down.", status=503, request_id="r1"))

    found = [channel.take(), channel.take()]
    with pytest.raises(LMStreamError) as caught:
        channel.take()

    assert found == chunks(2)
    assert caught.value.text == "0 1 "
    assert (caught.value.status, caught.value.request_id) == (503, "r1")
    assert isinstance(caught.value.__cause__, LMServerError)
    assert not caught.value.retryable


def test_failure_before_the_first_chunk_is_raised_as_it_is() -> None:
    channel, down = Channel(), LMServerError("it is down.")
    channel.fail(down)

    with pytest.raises(LMServerError) as caught:
        channel.take()

    assert caught.value is down


def test_call_that_was_given_up_says_so_after_the_first_chunk_too() -> None:
    channel = Channel()
    put_all(channel, chunks(1))
    channel.fail(LMCancelledError("the example was given up."))

    channel.take()
    with pytest.raises(LMCancelledError):
        channel.take()


def test_an_error_that_is_no_lm_error_is_raised_as_it_is() -> None:
    channel = Channel()
    put_all(channel, chunks(1))
    channel.fail(ZeroDivisionError())

    channel.take()
    with pytest.raises(ZeroDivisionError):
        channel.take()


def test_first_of_two_ends_counts() -> None:
    channel = Channel()
    channel.finish(REPLY)
    channel.fail(LMServerError("too late."))
    channel.finish(Reply(texts=("another",)))

    found = read_all(channel)

    assert found == [Chunk(text="ab")]
    assert channel.reply is REPLY


def test_reply_without_chunks_is_one_chunk_for_each_completion() -> None:
    channel = Channel(size=1)
    channel.finish(Reply(texts=("a", "b", ""), reasoning=("why",)))

    found = read_all(channel)

    assert found == [Chunk(text="a", reasoning="why"), Chunk(text="b", index=1)]
    assert channel.text == "a"


def test_reply_after_its_chunks_adds_none() -> None:
    channel = Channel()
    put_all(channel, [Chunk(text="a"), Chunk(text="b")])
    channel.finish(REPLY)

    assert [chunk.text for chunk in read_all(channel)] == ["a", "b"]


def test_text_is_that_of_the_first_completion() -> None:
    channel = Channel()
    put_all(channel, [Chunk(text="a"), Chunk(text="x", index=1), Chunk(text="b")])

    assert channel.text == "ab"
    assert channel.reply is None


# Attempts.


def test_it_has_begun_with_the_first_chunk_and_not_with_an_attempt() -> None:
    channel = Channel()

    put_all(channel, [])
    before = channel.began
    put_all(channel, chunks(1))

    assert (before, channel.began) == (False, True)


def test_attempt_after_a_failed_one_writes_into_the_same_channel() -> None:
    channel = Channel()
    put_all(channel, [])
    put_all(channel, chunks(2))
    channel.finish(REPLY)

    assert read_all(channel) == chunks(2)


def test_earlier_attempt_that_still_runs_writes_no_more() -> None:
    channel = Channel()
    lost = channel.begin_attempt()
    channel.begin_attempt()

    with pytest.raises(LMCancelledError):
        asyncio.run(channel.put(Chunk(text="late"), lost))

    assert not channel.began


def test_no_attempt_begins_after_a_chunk_was_handed_on() -> None:
    channel = Channel()
    put_all(channel, chunks(2))

    with pytest.raises(LMStreamError) as caught:
        channel.begin_attempt()

    assert caught.value.text == "0 1 "


def test_nothing_is_put_after_the_end() -> None:
    channel = Channel()
    attempt = channel.begin_attempt()
    channel.finish(REPLY)

    with pytest.raises(LMCancelledError):
        asyncio.run(channel.put(Chunk(text="late"), attempt))

    assert read_all(channel) == [Chunk(text="ab")]


# Room and patience.


def test_put_waits_until_there_is_room() -> None:
    async def work() -> list[bool]:
        channel = Channel(size=2, patience=PATIENT)
        attempt = channel.begin_attempt()
        await channel.put(Chunk(text="a"), attempt)
        await channel.put(Chunk(text="b"), attempt)
        waiting = asyncio.create_task(channel.put(Chunk(text="c"), attempt))
        await begun(waiting)

        channel.take()
        await asyncio.wait_for(waiting, PATIENT)

        return [chunk is not None for chunk in (channel.take(), channel.take())]

    assert asyncio.run(work()) == [True, True]


def test_consumer_that_stops_reading_ends_the_request() -> None:
    channel = Channel(size=2, patience=SHORT)

    with pytest.raises(ConsumerGoneError) as caught:
        put_all(channel, chunks(3))

    assert caught.value.text == "0 1 "
    assert "0.01 s" in str(caught.value)
    assert isinstance(caught.value, LMCancelledError)


def test_consumer_that_comes_back_too_late_reads_what_waited_and_then_why() -> None:
    channel = Channel(size=2, patience=SHORT)
    with pytest.raises(ConsumerGoneError) as caught:
        put_all(channel, chunks(3))
    channel.fail(caught.value)

    found = [channel.take(), channel.take()]
    with pytest.raises(ConsumerGoneError):
        channel.take()

    assert found == chunks(2)


def test_consumer_that_comes_back_too_late_gets_no_chunk_behind_a_lost_one() -> None:
    channel = Channel(size=1, patience=SHORT)
    attempt = channel.begin_attempt()
    with pytest.raises(ConsumerGoneError):
        put_all_of(channel, attempt, chunks(2))

    channel.take()

    with pytest.raises(ConsumerGoneError):
        put_all_of(channel, attempt, [Chunk(text="behind")])


def put_all_of(channel: Channel, attempt: int, what: list[Chunk]) -> None:
    async def work() -> None:
        for chunk in what:
            await channel.put(chunk, attempt)

    asyncio.run(asyncio.wait_for(work(), PATIENT))


def test_consumer_that_reads_at_the_last_moment_is_there() -> None:
    async def work() -> None:
        channel = Channel(size=1, patience=PATIENT)
        attempt = channel.begin_attempt()
        await channel.put(Chunk(text="a"), attempt)

        channel.take()
        # What a patience that ends in the same moment does.
        channel._lose_patience()

        await channel.put(Chunk(text="b"), attempt)

    asyncio.run(work())


@pytest.mark.parametrize("wrong", [{"size": 0}, {"patience": 0.0}, {"patience": -1.0}])
def test_a_channel_without_room_or_patience_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="positive"):
        Channel(**wrong)


# Leaving.


def test_close_ends_a_put_that_waits_for_room() -> None:
    async def work() -> None:
        channel = Channel(size=1, patience=PATIENT)
        attempt = channel.begin_attempt()
        await channel.put(Chunk(text="a"), attempt)
        waiting = asyncio.create_task(channel.put(Chunk(text="b"), attempt))
        await begun(waiting)

        channel.close()

        with pytest.raises(ConsumerGoneError, match="closed"):
            await asyncio.wait_for(waiting, PATIENT)

    asyncio.run(work())


def test_close_drops_what_waits_and_refuses_the_next_attempt() -> None:
    channel = Channel()
    channel.begin_attempt()

    channel.close()
    channel.close()

    assert channel.take() is None
    with pytest.raises(ConsumerGoneError):
        channel.begin_attempt()


def test_close_from_another_thread_ends_the_reading() -> None:
    channel = Channel()
    reading = Side(lambda: read_all(channel))

    channel.close()

    assert reading.outcome() == []


def test_closing_after_the_end_keeps_the_reply() -> None:
    channel = Channel()
    channel.finish(REPLY)

    channel.close()

    assert channel.reply is REPLY
    assert channel.take() is None


def test_end_after_a_close_is_noted_and_hands_nothing_on() -> None:
    channel = Channel()
    channel.close()

    channel.finish(REPLY)

    assert channel.take() is None
    assert not channel.began


def test_two_who_read_share_the_chunks_and_both_hear_of_the_end() -> None:
    channel = Channel()
    sides = [Side(lambda: read_all(channel)) for _ in range(2)]

    put_all(channel, chunks(20))
    channel.finish(REPLY)

    found = [chunk for side in sides for chunk in side.outcome()]
    assert sorted(found, key=chunks(20).index) == chunks(20)


def test_a_cancelled_read_loses_no_chunk() -> None:
    async def work() -> list[Chunk]:
        channel = Channel()
        reading = asyncio.create_task(channel.atake())
        await begun(reading)

        reading.cancel()
        attempt = channel.begin_attempt()
        await channel.put(Chunk(text="a"), attempt)
        await asyncio.wait([reading])
        channel.finish(REPLY)

        return await asyncio.wait_for(aread_all(channel), PATIENT)

    assert asyncio.run(work()) == [Chunk(text="a")]


# Any order of events.


@dataclass
class Story:
    """One streamed call: what is sent, how it ends, and when its consumer leaves."""

    count: int
    size: int
    ends_well: bool
    leaves_after: int | None
    found: list[Chunk] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.channel = Channel(size=self.size, patience=PATIENT)
        self.sent = chunks(self.count)

    async def call(self, idle: Callable[[], Awaitable[object]]) -> None:
        """The side of the request."""
        try:
            attempt = self.channel.begin_attempt()
            for chunk in self.sent:
                await idle()
                await self.channel.put(chunk, attempt)
        except ConsumerGoneError as error:
            self.channel.fail(error)
            return
        await idle()
        if self.ends_well:
            self.channel.finish(Reply(texts=("",)))
        else:
            self.channel.fail(LMConnectionError("it broke."))

    async def aread(self, idle: Callable[[], Awaitable[object]]) -> None:
        """The consumer as a coroutine."""
        while self._wants_more():
            await idle()
            if (chunk := await self.channel.atake()) is None:
                return
            self.found.append(chunk)
        self.channel.close()

    def read(self) -> None:
        """The consumer as a thread."""
        while self._wants_more():
            if (chunk := self.channel.take()) is None:
                return
            self.found.append(chunk)
        self.channel.close()

    def check(self, outcome: Any) -> None:
        """A consumer gets all up to where it leaves, or all and then the end."""
        if self.leaves_after is not None and self.leaves_after <= self.count:
            assert self.found == self.sent[: self.leaves_after]
            assert outcome is None
            return
        assert self.found == self.sent
        if self.ends_well:
            assert outcome is None
        elif self.sent:
            assert isinstance(outcome, LMStreamError)
            assert outcome.text == "".join(chunk.text for chunk in self.sent)
        else:
            assert isinstance(outcome, LMConnectionError)

    def _wants_more(self) -> bool:
        return self.leaves_after is None or len(self.found) < self.leaves_after


def stories(longest: int) -> st.SearchStrategy[Story]:
    return st.builds(
        Story,
        count=st.integers(0, longest),
        size=st.integers(1, 4) | st.integers(1, 64),
        ends_well=st.booleans(),
        leaves_after=st.none() | st.integers(0, longest),
    )


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), story=stories(12))
def test_on_one_loop_no_order_of_events_loses_or_doubles_a_chunk(
    seed: int, story: Story
) -> None:
    dice = random.Random(seed)

    async def idle() -> None:
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)

    async def both() -> Any:
        work = asyncio.gather(
            story.call(idle), story.aread(idle), return_exceptions=True
        )
        return await asyncio.wait_for(work, PATIENT)

    called, outcome = asyncio.run(both())

    assert called is None
    story.check(outcome)


@settings(max_examples=40)
@given(story=stories(200), on_a_loop=st.booleans())
def test_between_threads_and_loops_no_chunk_is_lost_and_nobody_hangs(
    story: Story, on_a_loop: bool
) -> None:
    async def at_once() -> None:
        """Let nobody else run."""

    def aread() -> None:
        asyncio.run(story.aread(at_once))

    reading = Side(aread if on_a_loop else story.read)
    calling = Side(lambda: asyncio.run(story.call(at_once)))

    assert calling.outcome() is None
    story.check(reading.outcome())
