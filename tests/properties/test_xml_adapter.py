"""Whatever a value or reply holds: it comes back through XML, or an error says why."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dspex.core.adapters import XMLAdapter
from dspex.core.adapters.xml_text import elements, escaped, unescaped, without_tags
from tests.properties.test_adapters import (
    HOSTILE,
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

ADAPTER = XMLAdapter()
MARKS = st.sampled_from(
    [
        *("<answer>", "</answer>", "<answer/>", "</question>", "<question>", "<item>"),
        *(
            "</item>",
            '<entry key="a">',
            "</entry>",
            "<![CDATA[",
            "]]>",
            "&lt;",
            "&amp;",
        ),
        *("&#32;", "&", "<", ">", "< answer>", "<answer x='", "\t", "\xa0"),
    ]
)
hostile_texts = st.lists(texts | MARKS, max_size=8).map("".join)


@given(text=hostile_texts)
def test_an_escaped_text_comes_back_and_holds_no_tag(text: str) -> None:
    held = escaped(text)

    assert unescaped(f"\n{held}\n ") == text
    assert elements(f"<a>{held}</a>", lambda _: True, lambda _: False)[0].inside == held


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

    messages = ADAPTER.format(signature, [row], {"question": question})

    asked = messages[1:]
    field = r"<(question|reasoning|answer)>"
    tags = [
        re.findall(field, turn.text.rpartition("Answer with")[0] or turn.text)
        for turn in asked
    ]
    assert [message.role for message in asked] == ["user", "assistant", "user"]
    assert tags == [["question"], ["reasoning", "answer"], ["question"]]
    assert messages[-1].text.count("</question>") == 1


@given(text=hostile_texts)
def test_only_tags_of_fields_are_taken_out_of_an_input(text: str) -> None:
    shown = without_tags(text, frozenset({"answer", "question"}))

    found = elements(shown, lambda name: name in {"answer", "question"}, lambda _: True)
    assert found == []
    assert shown.count("<item>") == text.count("<item>")


@settings(max_examples=300)
@given(
    completion=hostile_texts | st.text("<>/answeritm &;#=\"' \n"),
    annotation=kinds,
    head=st.sampled_from(["", "<reasoning>r</reasoning><answer>"]),
    tail=st.sampled_from(["", "</answer>"]),
)
def test_any_reply_gives_values_or_a_parse_error(
    completion: str, annotation: Any, head: str, tail: str
) -> None:
    reply = head + completion + tail

    found = parsed_or_refused(ADAPTER, two_outputs(annotation), reply)

    check_values_or_error(found, reply)


MANY = 30_000
DEEP = [
    *("<item>" * MANY, "</item>" * MANY, "<item>" * MANY + "</item>" * MANY),
    *("<answer>" * MANY, "<answer " * MANY, "<entry key='" * MANY, "<![CDATA[" * MANY),
    "<item>" * 28 + "<item/>" * MANY + "</item>" * 28,
    *("<item>" * MANY + "</item>", "<a" + " " * MANY, "&#1" * MANY, "<item/>" * MANY),
]


@pytest.mark.parametrize("number", range(len(HOSTILE + DEEP)))
@pytest.mark.parametrize("annotation", [str, list[Any], dict[str, Any]], ids=str)
def test_hostile_replies_are_read_or_refused(number: int, annotation: Any) -> None:
    reply = f"<reasoning>r</reasoning><answer>{(HOSTILE + DEEP)[number]}</answer>"

    found = parsed_or_refused(ADAPTER, two_outputs(annotation), reply)

    assert isinstance(found, dict) or len(str(found)) < 3_000
