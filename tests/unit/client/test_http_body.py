"""Bodies are unpacked as they come, and never beyond the limit."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.http_body import (
    EncodingError,
    TooLargeError,
    read_plain,
    unpacked,
)

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "": bytes,
    "identity": bytes,
    " GZIP ": gzip.compress,
}

BODIES = st.one_of(
    st.binary(max_size=300),
    # Enough to fill several pieces.
    st.builds(
        lambda word, times: word * times, st.binary(max_size=9), st.integers(0, 40_000)
    ),
)


def read(
    parts: list[bytes], *, encoding: str = "", max_bytes: int = 1_000_000, **more: str
) -> bytes:
    headers = {"content-encoding": encoding, **more}
    return b"".join(pieces(parts, headers, max_bytes))


def pieces(
    parts: list[bytes], headers: Mapping[str, str], max_bytes: int
) -> list[bytes]:
    async def come() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    async def collect() -> list[bytes]:
        return [piece async for piece in unpacked(come(), headers, max_bytes)]

    return asyncio.run(collect())


def read_at_once(
    parts: list[bytes], headers: Mapping[str, str], max_bytes: int
) -> bytes | None:
    left = [part for part in parts if part]

    async def take() -> bytes:
        return left.pop(0) if left else b""

    return asyncio.run(read_plain(take, headers, max_bytes))


def split(packed: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(packed) + 1) for cut in cuts), len(packed)]
    return [packed[start:end] for start, end in itertools.pairwise(places)]


@given(
    body=BODIES,
    encoding=st.sampled_from(sorted(PACKERS)),
    cuts=st.lists(st.integers(0, 400_000), max_size=5),
)
def test_body_comes_whole_however_it_is_packed_and_cut(
    body: bytes, encoding: str, cuts: list[int]
) -> None:
    parts = split(PACKERS[encoding](body), cuts)

    assert read(parts, encoding=encoding) == body


@given(
    body=BODIES,
    encoding=st.sampled_from(sorted(PACKERS)),
    limit=st.integers(0, 500_000),
)
def test_limit_holds_for_what_comes_and_for_what_it_unpacks_to(
    body: bytes, encoding: str, limit: int
) -> None:
    packed = PACKERS[encoding](body)

    if max(len(body), len(packed)) <= limit:
        assert read([packed], encoding=encoding, max_bytes=limit) == body
    else:
        with pytest.raises(TooLargeError):
            read([packed], encoding=encoding, max_bytes=limit)


@given(body=st.binary(min_size=1, max_size=300), kept=st.integers(1, 299))
def test_packed_body_that_is_cut_short_is_an_error(body: bytes, kept: int) -> None:
    packed = gzip.compress(body)

    with pytest.raises(EncodingError):
        read([packed[: kept % len(packed) or 1]], encoding="gzip")


def test_streams_in_a_row_are_one_body() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"body")

    assert read(split(packed, [5, 30]), encoding="gzip") == b"one body"


def test_nothing_at_all_is_an_empty_body() -> None:
    assert read([], encoding="gzip") == b""


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip"])
def test_what_cannot_be_unpacked_is_an_error_that_names_the_way(encoding: str) -> None:
    with pytest.raises(EncodingError, match=encoding):
        read([b"no such thing"], encoding=encoding)


def test_announced_length_above_the_limit_is_refused_unread() -> None:
    with pytest.raises(TooLargeError):
        read([], max_bytes=9, **{"content-length": "10"})


def test_bomb_is_unpacked_in_small_pieces_and_given_up_at_the_limit() -> None:
    bomb = gzip.compress(bytes(64_000_000))
    limit = 1_000_000

    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            read([bomb], encoding="gzip", max_bytes=limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2 * limit


def test_part_is_handed_on_before_the_next_one_comes() -> None:
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"first") + packer.flush(zlib.Z_SYNC_FLUSH)
    asked: list[str] = []

    async def come() -> AsyncIterator[bytes]:
        asked.append("first")
        yield first
        asked.append("second")
        yield packer.flush()

    async def take_one() -> bytes:
        return await anext(unpacked(come(), {"content-encoding": "gzip"}, 100))

    assert asyncio.run(take_one()) == b"first"
    assert asked == ["first"]


@given(
    body=st.binary(max_size=300),
    cuts=st.lists(st.integers(0, 400), max_size=5),
    encoding=st.sampled_from([None, "identity"]),
    announced=st.sampled_from([None, 0, 100, 300, 10**9]),
    room=st.integers(0, 300),
)
def test_a_plain_body_read_at_once_is_what_its_pieces_are(
    body: bytes, cuts: list[int], encoding: str | None, announced: int | None, room: int
) -> None:
    told = {"content-encoding": encoding, "content-length": announced}
    headers = {name: str(value) for name, value in told.items() if value is not None}
    parts = split(body, cuts)

    try:
        expected = b"".join(pieces(parts, headers, room))
    except TooLargeError:
        with pytest.raises(TooLargeError):
            read_at_once(parts, headers, room)
    else:
        assert read_at_once(parts, headers, room) == expected


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "br", " GZIP ", ""])
def test_a_packed_body_is_not_read_at_once(encoding: str) -> None:
    assert read_at_once([b"whatever"], {"content-encoding": encoding}, 100) is None
