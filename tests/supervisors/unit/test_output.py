"""What is kept of an output, and how it is cut into lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisors._output import LineCutter, OutputTail


def cut(chunks: list[bytes], longest: int) -> list[bytes]:
    cutter = LineCutter(longest)
    lines = [line for chunk in chunks for line in cutter.feed(chunk)]
    return [*lines, *cutter.finish()]


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"one\ntwo\n"], [b"one", b"two"]),
        ([b"one\r\n\n", b"two"], [b"one", b"", b"two"]),
        ([b"o", b"n", b"e\nt", b"wo\n"], [b"one", b"two"]),
        ([b"abcdefghij\nend"], [b"abcd", b"efgh", b"ij", b"end"]),
        ([b"abcd\n"], [b"abcd"]),
        ([b"\xff\x00\n"], [b"\xff\x00"]),
        ([], []),
    ],
)
def test_lines_are_cut_at_their_ends_and_when_too_long(
    chunks: list[bytes], lines: list[bytes]
) -> None:
    assert cut(chunks, 4) == lines


@given(st.lists(st.binary(max_size=40)), st.integers(min_value=1, max_value=9))
def test_no_byte_is_lost_and_no_line_is_too_long(
    chunks: list[bytes], longest: int
) -> None:
    lines = cut(chunks, longest)

    whole = b"".join(chunks)
    kept = whole.replace(b"\r\n", b"").replace(b"\n", b"")
    assert len(b"".join(lines)) >= len(kept) - whole.count(b"\r")
    assert b"".join(lines).replace(b"\r", b"") == kept.replace(b"\r", b"")
    assert all(len(line) <= longest for line in lines)


@given(
    st.lists(st.binary(max_size=20)),
    st.integers(min_value=1, max_value=5),
    st.integers(min_value=1, max_value=30),
)
def test_what_is_kept_is_the_end_and_within_both_bounds(
    lines: list[bytes], kept_lines: int, kept_bytes: int
) -> None:
    tail = OutputTail(kept_lines, kept_bytes)

    for line in lines:
        tail.add(line.hex().encode())

    kept = tail.lines()
    assert len(kept) <= kept_lines
    assert sum(map(len, kept)) <= kept_bytes
    assert "".join(line.hex() for line in lines).endswith("".join(kept))
    if lines:
        assert kept
        assert lines[-1].hex().endswith(kept[-1])


def test_a_line_longer_than_all_that_is_kept_is_kept_in_part() -> None:
    tail = OutputTail(10, 4)

    text = tail.add(b"abcdef")

    assert text == "abcdef"
    assert tail.lines() == ("cdef",)


def test_what_is_no_text_is_kept_all_the_same() -> None:
    tail = OutputTail(10, 100)

    assert tail.add(b"a\xff") == "a�"

    assert tail.lines() == ("a�",)
