"""What makes two calls the same call."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.cache.key import cache_key
from dspex.core.lm import Message, Request

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
    return cache_key(provider, place, request)


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
