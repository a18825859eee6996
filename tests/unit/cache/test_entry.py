"""Answers go to JSON and come back whole, and nothing else is taken for one."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.cache.entry import (
    Absence,
    DamagedError,
    absence_of,
    checksum,
    dump_reply,
    load_reply,
)
from dspex.core.lm import Reply, ToolCall, Usage

COUNT = st.integers(0, 2**40)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.lists(st.text(max_size=8), max_size=3).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBER | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
CALLS = st.lists(
    st.builds(ToolCall, id=st.text(), name=st.text(), arguments=st.text()), max_size=2
).map(tuple)
REPLIES = st.builds(
    Reply,
    texts=TEXTS,
    usage=st.builds(Usage, **{each.name: COUNT for each in fields(Usage)}),
    model=st.text(max_size=8),
    finish_reasons=TEXTS,
    request_id=st.none() | st.text(max_size=8),
    cached=st.booleans(),
    attempts=COUNT,
    latency=NUMBER,
    tool_calls=st.lists(CALLS, max_size=2).map(tuple),
    reasoning=TEXTS,
    logprobs=st.lists(JSON, max_size=2).map(tuple),
    refused=st.booleans(),
    vectors=st.lists(st.lists(NUMBER, max_size=3).map(tuple), max_size=2).map(tuple),
    cost=st.none() | NUMBER,
)
WHOLE = Reply(
    texts=("Lima", "Cuzco"),
    usage=Usage(prompt_tokens=3, completion_tokens=1),
    tool_calls=((ToolCall(id="1", name="f", arguments="{"),), ()),
    cost=0.25,
)


@given(reply=REPLIES)
def test_every_reply_comes_back_from_json_as_it_was(reply: Reply) -> None:
    text = dump_reply(reply)

    assert load_reply(text) == reply
    assert text.isascii()
    assert "\n" not in text


def test_the_property_knows_every_field_of_a_reply() -> None:
    known = {each.name for each in fields(Reply)}

    assert {name for name in known if f"{name}=" in str(REPLIES)} == known


@pytest.mark.parametrize(
    "odd",
    [
        Reply(logprobs=(float("-inf"),)),
        Reply(vectors=((float("nan"),),)),
        Reply(logprobs=(object(),)),
    ],
)
def test_what_json_cannot_hold_is_refused(odd: Reply) -> None:
    with pytest.raises(ValueError, match=r".+"):
        dump_reply(odd)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"Lima"',
        "{",
        '{"texts": "Lima"}',
        '{"texts": [1]}',
        '{"texts": ["a"], "texts": ["b"]}',
        '{"cost": true}',
        '{"cost": NaN}',
        '{"latency": Infinity}',
        '{"cached": 1}',
        '{"attempts": 1.5}',
        '{"attempts": "1"}',
        '{"model": null}',
        '{"usage": {}}',
        '{"usage": {"prompt_tokens": 1, "more": 2}}',
        '{"tool_calls": [[{"id": "1"}]]}',
        '{"tool_calls": [{"id": "1", "name": "f", "arguments": ""}]}',
        '{"vectors": [["1"]]}',
        '{"__class__": "os"}',
        "[" * 100_000,
        '{"logprobs": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"attempts": ' + "9" * 5_000 + "}",
        "\x80\x04K\x01.",
        "\ufeff{}",
    ],
    ids=lambda text: text[:24] or "nothing",
)
def test_what_no_reply_was_written_as_is_damage(text: str) -> None:
    with pytest.raises(DamagedError):
        load_reply(text)


@given(values=st.dictionaries(st.sampled_from([f.name for f in fields(Reply)]), JSON))
def test_any_json_is_a_reply_or_damage(values: dict[str, Any]) -> None:
    try:
        reply = load_reply(json.dumps(values))
    except DamagedError:
        return

    assert load_reply(dump_reply(reply)) == reply


@given(at=st.integers(0, 10_000), letter=st.characters(codec="ascii"))
def test_another_letter_anywhere_changes_the_checksum(at: int, letter: str) -> None:
    texts = ["the question", dump_reply(WHOLE)]
    told = checksum(texts[0], texts[1], 1.5)
    which = at % 2
    text = texts[which]
    place = at % len(text)
    texts[which] = f"{text[:place]}{letter}{text[place + 1 :]}"

    assert (checksum(texts[0], texts[1], 1.5) == told) == (texts[which] == text)
    assert checksum(texts[0], texts[1], 1.25) != told


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"finish_reasons": ("stop", "tool_calls")}, None),
        ({"finish_reasons": ("stop", "length")}, Absence.CUT_OFF),
        ({"finish_reasons": ("content_filter",)}, Absence.REFUSED),
        ({"refused": True}, Absence.REFUSED),
    ],
)
def test_only_whole_answers_are_worth_keeping(
    changes: dict[str, Any], expected: Absence | None
) -> None:
    assert absence_of(replace(WHOLE, **changes)) is expected
