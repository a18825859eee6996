"""What makes two calls the same call."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.cache.key import (
    ATTACHED_FROM,
    Identity,
    attached_digests,
    digest,
    identify,
)
from dspex.core.lm import ImagePart, Message, RawPart, Request, TextPart, ToolCall

ASK = Request(
    model="m",
    messages=(Message("system", "s"), Message("user", "u")),
    settings={"temperature": 0.5, "stop": ["a", "b"]},
)
SETTINGS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    ),
    max_size=5,
)


def key(request: Request = ASK, provider: str = "p", place: str = "u") -> str:
    return identify(provider, place, request).key


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "other"},
        {"messages": ASK.messages[1:]},
        {"messages": ASK.messages[::-1]},
        {"messages": (Message("user", "s"), Message("user", "u"))},
        {"messages": (Message("system", "su"), Message("user", ""))},
        {"settings": {}},
        {"settings": {"temperature": 0.5}},
        {"settings": {"temperature": 0.5, "stop": ["b", "a"]}},
        {"settings": {**ASK.settings, "rollout_id": 1}},
        {"settings": {**ASK.settings, "n": 1}},
    ],
)
def test_whatever_can_change_the_answer_changes_the_key(
    changes: dict[str, Any],
) -> None:
    assert key(replace(ASK, **changes)) != key()


def test_provider_and_place_are_part_of_the_key() -> None:
    assert (
        len({key(), key(provider="q"), key(place="v"), key(provider="u", place="p")})
        == 4
    )


def test_rollouts_differ_from_each_other() -> None:
    one, two = (replace(ASK, settings={"rollout_id": rollout}) for rollout in (1, 2))

    assert key(one) != key(two)


@given(settings=SETTINGS)
def test_order_of_settings_is_no_part_of_the_key(settings: dict[str, Any]) -> None:
    turned = dict(reversed(settings.items()))

    assert key(replace(ASK, settings=settings)) == key(replace(ASK, settings=turned))


@given(first=SETTINGS, second=SETTINGS)
def test_keys_are_equal_only_for_equal_settings(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    same = repr(sorted(first.items())) == repr(sorted(second.items()))

    keys = {key(replace(ASK, settings=settings)) for settings in (first, second)}

    assert (len(keys) == 1) == same


@given(text=st.text())
def test_any_text_has_a_key(text: str) -> None:
    asked = key(replace(ASK, messages=(Message("user", text),)))

    assert len(asked) == 64


@pytest.mark.parametrize("text", ["\ud800", "\x00", "é", "e\u0301"])
def test_odd_texts_have_keys_of_their_own(text: str) -> None:
    assert key(replace(ASK, messages=(Message("user", text),))) != key(
        replace(ASK, messages=(Message("user", "é!"),))
    )


@pytest.mark.parametrize("value", [object(), {1: "a", "b": 2}, float("nan"), b"x"])
def test_settings_that_are_no_json_have_a_key_and_are_refused_later(value: Any) -> None:
    assert len(key(replace(ASK, settings={"odd": value}))) == 64


def test_key_is_the_same_in_another_process() -> None:
    program = "from tests.unit.cache.test_key import key\nprint(key())"

    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == key()


# Identities.


def test_the_key_is_the_digest_of_the_text_that_travels_with_it() -> None:
    identity = identify("p", "u", ASK)

    assert identity == Identity.of(identity.text)
    assert identity.key == hashlib.sha256(identity.text.encode()).hexdigest()
    assert json.loads(identity.text)["settings"] == ASK.settings


def test_an_identity_does_not_show_the_prompt() -> None:
    secret = replace(ASK, messages=(Message("user", "my diary"),))

    assert "diary" not in repr(identify("p", "u", secret))


PICTURE = "data:image/png;base64," + "A" * ATTACHED_FROM
SPEAKS = Message("user", "hi")


@pytest.mark.parametrize(
    "turn",
    [
        Message("user", (TextPart("hi"),)),
        Message("user", (ImagePart("hi"),)),
        Message("user", (ImagePart("hi", "low"),)),
        Message("user", (RawPart({"text": "hi"}),)),
        Message("user", (TextPart("h"), TextPart("i"))),
        Message("user", "hi", tool_call_id="1"),
        Message("user", "hi", (ToolCall(id="1", name="f", arguments=""),)),
        Message("user", "hi", (ToolCall(id="1", name="g", arguments=""),)),
    ],
)
def test_parts_and_tool_calls_are_part_of_the_key(turn: Message) -> None:
    others = [
        Message("user", "hi"),
        Message("user", (ImagePart("hi", "high"),)),
        Message("user", "hi", tool_call_id="2"),
    ]

    assert key(replace(ASK, messages=(turn,))) not in {
        key(replace(ASK, messages=(other,))) for other in others
    }


def test_the_wire_format_is_part_of_the_key() -> None:
    assert identify("p", "u", ASK, wire_format="anthropic") != identify("p", "u", ASK)


def test_a_long_text_stands_in_the_identity_by_its_digest() -> None:
    shown = (TextPart("what is it?"), ImagePart(PICTURE), ImagePart(PICTURE))
    identity = identify("p", "u", replace(ASK, messages=(Message("user", shown),)))

    assert len(identity.text) < 2_000
    assert "AAAA" not in identity.text
    assert identity.attachments == {digest(PICTURE): PICTURE}
    assert attached_digests(identity.text) == (digest(PICTURE),)


@pytest.mark.parametrize("length", [ATTACHED_FROM, ATTACHED_FROM + 1])
def test_long_texts_that_differ_have_keys_that_differ(length: int) -> None:
    asked = [
        replace(ASK, messages=(Message("user", "a" * length + end), SPEAKS))
        for end in "bc"
    ]

    assert key(asked[0]) != key(asked[1])


def test_where_a_long_text_stands_is_part_of_the_key() -> None:
    there = [(PICTURE, ""), ("", PICTURE), (PICTURE, PICTURE)]
    keys = {
        key(replace(ASK, messages=tuple(Message("user", text) for text in texts)))
        for texts in there
    }

    assert len(keys) == 3


def test_a_request_that_looks_like_a_folded_one_has_a_key_of_its_own() -> None:
    real = identify("p", "u", replace(ASK, messages=(Message("user", PICTURE),)))
    forged = replace(ASK, messages=(Message("user", ""),))

    assert key(forged) != real.key
    assert (
        key(replace(forged, settings={"attachments": [[["x"], digest(PICTURE)]]}))
        != real.key
    )


@pytest.mark.parametrize("text", ["", "[]", "null", '{"attachments": 1}', "[" * 10_000])
def test_a_text_that_is_no_identity_names_no_attachment(text: str) -> None:
    assert attached_digests(text) == ()
