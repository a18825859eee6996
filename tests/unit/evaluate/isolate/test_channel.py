"""What two processes say to each other, over a pair of sockets in this one."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dspex.evaluate.isolate.channel import Channel, ChannelClosed

WAIT = 20.0

# Half a character, as broken texts have it, included.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    one, other = (Channel(end) for end in socket.socketpair())
    yield one, other
    one.close()
    other.close()


@settings(max_examples=30)
@given(lines=st.lists(st.dictionaries(st.text(), VALUES), max_size=5))
def test_lines_arrive_whole_and_in_order(lines: list[dict[str, Any]]) -> None:
    one, other = (Channel(end) for end in socket.socketpair())
    for line in lines:
        one.say(line)
    one.hang_up()

    heard = [other.hear() for _ in lines]

    assert heard == lines
    with pytest.raises(ChannelClosed):
        other.hear()
    one.close()
    other.close()


def test_a_line_may_be_longer_than_what_a_socket_holds(
    ends: tuple[Channel, Channel],
) -> None:
    one, other = ends
    long = {"text": "x" * 5_000_000}
    speaker = threading.Thread(target=one.say, args=(long,))

    speaker.start()
    heard = other.hear()

    speaker.join(WAIT)
    assert heard == long


def test_lines_of_several_threads_do_not_mix(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    words = [{"word": letter * 100_000} for letter in "abcd"]
    speakers = [threading.Thread(target=one.say, args=(word,)) for word in words]

    for speaker in speakers:
        speaker.start()
    heard = [other.hear() for _ in words]

    for speaker in speakers:
        speaker.join(WAIT)
    assert sorted(heard, key=json.dumps) == words


def test_nothing_heard_until_then_is_a_timeout(ends: tuple[Channel, Channel]) -> None:
    with pytest.raises(TimeoutError):
        ends[0].hear(time.monotonic())


def test_what_has_come_before_the_deadline_is_heard(
    ends: tuple[Channel, Channel],
) -> None:
    one, other = ends
    one.say({"a": 1})
    one.say({"a": 2})

    heard = [other.hear(time.monotonic() + WAIT), other.hear(time.monotonic())]

    assert heard == [{"a": 1}, {"a": 2}]


def test_hanging_up_wakes_who_listens(ends: tuple[Channel, Channel]) -> None:
    one, _ = ends
    closed = threading.Event()

    def listen() -> None:
        try:
            one.hear()
        except ChannelClosed:
            closed.set()

    listener = threading.Thread(target=listen)
    listener.start()

    one.hang_up()

    assert closed.wait(WAIT)
    listener.join(WAIT)


def test_who_speaks_to_nobody_is_told(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    other.close()

    with pytest.raises(ChannelClosed):
        one.say({"a": 1})
