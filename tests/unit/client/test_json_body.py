"""What S12 of the security cases asks: hostile JSON is an error, never a value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.providers.json_body import (
    JsonError,
    read_json,
    read_object,
    write_json,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"9" * 5_000, "not JSON"),
        (b"NaN", "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b"1e999", "too large"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'["\\ud83d"]', "surrogate"),
        (b'{"\\uDC00": 1}', "surrogate"),
        (b"\xff\xfe{}", "not JSON"),
        (b"\x00", "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_what_is_no_sound_json_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(JsonError, match=why):
        read_json(body)


def test_byte_order_mark_and_whole_surrogate_pairs_are_no_harm() -> None:
    assert read_json(b'\xef\xbb\xbf["\\ud83d\\ude00"]') == ["\N{GRINNING FACE}"]


def test_object_is_asked_for_and_a_list_is_refused() -> None:
    assert read_object(b'{"a": 1}') == {"a": 1}
    with pytest.raises(JsonError, match="not an object"):
        read_object(b"[1]")


@pytest.mark.parametrize("value", [float("inf"), object(), {1}, b"x"])
def test_value_that_is_not_json_is_not_written(value: object) -> None:
    with pytest.raises(JsonError):
        write_json(value)


@given(value=JSON)
def test_what_is_written_is_read_again(value: object) -> None:
    assert read_json(write_json(value)) == value


@given(body=st.binary(max_size=60))
def test_what_is_read_can_be_written(body: bytes) -> None:
    try:
        value = read_json(body)
    except JsonError:
        return

    assert json.loads(write_json(value)) == value
