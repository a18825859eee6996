from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.chat import messages_of, turn_of
from dspex.core.errors import ConfigurationError
from dspex.core.lm import ImagePart, Message, Part, RawPart, TextPart, ToolCall

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USER = {"role": "user", "content": "hello"}


def one(**turn: Any) -> Message:
    (message,) = messages_of([{**USER, **turn}])
    return message


def test_text_turns_keep_their_order_and_roles() -> None:
    turns = [{"role": role, "content": role} for role in ("system", "user")]

    assert messages_of(turns) == (
        Message("system", "system"),
        Message("user", "user"),
    )


def test_message_values_pass_through() -> None:
    message = Message("user", "x")

    assert messages_of([message]) == (message,)


def test_developer_is_the_newer_word_for_system() -> None:
    assert one(role="developer").role == "system"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "x"}, TextPart("x")),
        (
            {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
            ImagePart("https://x.test/a.png"),
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}},
            ImagePart("data:,", "low"),
        ),
        ({"type": "image_url", "image_url": "data:,"}, ImagePart("data:,")),
        (
            {"type": "input_audio", "input_audio": {"data": "aa"}},
            RawPart({"type": "input_audio", "input_audio": {"data": "aa"}}),
        ),
        (
            {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
            RawPart(
                {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
            ),
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:,", "format": "png"}},
            RawPart(
                {"type": "image_url", "image_url": {"url": "data:,", "format": "png"}}
            ),
        ),
    ],
)
def test_part_becomes_the_value_that_holds_all_of_it(
    part: dict[str, Any], expected: Part
) -> None:
    assert one(content=[part]).content == (expected,)


def test_raw_part_is_a_copy() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "aa"}}
    message = one(content=[part])

    part["input_audio"] = {"data": "changed"}

    assert turn_of(message)["content"][0]["input_audio"] == {"data": "aa"}


def test_tool_calls_and_their_result_are_read() -> None:
    asked, told = messages_of(
        [
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "Lima", "tool_call_id": "c1"},
        ]
    )

    assert asked == Message(
        "assistant", "", tool_calls=(ToolCall(id="c1", name="f", arguments="{}"),)
    )
    assert told == Message("tool", "Lima", tool_call_id="c1")


def test_a_result_may_name_its_tool_as_the_call_does() -> None:
    turn = {"role": "tool", "content": "Lima", "tool_call_id": "c1", "name": "f"}

    assert messages_of([turn]) == (Message("tool", "Lima", tool_call_id="c1"),)


def test_key_without_a_value_is_no_harm() -> None:
    assert one(refusal=None, tool_calls=None) == Message("user", "hello")


@pytest.mark.parametrize(
    ("turn", "says"),
    [
        ({"role": "bot"}, "'bot'"),
        ({"role": None}, "role None"),
        ({"role": ["user"]}, "role"),
        ({"name": "canary"}, "'name'"),
        ({"content": None}, "NoneType"),
        ({"content": 7}, "int"),
        ({"content": b"canary"}, "bytes"),
        ({"content": []}, "without any part"),
        ({"content": ["canary"]}, r"content\[0\] is no part"),
        ({"content": [{"text": "canary"}]}, "'type'"),
        ({"content": [{"type": "text", "text": 7}]}, "text of type int"),
        ({"content": [{"type": "image_url", "image_url": {}}]}, "without an address"),
        ({"tool_calls": [CALL]}, "role 'user'"),
        ({"role": "assistant", "tool_calls": "canary"}, "of type str"),
        ({"role": "assistant", "tool_calls": [{}]}, r"tool_calls\[0\] has no function"),
        (
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {}}}],
            },
            "no text",
        ),
        ({"role": "tool"}, "without a tool_call_id"),
        ({"tool_call_id": "c1"}, "role 'user'"),
    ],
)
def test_wrong_turn_is_named_by_its_place_and_not_shown(
    turn: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        messages_of([USER, {**USER, **turn}])

    assert str(caught.value).startswith("messages[1]")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("turns", ["hello", USER, [], ["hello"], [7]])
def test_what_is_no_list_of_turns_is_refused(turns: Any) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        messages_of(turns)


PARTS = st.one_of(
    st.builds(TextPart, st.text()),
    st.builds(ImagePart, st.text(), st.none() | st.text()),
    st.builds(
        RawPart, st.fixed_dictionaries({"type": st.just("file"), "id": st.text()})
    ),
)
CALLS = st.builds(ToolCall, id=st.text(), name=st.text(), arguments=st.text())
CONTENTS = st.text() | st.lists(PARTS, min_size=1).map(tuple)
MESSAGES = st.one_of(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), CONTENTS),
    st.builds(
        Message,
        st.just("assistant"),
        CONTENTS,
        tool_calls=st.lists(CALLS, min_size=1).map(tuple),
    ),
    st.builds(Message, st.just("tool"), CONTENTS, tool_call_id=st.text()),
)


@given(messages=st.lists(MESSAGES, min_size=1, max_size=4))
def test_what_is_written_is_read_again(messages: list[Message]) -> None:
    assert messages_of([turn_of(message) for message in messages]) == tuple(messages)
