"""DSPy's metrics give DSPy's numbers: on each pair of a few dozen difficult texts.

The table was made by DSPy itself; `tests/tools/make_metric_cases.py` says how.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from dspex.core import metrics
from dspex.core.errors import ConfigurationError, DataError
from dspex.core.example import Example
from dspex.core.metrics import answer_passage_match, f1
from dspex.core.prediction import Prediction

TABLE: dict[str, Any] = json.loads(
    Path(__file__).with_name("metric_cases.json").read_text(encoding="utf-8")
)
PAIRS = list(itertools.product(TABLE["texts"], repeat=2))


def ours(column: str, said: str, wanted: str) -> Any:
    function = getattr(metrics, column)
    if not column.startswith("answer"):
        return function(said, [wanted])
    return function(Example(answer=wanted), Prediction(answer=said, context=[said]))


@pytest.mark.parametrize("column", TABLE["columns"])
def test_a_metric_gives_dspys_number(column: str) -> None:
    at = TABLE["columns"].index(column)

    differing = [
        (said, wanted, score, row[at])
        for (said, wanted), row in zip(PAIRS, TABLE["pairs"], strict=True)
        if (score := ours(column, said, wanted)) != pytest.approx(row[at], abs=1e-12)
    ]

    assert differing == []
    assert {row[at] for row in TABLE["pairs"]} >= {0, 1}


def test_texts_are_normalised_as_dspy_does() -> None:
    normalized = [metrics.normalize_text(text) for text in TABLE["texts"]]

    assert normalized == TABLE["normalized"]


def test_any_accepted_answer_in_any_passage_is_a_match() -> None:
    found = Prediction(context=["Cusco is old.", "The city of Lima, Peru"])

    assert answer_passage_match(Example(answer=["Quito", "lima peru"]), found)
    assert not answer_passage_match(Example(answer=["Quito", "peru lima"]), found)
    assert not answer_passage_match(Example(answer="Lima"), Prediction(context=[]))


def test_passages_that_are_missing_are_told() -> None:
    with pytest.raises(DataError, match="no field 'context'"):
        answer_passage_match(Example(answer="Lima"), Prediction(answer="Lima"))


def test_f1_of_a_field_takes_the_best_of_several_answers() -> None:
    metric = f1("capital")
    said = Prediction(capital="city of Lima")

    assert metric(Example(capital=["Cusco", "Lima"]), said) == 0.5
    assert metric(Example(capital=5), Prediction(capital="5")) == 1.0
    assert metric == f1("capital")
    assert metric.__name__ == repr(metric) == "f1('capital')"


def test_f1_of_no_field_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="an empty name"):
        f1("")


def test_f1_of_a_missing_field_is_told() -> None:
    with pytest.raises(DataError, match="no field 'capitol'"):
        f1("capitol")(Example(capital="Lima"), Prediction(capital="Lima"))
