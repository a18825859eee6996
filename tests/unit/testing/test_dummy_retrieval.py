"""Vectors and a search for tests, without a model and without numpy."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.testing import DummyVectorizer, dummy_rm


def test_the_nearest_passages_come_first() -> None:
    search = dummy_rm(["Lima is in Peru", "Cats drink milk", "Peru has a coast"])

    found = search("Where is Lima in Peru?", k=2)

    assert [one.long_text for one in found] == ["Lima is in Peru", "Peru has a coast"]


@pytest.mark.parametrize("k", [0, 3])
def test_no_more_can_be_found_than_there_is(k: int) -> None:
    with pytest.raises(dspex.ConfigurationError, match="there are 2"):
        dummy_rm(["a", "b"])("a", k=k)


def test_a_search_without_passages_finds_nothing() -> None:
    with pytest.raises(ValueError, match="there are 0"):
        dummy_rm()("a", k=1)


@given(st.text())
def test_a_vector_has_length_one_and_mean_zero(text: str) -> None:
    (vector,) = DummyVectorizer(10)([text])

    assert len(vector) == 10
    assert math.isclose(sum(vector), 0, abs_tol=1e-9)
    # All zero when nothing stands out: too short, or each place as often as the next.
    assert math.isclose(math.hypot(*vector), 1) or not any(vector)


def test_the_dice_of_the_process_are_left_alone() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)

    DummyVectorizer()(["a text"])

    assert random.random() == expected
