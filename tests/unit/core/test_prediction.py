"""Prediction and Completions."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.core.lm import Usage
from dspex.core.prediction import Completions, Prediction

ROWS: list[dict[str, Any]] = [
    {"capital": "Lima", "sure": 0.9},
    {"capital": "Cusco", "sure": 0.1},
]
COLUMNS: dict[str, list[Any]] = {"capital": ["Lima", "Cusco"], "sure": [0.9, 0.1]}


def test_rows_and_columns_make_the_same_completions() -> None:
    assert Completions(ROWS) == Completions(COLUMNS)
    assert Completions(ROWS) != ROWS


def test_the_first_completion_gives_the_fields() -> None:
    prediction = Prediction.from_completions(ROWS, signature="country -> capital")

    assert prediction == Example(capital="Lima", sure=0.9)
    assert prediction.completions.signature == "country -> capital"


def test_completions_are_read_by_number_and_by_name() -> None:
    completions = Completions(ROWS)

    assert len(completions) == 2
    assert completions[1] == completions[-1] == Prediction(capital="Cusco", sure=0.1)
    assert completions["capital"] == completions.capital == ["Lima", "Cusco"]
    assert [each.capital for each in completions] == ["Lima", "Cusco"]
    assert completions.items() == list(COLUMNS.items())
    assert "capital" in completions
    assert "river" not in completions
    assert repr(completions) == f"Completions({COLUMNS!r})"


def test_what_a_caller_does_to_a_column_stays_with_the_caller() -> None:
    completions = Completions(ROWS)

    completions.capital.append("Arequipa")

    assert len(completions.capital) == 2


def test_absent_completions_and_fields_are_named() -> None:
    completions = Completions(ROWS)

    with pytest.raises(IndexError, match="no completion 2; there are 2"):
        _ = completions[2]
    with pytest.raises(KeyError, match=r"no field 'river'.*'capital', 'sure'"):
        _ = completions["river"]
    with pytest.raises(AttributeError, match="no field 'river'"):
        _ = completions.river


@pytest.mark.parametrize("nothing", [[], [{}], {}, {"capital": []}])
def test_no_completion_makes_no_prediction(nothing: list[dict[str, str]]) -> None:
    with pytest.raises(DataError, match="there is no completion"):
        Prediction.from_completions(nothing)


def test_completions_may_be_none_at_all() -> None:
    assert len(Completions([])) == len(Completions({})) == 0
    assert list(Completions({"capital": []})) == []


def test_completions_that_differ_in_their_fields_are_refused() -> None:
    with pytest.raises(DataError, match=r"completion 1 has the fields \['b'\]"):
        Completions([{"a": 1}, {"b": 1}])
    with pytest.raises(DataError, match="columns of different length"):
        Completions({"a": [1, 2], "b": [1]})


def test_a_prediction_made_by_hand_is_its_own_only_completion() -> None:
    assert Prediction(capital="Lima").completions == Completions([{"capital": "Lima"}])


def test_a_changed_copy_leaves_the_other_completions_behind() -> None:
    prediction = Prediction.from_completions(ROWS)

    assert len(prediction.copy().completions) == 2
    assert prediction.copy(capital="Puno").completions.capital == ["Puno"]
    assert prediction.without("sure").completions.items() == [("capital", ["Lima"])]
    assert len(prediction.completions) == 2


def test_usage_is_kept_in_plain_numbers_and_comes_along_with_a_copy() -> None:
    prediction = Prediction(capital="Lima")
    assert prediction.get_lm_usage() is None

    prediction.set_lm_usage({"m": Usage(prompt_tokens=3, completion_tokens=2)})

    spent = {"m": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
    assert prediction.get_lm_usage() == prediction.copy(a=1).get_lm_usage() == spent
    prediction.set_lm_usage(spent)
    assert prediction.get_lm_usage() == spent
    prediction.set_lm_usage(None)
    assert prediction.get_lm_usage() is None


def test_the_score_makes_a_prediction_a_number() -> None:
    low, high = Prediction(score=0.25), Prediction(score=1)

    assert float(low) == 0.25
    assert low < high
    assert low <= 0.25
    assert high > 0.5
    assert high >= low
    assert low + high == 1.25
    assert sum([low, high]) / 2 == 0.625
    assert (high / 2, 1 / low, low / high) == (0.5, 4.0, 0.25)


def test_without_a_score_it_is_no_number() -> None:
    with pytest.raises(ValueError, match="its fields are: 'capital'"):
        float(Prediction(capital="Lima"))
    with pytest.raises(TypeError):
        _ = Prediction(score=1) < "2"


def test_it_can_be_copied_deeply() -> None:
    copied = copy.deepcopy(Prediction.from_completions(ROWS))

    assert copied.completions == Completions(ROWS)


def test_its_repr_shows_the_fields() -> None:
    assert repr(Prediction(capital="Lima", n=1)) == "Prediction(capital='Lima', n=1)"


def test_all_of_an_answer_are_labels_unless_some_are_inputs() -> None:
    # DSPy's own page on deployment writes `value.labels().toDict()`.
    answer = Prediction(country="Peru", capital="Lima")

    assert answer.labels() == answer
    assert answer.with_inputs("country").labels() == Prediction(capital="Lima")
