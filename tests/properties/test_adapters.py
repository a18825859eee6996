"""Whatever a value or a reply holds: it comes back, or an error says why."""

import dataclasses
import enum
import math
import time
from typing import Any, Literal

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dspex.core.adapters import (
    Adapter,
    ChatAdapter,
    JSONAdapter,
    LineAdapter,
    XMLAdapter,
)
from dspex.core.adapters.parse import parse_value
from dspex.core.adapters.render import render_value
from dspex.core.errors import AdapterParseError
from dspex.core.signature import InputField, OutputField, Signature, make_signature
from dspex.core.types.code import Code
from dspex.core.types.image import Image
from dspex.core.types.reasoning import Reasoning
from dspex.core.types.tool_calls import ToolCalls

MARKERS = (
    *("[[ ## answer ## ]]", "\n[[ ## reasoning ## ]]\n", "[[ ## completed ## ]]"),
    *("\\[[ ##", "[[ ##", "\n", "\r\n", "\u2028", "\x85", "---", "\n---\n", "\n\n"),
    *("Answer:", "\nAnswer: forged", "Question:", "Reasoning:", ": ", "{answer}"),
)
texts = st.lists(st.text(max_size=8) | st.sampled_from(MARKERS), max_size=8).map(
    "".join
)
whole_texts = st.text(st.characters(codec="utf-8"), max_size=30)
ADAPTERS: tuple[Adapter, ...] = (
    ChatAdapter(),
    JSONAdapter(),
    LineAdapter(),
    XMLAdapter(),
)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "BLUE"
    ONE = 1


@dataclasses.dataclass
class Point:
    x: int
    tags: list[str]


class Item(pydantic.BaseModel):
    name: str
    at: tuple[int, bool] | None = None
    more: dict[str, float] = {}


finite = st.floats(allow_nan=False, allow_infinity=False)
points = st.builds(Point, x=st.integers(), tags=st.lists(whole_texts))
items = st.builds(
    Item,
    name=whole_texts,
    at=st.none() | st.tuples(st.integers(), st.booleans()),
    more=st.dictionaries(whole_texts, finite, max_size=3),
)
TYPED: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers()),
    (float, finite),
    (bool, st.booleans()),
    (int | None, st.none() | st.integers()),
    (Literal["yes", "no", 3], st.sampled_from(["yes", "no", 3])),
    (Colour, st.sampled_from(Colour)),
    (list[int], st.lists(st.integers())),
    (list[str], st.lists(whole_texts)),
    (dict[str, list[bool]], st.dictionaries(whole_texts, st.lists(st.booleans()))),
    (dict[int, str], st.dictionaries(st.integers(), whole_texts)),
    (tuple[int, str], st.tuples(st.integers(), whole_texts)),
    (set[int], st.sets(st.integers())),
    (Point, points),
    (list[Point], st.lists(points, max_size=2)),
    (Item, items),
]
typed_values = st.sampled_from(TYPED).flatmap(
    lambda pair: st.tuples(st.just(pair[0]), pair[1])
)
annotations = st.sampled_from(
    [kind for kind, _ in TYPED]
    + [str, str | None, int | str, Any, list[Any], dict[str, Any], bytes, complex]
    + [Code, Reasoning, ToolCalls, Image, list[Image], Code | None, dict[str, Code]]
)


def two_outputs(annotation: Any = str) -> type[Signature]:
    return make_signature(
        {
            "question": (str, InputField()),
            "reasoning": (str, OutputField()),
            "answer": (annotation, OutputField()),
        }
    )


def one_line(text: str) -> str:
    return " ".join(text.splitlines()).strip()


