"""Scores as bars and columns: any terminal, any range, any number of candidates."""

from __future__ import annotations

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.score_drawing import (
    MOST_BARS,
    NARROWEST,
    Look,
    drawn,
    look_for,
)
from tests.unit.teleprompt.studies import candidates, result


@given(
    st.lists(st.none() | st.floats(-1e6, 1e6), max_size=60),
    st.integers(NARROWEST, 200),
    st.booleans(),
)
def test_no_line_is_wider_than_the_terminal_and_each_candidate_is_counted(
    scores: list[float | None], width: int, has_blocks: bool
) -> None:
    found = [
        Candidate(number=number, label="wording", origin="", score=score)
        for number, score in enumerate(scores)
    ]

    lines = drawn(found, None, Look(width=width, has_blocks=has_blocks))

    assert has_blocks or "".join(lines).isascii()
    if len(found) <= MOST_BARS:
        assert len(lines) == len(found)
    if width >= 60:
        assert max(map(len, lines), default=0) <= width


def bars(*scores: float | None) -> list[int]:
    """How long each bar is, in characters."""
    lines = drawn(candidates(*scores), None, Look(has_blocks=False))
    return [line.count("#") for line in lines]


@pytest.mark.parametrize(
    ("scores", "lengths"),
    [
        ((50.0, 100.0), [15, 30]),
        ((70.0, 70.0), [30, 30]),
        ((0.0, 0.0), [0, 0]),
        ((-3.0, -1.0, 0.0), [0, 20, 30]),
        ((0.001, 0.002), [15, 30]),
        ((None, 100.0), [0, 30]),
        ((math.inf, 10.0, math.nan), [0, 30, 0]),
    ],
)
def test_a_bar_is_as_long_as_its_score_is_high(
    scores: tuple[float | None, ...], lengths: list[int]
) -> None:
    assert bars(*scores) == lengths


def test_scores_that_differ_are_written_so_that_they_do() -> None:
    lines = drawn(candidates(66.64, 66.6), None)

    assert [line.split()[1] for line in lines] == ["66.64", "66.60"]


def test_many_candidates_are_columns_and_the_best_of_them_are_named() -> None:
    found = candidates(*(float(number % 50) for number in range(500)))

    lines = drawn(found, 49, Look(width=60))

    assert len(lines) < 30
    assert "the best 10 of 500:" in lines
    assert any(line.startswith("*  49  49.0  ") for line in lines)
    assert lines[0].startswith("49.0  ")


def test_a_winner_that_is_not_among_the_best_is_named_all_the_same() -> None:
    found = candidates(*(float(number) for number in range(100)))

    assert any(line.startswith("*  5   5.0") for line in drawn(found, 5))


def test_many_candidates_of_equal_or_no_score_are_drawn() -> None:
    for scores in ([50.0] * 40, [None] * 40):
        assert "the best 10 of 40:" in drawn(candidates(*scores), None)


def test_a_stream_without_the_characters_is_drawn_for_with_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    study = result(candidates(50.0, 100.0))

    monkeypatch.setattr("sys.stdout", ascii_only)
    told = str(study)

    assert told.isascii()
    assert "#" * 30 in told
    assert look_for(None).has_blocks


def test_a_label_that_a_stream_cannot_show_is_written_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (first,) = candidates(50.0)
    study = result([Candidate(number=0, label="Bogotá", origin=first.origin)])

    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))

    assert r"Bogot\xe1" in str(study)
