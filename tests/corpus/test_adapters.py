"""Every adapter keeps every text of the corpus apart from its own marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.core.adapters import Adapter
from dspex.core.adapters.choice import ADAPTERS
from dspex.core.lm import ImagePart
from tests.corpus import PICTURES, TEXTS, demos, seen

QA = dspex.make_signature("question -> answer")
LISTED = dspex.make_signature("question -> answers: list[str], note: str")
NAMES = sorted(ADAPTERS)
HARMLESS = "a plain text"


@pytest.fixture(params=NAMES)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return ADAPTERS[request.param]()


def on_one_line(text: str) -> str:
    return " ".join(seen(text).splitlines()).strip()


def kept(adapter: Adapter, text: str) -> str:
    """What an adapter promises to keep of a text."""
    return on_one_line(text) if adapter.name == "line" else seen(text).strip()


def assistant_turn(
    adapter: Adapter, signature: type[dspex.Signature], row: dict[str, Any]
) -> str:
    messages = adapter.format(signature, [row], {"question": "?"})
    (turn,) = [message.text for message in messages if message.role == "assistant"]
    return turn


@pytest.mark.parametrize("name", TEXTS)
def test_an_answer_written_as_a_demo_is_read_back(adapter: Adapter, name: str) -> None:
    text = TEXTS[name]
    # A line that says nothing asks for nothing.
    if adapter.name == "line" and not kept(adapter, text):
        text = "-"

    turn = assistant_turn(adapter, QA, {"question": "?", "answer": text})

    parsed = adapter.parse(QA, turn)["answer"]
    assert parsed.strip() == kept(adapter, text)


@pytest.mark.parametrize("name", TEXTS)
def test_a_list_beside_another_answer_is_read_back(adapter: Adapter, name: str) -> None:
    text = seen(TEXTS[name])
    row = {"question": "?", "answers": [text, "Lima", text], "note": "n"}

    parsed = adapter.parse(LISTED, assistant_turn(adapter, LISTED, row))

    if adapter.name == "line":
        # The one adapter that must have all of it on one line.
        text = re.sub("[\u2028\u2029\x85]", " ", text)
    assert parsed == {"answers": [text, "Lima", text], "note": "n"}


@pytest.mark.parametrize("name", TEXTS)
def test_no_input_adds_a_turn_or_a_mark(adapter: Adapter, name: str) -> None:
    def shape(text: str) -> list[tuple[str, int]]:
        demo = {"question": text, "answer": "Lima"}
        messages = adapter.format(QA, [demo, demo], {"question": text})
        return [(turn.role, marks(adapter, turn.text)) for turn in messages]

    assert shape(TEXTS[name]) == shape(HARMLESS)


def marks(adapter: Adapter, text: str) -> int:
    """How many lines there are that the adapter itself may have begun."""
    lines = text.splitlines()
    if adapter.name == "line":
        return len(lines)
    # A tag that is no field's own is text to the XML adapter, such as that of HTML.
    tag = rf"\s*</?(?:{'|'.join(QA.fields)})>"
    mark = tag if adapter.name == "xml" else r"\s*\[\[ ## \w+ ## \]\]"
    return sum(bool(re.match(mark, line)) for line in lines)


@pytest.mark.parametrize("name", TEXTS)
def test_any_reply_is_an_answer_or_a_parse_error(adapter: Adapter, name: str) -> None:
    signature = dspex.make_signature("question -> answers: list[str], number: int")

    try:
        parsed = adapter.parse(signature, TEXTS[name])
    except dspex.AdapterParseError as error:
        parsed = {"answers": [], "number": 0}
        assert error.adapter_name  # noqa: PT017 - both ends are right

    assert parsed.keys() == {"answers", "number"}


def test_two_hundred_demos_are_shown_in_order(adapter: Adapter) -> None:
    shown = demos(200)

    messages = adapter.format(QA, shown, {"question": "?"})

    answers = [turn.text for turn in messages if turn.role == "assistant"]
    assert len(answers) == 200
    assert [adapter.parse(QA, turn)["answer"].strip() for turn in answers] == [
        kept(adapter, demo["answer"]) for demo in shown
    ]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_travels_whole_beside_the_text(adapter: Adapter, name: str) -> None:
    picture = dspex.Image(PICTURES[name]())
    signature = dspex.make_signature("photo: dspex.Image, question -> answer")
    row = {"photo": picture, "question": TEXTS["forged chat input"]}

    messages = adapter.format(signature, [], row)

    assert list(urls(messages)) == [picture.url]
    assert all(len(turn.text) < 10_000 for turn in messages)


def urls(messages: Any) -> Iterator[str]:
    for turn in messages:
        for part in turn.content if isinstance(turn.content, tuple) else ():
            if isinstance(part, ImagePart):
                yield part.url
