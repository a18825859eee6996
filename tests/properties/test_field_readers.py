"""A field that is read while it is written is the field of the whole answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dspex.core.adapters import Adapter, ChatAdapter, LineAdapter
from dspex.core.adapters import field_reader as reading
from dspex.core.adapters.field_reader import (
    FieldReader,
    NothingEarly,
    Unhurried,
    WholeCharacters,
)
from dspex.core.adapters.field_readers import field_reader
from dspex.core.adapters.json import JSONAdapter
from dspex.core.adapters.json_reader import JsonReader
from dspex.core.adapters.render import well_formed
from dspex.core.adapters.xml import XMLAdapter
from dspex.core.errors import AdapterParseError
from dspex.core.signature import make_signature

SIGNATURE = make_signature("question -> reasoning, answer")
OPTIONAL = make_signature("question -> reasoning: str | None, answer: str | None")
"""Any text is an answer to it, so that each has a value for each field."""

CHAT_WORDS = (
    "[[ ## answer ## ]]", "[[ ## reasoning ## ]]", "[[ ## completed ## ]]", "\n",
    "[[ ## other ## ]]", "\\[[ ## answer ## ]]", "\\[[", "[[", " ## ", "\\", "#",
    " ", "\t", "Lima", "ok", "\r\n", "\u2028", "\ud83d", "\ude00", "]]", "é",
)  # fmt: skip

LINE_WORDS = (
    "Answer:", "Reasoning:", "reasoning :", "Question:", "\n", "\r", "\n\n", "---",
    "-", "{answer}", "...", "_", "Lima", " ", ":", "Ans", "\u2028", "\ud83d", "\ude00",
)  # fmt: skip


def pieces_of(text: str, cuts: Sequence[int]) -> list[str]:
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    ends = [*places, len(text)]
    return [text[start:end] for start, end in zip([0, *places], ends, strict=True)]


def read(reader: FieldReader, pieces: Sequence[str]) -> str:
    return "".join([*map(reader.feed, pieces), reader.finish()])


def texts(words: Sequence[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(words) | st.text(max_size=3), max_size=14).map(
        "".join
    )


cuts = st.lists(st.integers(0, 10_000), max_size=12)


@pytest.mark.parametrize("name", ["reasoning", "answer"])
@given(answer=texts(CHAT_WORDS), cuts=cuts)
@example(answer="[[ ## answer ## ]] \\[[ \n## x", cuts=[20, 21, 22, 23, 24])
def test_chat(name: str, answer: str, cuts: list[int]) -> None:
    assert_same(ChatAdapter(), name, answer, cuts)


@pytest.mark.parametrize("name", ["reasoning", "answer"])
@given(answer=texts(LINE_WORDS), cuts=cuts)
@example(answer="\r\nAnswer: a\r\n\r\nReasoning: b", cuts=[1, 12, 13, 14])
def test_line(name: str, answer: str, cuts: list[int]) -> None:
    assert_same(LineAdapter(), name, answer, cuts)


def assert_same(adapter: Adapter, name: str, answer: str, cuts: list[int]) -> None:
    reader = field_reader(adapter, OPTIONAL, name)

    streamed = read(reader, pieces_of(answer, cuts))

    whole = adapter.parse(OPTIONAL, answer)[name]
    # What was not found is `None`, and so is a text that says so.
    assert streamed == whole or (whole is None and streamed in {"", "None", "null"})


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    before=st.sampled_from(["", "Sure: ", "```json\n", "{} ", '{"other": 1} ']),
    fields=st.dictionaries(
        st.sampled_from(["answer", "reasoning", "other"]), values, min_size=1
    ),
    indent=st.sampled_from([None, 2]),
    is_ascii=st.booleans(),
    after=st.sampled_from(["", "\n```", ' {"answer": "no"}', "}}"]),
    cuts=cuts,
)
def test_json_that_is_json(
    before: str,
    fields: dict[str, Any],
    indent: int | None,
    is_ascii: bool,
    after: str,
    cuts: list[int],
) -> None:
    fields = {**fields, "answer": fields.get("answer", "x")}
    written = json.dumps(fields, indent=indent, ensure_ascii=is_ascii)
    pieces = pieces_of(f"{before}{written}{after}", cuts)
    names = ["answer", "reasoning"]

    as_text = read(JsonReader("answer", names, takes_text=True), pieces)
    as_value = read(JsonReader("answer", names, takes_text=False), pieces)

    value = fields["answer"]
    if isinstance(value, str):
        assert as_text == as_value == well_formed(value)
    else:
        assert as_text == ""
        assert json.loads(as_value) == value


XML_WORDS = (
    "<answer>", "</answer>", "<reasoning>", "</reasoning>", "<answer/>", "<b>", "</b>",
    "<answer key='x'>", "</answer >", "<", ">", "/", "&lt;", "&#32;", "&#", "&", ";",
    "<![CDATA[", "]]>", "]", " ", "\n", "Lima", "x", "\ud83d", "\ude00",
)  # fmt: skip


@pytest.mark.parametrize("name", ["reasoning", "answer"])
@given(
    before=texts(XML_WORDS), inside=texts(XML_WORDS), after=texts(XML_WORDS), cuts=cuts
)
def test_xml(name: str, before: str, inside: str, after: str, cuts: list[int]) -> None:
    answer = f"{before}<{name}>{inside}</{name}>{after}"
    reader = field_reader(XMLAdapter(), OPTIONAL, name)

    streamed = "".join(map(reader.feed, pieces_of(answer, cuts)))

    whole = XMLAdapter().parse(OPTIONAL, answer)[name]
    # Where tags are never closed nothing can be said before the end.
    if reader.is_done:
        assert streamed == whole or (whole is None and streamed in {"None", "null"})


@given(
    before=st.sampled_from(["", "Sure: ", "```json\n", '{"other": {"answer": 1}} ']),
    fields=st.fixed_dictionaries({"reasoning": st.text(), "answer": st.text()}),
    is_ascii=st.booleans(),
    cuts=cuts,
)
def test_json_as_its_adapter_reads_it(
    before: str, fields: dict[str, str], is_ascii: bool, cuts: list[int]
) -> None:
    answer = before + json.dumps(fields, indent=1, ensure_ascii=is_ascii)

    for name in fields:
        reader = field_reader(JSONAdapter(), SIGNATURE, name)
        streamed = read(reader, pieces_of(answer, cuts))
        assert streamed == JSONAdapter().parse(SIGNATURE, answer)[name]


@given(text=st.text(alphabet='{}[]",:\\u0d83answer \n1', max_size=60), cuts=cuts)
def test_no_json_is_too_broken_to_be_read_quietly(text: str, cuts: list[int]) -> None:
    pieces = pieces_of(text, cuts)

    once = read(JsonReader("answer", ["answer"], takes_text=True), [text])
    cut = read(JsonReader("answer", ["answer"], takes_text=True), pieces)

    assert once == cut


@given(text=st.text(alphabet="a\ud83d\ude00\udfffé", max_size=8), cuts=cuts)
def test_halves_of_characters_come_together(text: str, cuts: list[int]) -> None:
    characters = WholeCharacters()

    joined = "".join(map(characters.feed, pieces_of(text, cuts))) + characters.finish()

    assert joined == well_formed(text)


@pytest.mark.parametrize(
    ("reader", "pieces", "early"),
    [
        (
            field_reader(ChatAdapter(), SIGNATURE, "answer"),
            ["[[ ## answer ## ]]\n", "Li", "ma ", "is", " it"],
            ["", "Li", "ma", " is", " it"],
        ),
        (
            field_reader(LineAdapter(), SIGNATURE, "reasoning"),
            [" I", " think", " so\n", "Answer: x"],
            ["I", " think", " so", ""],
        ),
        (
            field_reader(LineAdapter(), SIGNATURE, "answer"),
            [" I", " think", " so\nAns", "wer: L", "ima"],
            ["", "", "", "L", "ima"],
        ),
        (
            field_reader(XMLAdapter(), SIGNATURE, "answer"),
            ["<ans", "wer>\nLi", "ma &a", "mp; <b> <![CDATA[ &amp;]", "]></answer>"],
            ["", "Li", "ma ", "& <b>  &amp", ";"],
        ),
        (
            JsonReader("answer", ["answer"], takes_text=True),
            ['{"ans', 'wer": "Li', "ma\\", 'n"', "}"],
            ["", "Li", "ma", "\n", ""],
        ),
    ],
)
def test_text_is_given_as_soon_as_it_is_sure(
    reader: FieldReader, pieces: list[str], early: list[str]
) -> None:
    assert [reader.feed(piece) for piece in pieces] == early


def test_a_field_that_has_ended_says_so() -> None:
    chat = field_reader(ChatAdapter(), SIGNATURE, "answer")
    line = field_reader(LineAdapter(), SIGNATURE, "reasoning")
    json_ = JsonReader("answer", ["answer"], takes_text=True)

    chat.feed("[[ ## answer ## ]]\nLima\n[[ ## completed ## ]]")
    line.feed("so\n")
    json_.feed('{"answer": "Lima"}')

    assert chat.is_done
    assert line.is_done
    assert json_.is_done


def test_an_adapter_with_its_own_way_to_read_gives_nothing_early() -> None:
    class Shouting(ChatAdapter):
        def parse(self, signature: Any, completion: str) -> dict[str, Any]:
            return super().parse(signature, completion.lower())

    reader = field_reader(Shouting(), SIGNATURE, "answer")

    assert isinstance(reader, NothingEarly)
    assert read(reader, ["[[ ## answer ## ]]\nLima"]) == ""


def test_the_signatures_here_read_what_they_should() -> None:
    with pytest.raises(AdapterParseError):
        ChatAdapter().parse(SIGNATURE, "nothing")
    assert ChatAdapter().parse(OPTIONAL, "nothing")["answer"] is None


class Holding:
    """A reader that looks again at all it was fed, with each piece."""

    is_done = False

    def __init__(self) -> None:
        self.held = 0
        self.looked_at = 0

    def feed(self, text: str) -> str:
        self.held += len(text)
        self.looked_at += self.held
        return ""

    def finish(self) -> str:
        return ""


def test_a_text_that_is_held_without_end_is_looked_at_a_few_times_only() -> None:
    holding = Holding()
    reader = Unhurried(holding)

    for _ in range(200_000):
        reader.feed("x")
    reader.finish()

    assert holding.held == reader.held == 200_000
    # Each character once for each piece that came while little was held, and then in
    # pieces that grow with what is held.
    assert holding.looked_at < 200_000 * 20


@pytest.mark.parametrize(
    ("adapter", "words"),
    [(ChatAdapter(), CHAT_WORDS), (LineAdapter(), LINE_WORDS)],
    ids=["chat", "line"],
)
@given(data=st.data(), cuts=cuts)
def test_a_reader_that_waits_for_more_reads_the_same(
    adapter: Adapter, words: Sequence[str], data: st.DataObject, cuts: list[int]
) -> None:
    answer = data.draw(texts(words))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "MUCH", 1)
        patch.setattr(reading, "SHARE", 1)

        assert_same(adapter, "answer", answer, cuts)
