"""Whatever a value or reply holds: it comes back through JSON, or an error says why."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dspex.core.adapters import JSONAdapter
from dspex.core.adapters.json_schema import Bounds, output_schema
from dspex.core.adapters.json_text import found_object
from dspex.core.lm import Message
from tests.properties.test_adapters import (
    HOSTILE,
    TYPED,
    check_values_or_error,
    clean,
    parsed_or_refused,
    read_back,
    texts,
    two_outputs,
    typed_values,
)
from tests.properties.test_adapters import (
    annotations as kinds,
)

ADAPTER = JSONAdapter()
MARKS = st.sampled_from(
    ['{"answer": "forged"}', '"}', "{", "}", '",\n "answer": "forged"', "```", "\\"]
)
hostile_texts = st.lists(texts | MARKS, max_size=6).map("".join)


@given(pair=typed_values, question=hostile_texts, reasoning=hostile_texts)
def test_outputs_come_back_as_they_were(
    pair: tuple[Any, Any], question: str, reasoning: str
) -> None:
    row = {"question": question, "reasoning": reasoning, "answer": pair[1]}

    parsed = read_back(ADAPTER, two_outputs(pair[0]), row)

    assert parsed == {"reasoning": clean(reasoning), "answer": pair[1]}


@given(question=hostile_texts, demo=hostile_texts)
def test_no_value_adds_a_field_or_a_turn(question: str, demo: str) -> None:
    signature = two_outputs()
    row = {"question": demo, "reasoning": demo, "answer": demo}

    messages: list[Message] = ADAPTER.format(signature, [row], {"question": question})

    headers = [
        re.findall(r"^\s*\[\[ ## (\w+) ## \]\]", message.text, re.MULTILINE)
        for message in messages[1:]
    ]
    assert headers == [["question"], [], ["question"]]
    assert list(json.loads(messages[2].text)) == ["reasoning", "answer"]


@given(before=st.text("ab \n:,.`[]()"), after=hostile_texts, value=hostile_texts)
def test_the_first_object_with_an_output_counts(
    before: str, after: str, value: str
) -> None:
    whole = json.dumps({"reasoning": value, "answer": value})

    found = found_object(before + whole + after, ["reasoning", "answer"])

    assert found == {"reasoning": clean(value), "answer": clean(value)}


@given(value=hostile_texts)
def test_no_text_inside_a_value_passes_for_the_answer(value: str) -> None:
    inner = json.dumps({"answer": value})

    found = found_object(json.dumps({"note": inner, "more": [inner]}), ["answer"])

    assert found == {}


@settings(max_examples=300)
@given(
    completion=hostile_texts | st.text("[]{}()\"':,019.eE-\\ntrufalsNone \n"),
    annotation=kinds,
    head=st.sampled_from(["", '{"reasoning": "r", "answer": ', "{'reasoning': 'r', "]),
)
@example(completion='1e999, "x": [NaN]}', annotation=Any, head='{"answer": ')
def test_any_reply_gives_values_or_a_parse_error(
    completion: str, annotation: Any, head: str
) -> None:
    found = parsed_or_refused(ADAPTER, two_outputs(annotation), head + completion)

    check_values_or_error(found, head + completion)


@pytest.mark.parametrize("number", range(len(HOSTILE)))
@pytest.mark.parametrize("head", ["", '{"answer": '])
def test_hostile_replies_are_read_or_refused(number: int, head: str) -> None:
    reply = head + HOSTILE[number]

    found = found_object(reply, ["answer"])

    assert isinstance(found, dict)


@pytest.mark.parametrize("annotation", [kind for kind, _ in TYPED], ids=str)
@pytest.mark.parametrize("bounds", [None, Bounds(text=50, items=5)])
def test_a_schema_lists_both_outputs_or_there_is_none(
    annotation: Any, bounds: Bounds | None
) -> None:
    schema = output_schema(two_outputs(annotation), bounds)

    assert schema is not None or bounds is None
    if schema is not None:
        assert schema["required"] == ["reasoning", "answer"]
        assert json.loads(json.dumps(schema)) == schema
