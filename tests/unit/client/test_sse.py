import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.providers.sse import Event, SseError, SseParser

STREAM = (
    b'\xef\xbb\xbf: hello\r\ndata: {"a":\r\ndata:  1}\r\n\r\n'
    b"event: error\rid: 7\rretry: 10\rdata: \xff\r\r"
    b"data\n\nunknown: x\n\nevent: lost\n\ndata:d\xc3\xa9\n\ndata: [DONE]"
)
EVENTS = [
    Event(b'{"a":\n 1}'),
    Event(b"\xff", "error"),
    Event(b""),
    Event("dé".encode()),
    Event(b"[DONE]"),
]


def events_of(*pieces: bytes) -> list[Event]:
    parser = SseParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.close()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places})
    return [
        data[start:end]
        for start, end in zip([0, *ends], [*ends, len(data)], strict=True)
    ]


def test_events_are_read_as_the_standard_says() -> None:
    assert events_of(STREAM) == EVENTS


def test_bytes_may_come_one_by_one() -> None:
    pieces = [STREAM[at : at + 1] for at in range(len(STREAM))]

    assert events_of(*pieces) == EVENTS


@given(places=st.lists(st.integers(0, 1_000), max_size=20))
def test_where_the_bytes_are_cut_changes_nothing(places: list[int]) -> None:
    assert events_of(*cut(STREAM, places)) == EVENTS


@given(
    pieces=st.lists(st.sampled_from([b"data:x", b"\r", b"\n", b":", b"event:e"])),
    places=st.lists(st.integers(0, 1_000), max_size=10),
)
def test_any_line_ends_may_be_cut_anywhere(
    pieces: list[bytes], places: list[int]
) -> None:
    whole = b"".join(pieces)

    assert events_of(*cut(whole, places)) == events_of(whole)


@given(
    texts=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), min_size=1
    )
)
def test_texts_arrive_as_they_were_sent(texts: list[str]) -> None:
    stream = "".join(f"data: {text}\n\n" for text in texts)

    assert [event.data.decode() for event in events_of(stream.encode())] == texts


def test_byte_order_mark_before_the_stream_is_dropped() -> None:
    assert events_of(b"\xef\xbb", b"\xbfdata: a\n\n") == [Event(b"a")]


def test_byte_order_mark_inside_the_stream_is_no_field() -> None:
    assert events_of(b"data: a\n\n", b"\xef\xbb\xbfdata: b\n\n") == [Event(b"a")]


@pytest.mark.parametrize(
    "pieces", [[b"data: " + b"x" * 200], [b"x"] * 200, [b"data: xxxxx\n"] * 30]
)
def test_event_larger_than_allowed_is_an_error_before_it_ends(
    pieces: list[bytes],
) -> None:
    parser = SseParser(max_event_bytes=100)

    with pytest.raises(SseError, match="larger than 100 bytes"):
        for piece in pieces:
            list(parser.feed(piece))


def test_many_small_events_are_within_the_bound() -> None:
    parser = SseParser(max_event_bytes=100)

    assert len(list(parser.feed(b"data: xxxxx\n\n" * 1_000))) == 1_000


def test_events_before_one_that_is_too_large_are_given_first() -> None:
    parser = SseParser(max_event_bytes=100)
    events = parser.feed(b"data: a\n\ndata: " + b"x" * 200)

    assert next(events) == Event(b"a")
    with pytest.raises(SseError):
        next(events)
