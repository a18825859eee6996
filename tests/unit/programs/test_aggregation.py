from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.errors import DataError
from dspex.core.prediction import Prediction
from dspex.core.signature import make_signature
from dspex.programs.aggregation import majority


def test_the_most_frequent_answer_wins_and_texts_are_compared_normalized() -> None:
    answers = [{"answer": "Cusco"}, {"answer": "Lima"}, {"answer": "the lima."}]

    assert majority(answers).answer == "Lima"


def test_of_equally_frequent_answers_the_first_wins() -> None:
    assert majority([{"answer": "2"}, {"answer": "3"}, {"answer": "4"}]).answer == "2"


def test_a_predictions_completions_are_counted() -> None:
    prediction = Prediction.from_completions({"answer": ["3", "2", "2"]})

    assert majority(prediction).answer == "2"
    assert majority(prediction.completions).answer == "2"


def test_the_signatures_last_output_is_compared() -> None:
    signature = make_signature("question -> answer, score: int")
    completions = [{"score": 1, "answer": "a"}, {"score": 2, "answer": "b"}]
    prediction = Prediction.from_completions(
        [*completions, {"score": 2, "answer": "a"}], signature=signature
    )

    winner = majority(prediction)

    assert (winner.score, winner.answer) == (2, "b")
    assert winner.completions.signature is signature


def test_another_field_can_be_asked_for() -> None:
    rows = [{"city": "Lima", "n": 1}, {"city": "Cusco", "n": 2}, {"city": "X", "n": 2}]

    assert majority(rows, field="n").city == "Cusco"


def test_an_empty_answer_has_no_vote_unless_nobody_has_one() -> None:
    empty = {"answer": "..."}

    assert majority([empty, empty, {"answer": "yes"}]).answer == "yes"
    assert majority([empty, empty]).answer == "..."


def test_answers_that_cannot_be_hashed_are_counted_too() -> None:
    rows = [{"names": ["a"]}, {"names": ["b"]}, {"names": ["b"]}]

    assert majority(rows).names == ["b"]


def test_without_normalizing_answers_are_compared_as_they_are() -> None:
    rows = [{"answer": "A"}, {"answer": "a"}, {"answer": "a"}]

    assert majority(rows, normalize=None).answer == "a"


@pytest.mark.parametrize(
    ("rows", "field", "said"),
    [([], None, "no completion"), ([{"a": 1}, {"b": 1}], "a", "no field 'a'")],
)
def test_what_cannot_be_counted_is_an_error(
    rows: list[dict[str, Any]], field: str | None, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        majority(rows, field=field)


@given(st.lists(st.integers(0, 3), min_size=1))
def test_nobody_has_more_votes_than_the_winner(values: list[int]) -> None:
    winner = majority([{"n": value} for value in values]).n

    assert values.count(winner) == max(values.count(value) for value in values)
    tied = [v for v in values if values.count(v) == values.count(winner)]
    assert winner == tied[0]
