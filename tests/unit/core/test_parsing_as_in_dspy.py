"""What models write is read as DSPy reads it, but where that would be wrong.

What DSPy makes of it is data, recorded by `python -m tests.tools.dspy_parsing`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dspex
from dspex.core.adapters import ChatAdapter
from tests.tools.dspy_parsing import TEXTS, TYPES, reading

RECORD = Path(__file__).parents[2] / "data" / "dspy_parsed.json"
DSPY: dict[str, dict[str, str]] = json.loads(RECORD.read_text("utf-8"))["read"]
OURS = reading(dspex, ChatAdapter())

NO_FLAG = {"True", "true", "false"}
"""A truth value is no number."""

NO_NUMBER = {"NaN", "Infinity"}
"""No score and no JSON file can hold these."""

STRICTER = {
    "int": NO_FLAG | {"1e3", "0x10"},
    "float": NO_FLAG | NO_NUMBER | {"0x10"},
    "number": NO_FLAG - {"false"},
}
"""What is refused, by type, though DSPy takes it."""

KEPT_AS_TEXT = {"int | str", "Any"}
"""Types that take a text, too: what is neither JSON nor such a value stays a text."""


@pytest.mark.parametrize("kind", TYPES)
def test_a_text_is_the_value_that_dspy_reads(kind: str) -> None:
    for text, value in DSPY[kind].items():
        mine = OURS[kind].get(text)
        if text in STRICTER.get(kind, ()):
            assert mine is None
        elif kind in KEPT_AS_TEXT:
            assert mine in (value, repr(text))
        elif kind == "str | None" and text in ("None", "null"):
            assert mine == "None"
        else:
            assert mine == value


def test_more_texts_are_read_than_by_dspy() -> None:
    gained = {
        (kind, text)
        for kind in TYPES
        for text in TEXTS
        if text in OURS[kind] and text not in DSPY[kind]
    }

    assert {("bool", "`yes`"), ("Mood", "Mood.GOOD"), ("Mood", "3")} <= gained
