"""Nothing that is shown can steer a terminal, and nothing readable is lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.safe_text import safe_json, safe_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\u009b31m", r"\x9b31m"),
        ("\u202eevil\u2066", r"\u202eevil\u2066"),
        ("over\rwritten", r"over\rwritten"),
        ("\ud800", r"\ud800"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("line\u2028two", r"line\u2028two"),
    ],
)
def test_what_acts_is_written_out(text: str, shown: str) -> None:
    assert safe_text(text) == shown


@pytest.mark.parametrize(
    "text", ["Bogotá", "北京", "قطر", "👩\u200d🔬", "a\nb", "क्\u200dष"]
)
def test_what_people_write_is_left_alone(text: str) -> None:
    assert safe_text(text) == text


@given(st.text(st.characters()))
def test_nothing_that_acts_is_left_in_any_text(text: str) -> None:
    shown = safe_text(text, keep="")

    shown.encode()
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)


@given(st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_json_reads_back_unchanged(value: object) -> None:
    shown = safe_json(value)

    assert json.loads(shown) == value
    assert not any(127 <= ord(c) < 160 for c in shown)