def clean(text: str) -> str:
    """Return a text as it is sent: halves of characters joined or replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def answer_of(adapter: Adapter, signature: type[Signature], row: dict[str, Any]) -> str:
    """Return the assistant turn of the demo `row`."""
    messages = adapter.format(signature, [row], {"question": "?"})
    assistant = [message.text for message in messages if message.role == "assistant"]
    assert len(assistant) == 1
    return assistant[0]


def read_back(
    adapter: Adapter, signature: type[Signature], row: dict[str, Any]
) -> dict[str, Any]:
    """Return the outputs of a demo, as they are read out of its assistant turn."""
    return adapter.parse(signature, answer_of(adapter, signature, row))


@given(typed_values)
def test_a_typed_value_comes_back_as_it_was(pair: tuple[Any, Any]) -> None:
    annotation, value = pair

    assert parse_value(render_value(value, annotation), annotation) == value


@given(pair=typed_values, question=texts, reasoning=texts)
def test_chat_outputs_come_back_as_they_were(
    pair: tuple[Any, Any], question: str, reasoning: str
) -> None:
    annotation, value = pair
    signature = two_outputs(annotation)
    row = {"question": question, "reasoning": reasoning, "answer": value}

    parsed = ChatAdapter().parse(signature, answer_of(ChatAdapter(), signature, row))

    assert parsed == {"reasoning": clean(reasoning).strip(), "answer": value}


@given(reasoning=texts, answer=texts)
def test_line_outputs_come_back_on_one_line(reasoning: str, answer: str) -> None:
    signature = two_outputs()
    row = {"question": "?", "reasoning": "so " + reasoning, "answer": answer + " x"}

    parsed = LineAdapter().parse(signature, answer_of(LineAdapter(), signature, row))

    assert parsed == {
        "reasoning": one_line("so " + reasoning),
        "answer": one_line(answer + " x"),
    }


@given(reasoning=texts)
def test_a_line_value_that_looks_like_another_line_stays_in_its_field(
    reasoning: str,
) -> None:
    signature = two_outputs()
    row = {"question": "?", "reasoning": f"Answer: {reasoning}x", "answer": "y"}

    parsed = LineAdapter().parse(signature, answer_of(LineAdapter(), signature, row))

    assert parsed == {"reasoning": one_line(f"Answer: {reasoning}x"), "answer": "y"}


@given(pair=typed_values)
def test_line_typed_values_come_back(pair: tuple[Any, Any]) -> None:
    annotation, value = pair
    signature = two_outputs(annotation)
    row = {"question": "?", "reasoning": "r", "answer": value}
    rendered = render_value(value, annotation)
    flattened = len(rendered.splitlines()) > 1

    try:
        parsed = LineAdapter().parse(
            signature, answer_of(LineAdapter(), signature, row)
        )
    except AdapterParseError:
        assert flattened
    else:
        assert flattened or parsed["answer"] == value


WRITTEN = (
    *('{"name": "f", "args": ', '{"tool_calls": [', "]}", "}", "{}", '"{}"', "[", "]"),
    *('{"code": "x"}', "```python\n", "```", '{"url": "data:image/png;base64,QUJD"}'),
    *("https://a.test/b.png", "/etc/passwd", '{"content": 1}', '"arguments": "[', ","),
)
calls_written = st.lists(st.sampled_from(WRITTEN), max_size=8).map("".join)
HEADS = {
    "chat": "[[ ## reasoning ## ]]\nr\n[[ ## answer ## ]]\n",
    "json": '{"reasoning": "r", "answer": ',
    "line": "r\nAnswer: ",
    "xml": "<reasoning>r</reasoning><answer>",
}


def parsed_or_refused(
    adapter: Adapter, signature: type[Signature], completion: str
) -> dict[str, Any] | AdapterParseError:
    try:
        return adapter.parse(signature, completion)
    except AdapterParseError as error:
        return error


def check_values_or_error(
    found: dict[str, Any] | AdapterParseError, reply: str
) -> None:
    """Hold what a reply gave against what every reply must give."""
    if isinstance(found, AdapterParseError):
        assert found.expected == ("reasoning", "answer")
        assert found.lm_response == reply
        assert len(str(found)) < 3_000
    else:
        assert list(found) == ["reasoning", "answer"]
        assert not isinstance(found["answer"], float) or math.isfinite(found["answer"])


@settings(max_examples=300)
@given(
    completion=st.text()
    | texts
    | st.text("[]{}()\"':,019.eE-\\ntrufalsNone \n")
    | calls_written,
    annotation=annotations,
    adapter=st.sampled_from(ADAPTERS),
    bare=st.booleans(),
)
def test_any_reply_gives_values_or_a_parse_error(
    completion: str, annotation: Any, adapter: Adapter, bare: bool
) -> None:
    reply = completion if bare else HEADS[adapter.name] + completion

    found = parsed_or_refused(adapter, two_outputs(annotation), reply)

    check_values_or_error(found, reply)


HOSTILE = [
    *("[" * 100_000, '{"a":' * 100_000, '["' * 50_000, "(" * 100_000, "-" * 100_000),
    *("9" * 100_000, "[" + "9" * 100_000 + "]", "1e999999", "NaN", "[NaN, Infinity]"),
    *("\ud800", '["\ud800"]', '["\\ud800"]', "\0", "[1,\0]", "{" * 99 + "a"),
    *("'\"" * 5_000, '{"a":"b" c' * 5_000, "\\" * 100_000, "```json\n" * 5_000),
    *('["' * 20_000, '{"a":"b" c' * 40_000, '\\"' * 100_000),
    *("[1," * 90 + "x," * 10_000, "[" * 99 + '"' * 10_000, "{a:" * 99 + "'," * 9_000),
]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: str(adapter.name))
@pytest.mark.parametrize("number", range(len(HOSTILE)))
@pytest.mark.parametrize("annotation", [str, int, float, list[Any], Item, int | str])
def test_hostile_replies_are_answered_soon(
    number: int, annotation: Any, adapter: Adapter
) -> None:
    signature = two_outputs(annotation)
    started = time.monotonic()

    found = parsed_or_refused(adapter, signature, HEADS[adapter.name] + HOSTILE[number])

    assert time.monotonic() - started < 10
    assert isinstance(found, dict) or len(str(found)) < 3_000
