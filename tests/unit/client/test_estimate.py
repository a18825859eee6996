import pytest

from dspex.client.estimate import (
    ATTACHMENT_TOKENS,
    TURN_TOKENS,
    estimate_tokens,
    text_tokens,
    worst_case,
)
from dspex.core import defaults
from dspex.core.lm import (
    ImagePart,
    Message,
    Part,
    RawPart,
    Request,
    TextPart,
    ToolCall,
    Usage,
)


def request(*content: Part, **settings: object) -> Request:
    turn = Message("user", content)
    return Request(model="m", messages=(turn,), settings=settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, defaults.ASSUMED_ANSWER),
        ({"max_tokens": 10}, 10),
        ({"max_tokens": 10, "n": 3}, 30),
        ({"max_completion_tokens": 20, "max_tokens": 10}, 20),
    ],
)
def test_answer_is_reckoned_at_the_longest_it_may_be(
    settings: dict[str, object], expected: int
) -> None:
    assert worst_case(request(**settings)).completion_tokens == expected


def test_texts_to_embed_have_no_answer() -> None:
    embedded = Request(
        model="m", messages=(Message("user", "abc"), Message("user", "defg"))
    )

    usage = worst_case(embedded, answers=False)

    assert usage == Usage(prompt_tokens=2 * TURN_TOKENS + 1 + 2)
    assert estimate_tokens(embedded, answers=False) == usage.prompt_tokens


def test_picture_counts_the_stated_figure_whatever_its_bytes() -> None:
    small, large = ImagePart("https://a/b.png"), ImagePart("data:," + "A" * 100_000)

    counts = [worst_case(request(part)).prompt_tokens for part in (small, large)]

    assert counts == [TURN_TOKENS + ATTACHMENT_TOKENS] * 2


def test_text_in_a_raw_part_counts_as_text_and_its_file_as_an_attachment() -> None:
    words = RawPart({"type": "text", "parts": [{"text": "well " * 300}]})
    sound = RawPart({"type": "audio", "audio": {"bytes": "QUJD" * 9000}})

    of_words = worst_case(request(words)).prompt_tokens
    of_sound = worst_case(request(sound)).prompt_tokens

    # Keys count too: they are sent, and what is sent is billed.
    said = ("type", "text", "parts", "text", "well " * 300)
    assert of_words == TURN_TOKENS + sum(map(text_tokens, said))
    assert ATTACHMENT_TOKENS < of_sound < ATTACHMENT_TOKENS + 50


def test_tools_schemas_and_tool_calls_count() -> None:
    plain = Request(model="m", messages=(Message("user", "go"),))
    call = ToolCall(id="1", name="look_up", arguments='{"key": "value"}')
    turn = Message("assistant", "", tool_calls=(call,))
    tools = [{"type": "function", "function": {"name": "look_up"}}]

    with_call = Request(model="m", messages=(*plain.messages, turn))
    with_tools = Request(model="m", messages=plain.messages, settings={"tools": tools})
    with_schema = Request(
        model="m", messages=plain.messages, settings={"response_format": {"a": 1}}
    )

    base = estimate_tokens(plain)
    assert estimate_tokens(with_call) > base + TURN_TOKENS + 10
    assert estimate_tokens(with_tools) > base + 10
    assert estimate_tokens(with_schema) > base


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("abc", 1),
        ("abcd", 2),
        ("2024-07-18", 10),
        ("東京都", 5),
        ("Привет", 6),
        ("🎉", 2),
        ("\ud800", 2),
    ],
)
def test_text_is_reckoned_by_what_it_is_made_of(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens


def test_text_parts_count_like_a_plain_text() -> None:
    parts = request(TextPart("abc"), TextPart("def"))
    plain = Request(model="m", messages=(Message("user", "abcdef"),))

    assert worst_case(parts) == worst_case(plain)
