"""Metrics: what counts as the same answer, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

import dspex.metrics
from dspex.core import metrics
from dspex.core.errors import ConfigurationError, DataError
from dspex.core.example import Example
from dspex.core.metrics import (
    EM,
    F1,
    answer_exact_match,
    exact_match,
    normalize_answer,
    normalize_text,
)
from dspex.core.prediction import Prediction


def agree(expected: Any, actual: Any, **options: Any) -> bool:
    metric = exact_match("answer", **options)
    return metric(Example(answer=expected), Prediction(answer=actual))


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("  The  Hague. ", "hague"),
        ("It's a test", "its test"),
        ("1.5", "15"),
        ("A", ""),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"),
        ("another theme", "another theme"),
    ],
)
def test_normalize_text_is_blunt(text: str, normalized: str) -> None:
    assert normalize_text(text) == normalized


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("  The  Hague. ", "hague"),
        ("Washington, D.C.", "washington dc"),
        ("N\N{RIGHT SINGLE QUOTATION MARK}Djamena", "ndjamena"),
        ("1,234,567.50", "1234567.50"),
        ("\N{MINUS SIGN}5", "-5"),
        ("- 5.", "5"),
        ("(42)", "42"),
        ("$1/2", "1/2"),
        ("1,5", "1,5"),
        ("A", "a"),
        ("(a)", "a"),
        ("?!", "?!"),
        ("Stra\N{LATIN SMALL LETTER SHARP S}e", "strasse"),
        ("", ""),
    ],
)
def test_normalize_answer_keeps_what_an_answer_stands_on(
    text: str, normalized: str
) -> None:
    assert normalize_answer(text) == normalized


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("Lima", " lima."),
        ("Lima", "The Lima"),
        ("5", 5),
        ("1,000", 1000.0),
        (5, "5"),
        ("True", True),
        (False, "false"),
        (2, 2.0),
        ([1, 2], [1, 2]),
        (["Lima", "Ciudad de los Reyes"], "lima"),
        (None, None),
    ],
)
def test_answers_that_agree(expected: Any, actual: Any) -> None:
    assert agree(expected, actual) is True


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("Lima", "Lima, Peru"),
        ("5", "-5"),
        ("15", "1.5"),
        ("A", ""),
        ("A", "the"),
        ("none", None),
        ("5", 5.5),
        ("five", 5),
        ("1", True),
        (["Lima"], "Cusco"),
        (["Lima", "Cusco"], ["Cusco", "Lima"]),
    ],
)
def test_answers_that_differ(expected: Any, actual: Any) -> None:
    assert agree(expected, actual) is False


def test_another_normalisation_may_be_given() -> None:
    assert agree("ab", "ba", normalize=lambda text: "".join(sorted(text)))
    assert not agree("Lima", "lima", normalize=None)
    assert not agree("5", 5, normalize=None)
    assert agree("Lima", "Lima", normalize=None)


def test_a_metric_says_its_name() -> None:
    metric = exact_match("capital")

    assert metric.__name__ == repr(metric) == "exact_match('capital')"
    assert metric == exact_match("capital")


def test_a_trace_makes_no_difference() -> None:
    metric = exact_match("a")

    assert metric(Example(a="x"), Prediction(a="x"), [("step", {}, {})]) is True


def test_a_missing_field_is_an_error_not_a_wrong_answer() -> None:
    metric = exact_match("capitol")

    with pytest.raises(DataError, match=r"the example has no field.*mean 'capital'"):
        metric(Example(capital="Lima"), Prediction(capitol="Lima"))
    with pytest.raises(
        DataError, match=r"the prediction has no field.*fields are: 'x'"
    ):
        metric(Example(capitol="Lima"), Prediction(x="Lima"))


def test_what_a_program_gives_may_be_any_object_with_the_field() -> None:
    class Answer:
        capital = "lima."

    metric = exact_match("capital")

    assert metric(Example(capital="Lima"), Answer()) is True  # type: ignore[arg-type] # any object will do
    with pytest.raises(DataError, match="its fields are: none"):
        metric(Example(capital="Lima"), "Lima")  # type: ignore[arg-type] # any object will do


def test_an_empty_field_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="an empty name"):
        exact_match("")


def test_em_takes_any_of_the_answers() -> None:
    assert EM("The Lima!", ["Cusco", "lima"]) is True
    assert EM("Lima", ["Cusco"]) is False


@pytest.mark.parametrize(
    ("prediction", "answers", "score"),
    [
        ("the capital is Lima", ["Lima"], 0.5),
        ("Lima", ["Cusco", "Lima Peru"], 2 / 3),
        ("Lima Lima", ["Lima"], 2 / 3),
        ("Lima", ["Lima"], 1.0),
        ("Lima", ["Cusco"], 0.0),
        ("", ["Cusco"], 0.0),
        ("the", ["a"], 0.0),
    ],
)
def test_f1_is_the_overlap_of_words(
    prediction: str, answers: list[str], score: float
) -> None:
    assert F1(prediction, answers) == pytest.approx(score)


@pytest.mark.parametrize("answers", ["Lima", []])
def test_answers_must_be_a_list_of_texts(answers: Any) -> None:
    with pytest.raises(ConfigurationError, match="a list of at least one text"):
        EM("Lima", answers)
    with pytest.raises(ConfigurationError, match="a list of at least one text"):
        F1("Lima", answers)


def test_answer_exact_match_knows_one_answer_or_several() -> None:
    lima = Prediction(answer="lima.")

    assert answer_exact_match(Example(answer="Lima"), lima) is True
    assert answer_exact_match(Example(answer=["Cusco", "Lima"]), lima) is True
    assert answer_exact_match(Example(answer="Cusco"), lima) is False


def test_answer_exact_match_may_be_content_with_a_share_of_the_words() -> None:
    example, prediction = Example(answer="Lima"), Prediction(answer="capital is Lima")

    assert answer_exact_match(example, prediction, frac=0.5) is True
    assert answer_exact_match(example, prediction, frac=0.51) is False


def test_the_public_module_gives_the_same_objects() -> None:
    for name in dspex.metrics.__all__:
        assert getattr(dspex.metrics, name) is getattr(metrics, name)
