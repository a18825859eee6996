"""What a metric may be and may give, and what is refused."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.core.errors import (
    ConfigurationError,
    LMCancelledError,
    LMConnectionError,
    LMTimeoutError,
    MetricRangeError,
)
from dspex.core.example import Example
from dspex.core.prediction import Prediction
from dspex.evaluate.metric import (
    Judgement,
    checked_metric,
    checked_range,
    judge,
    judgement_of,
    metric_name,
)
from dspex.metrics import exact_match, f1

EXAMPLE, PREDICTION = Example(a="Lima"), Prediction(a="lima city")


class Becomes:
    """What is no number and becomes one, as a bool or a scalar of NumPy does."""

    def __init__(self, number: float | None) -> None:
        self._number = number

    def __float__(self) -> float:
        if self._number is None:
            raise TypeError("only one of them can be a number")
        return self._number


def giving(value: Any) -> Any:
    return lambda _example, _prediction: value


@pytest.mark.parametrize(
    ("value", "score"),
    [
        (True, 1.0),
        (3, 3.0),
        (0.5, 0.5),
        (Fraction(1, 4), 0.25),
        (Decimal("0.25"), 0.25),
        (Becomes(0.25), 0.25),
        (Prediction(score=Becomes(0.5)), 0.5),
        (Prediction(score=0.5), 0.5),
        (Prediction(score=True, feedback="Well done."), 1.0),
    ],
)
def test_a_number_however_it_is_given_is_the_score(value: Any, score: float) -> None:
    judgement = judge(giving(value), EXAMPLE, PREDICTION)

    assert (judgement.score, dict(judgement.columns)) == (score, {})


def test_a_prediction_brings_its_feedback() -> None:
    value = Prediction(score=0.5, feedback="Too long.")

    assert judgement_of(value, "m") == Judgement(score=0.5, feedback="Too long.")


def test_any_object_with_a_score_will_do() -> None:
    @dataclass
    class Mark:
        score: float
        feedback: str

    assert judgement_of(Mark(1.0, "Good."), "m").feedback == "Good."


def test_the_first_number_of_a_mapping_is_the_score_unless_one_is_called_so() -> None:
    first = judgement_of({"exact": False, "f1": 0.5}, "m")
    named = judgement_of({"f1": 0.5, "score": 1, "feedback": "Hm."}, "m")

    assert (first.score, first.columns) == (0.0, {"exact": 0.0, "f1": 0.5})
    assert (named.score, named.columns) == (1.0, {"f1": 0.5, "score": 1.0})
    assert named.feedback == "Hm."


def test_several_metrics_are_columns_and_the_first_is_the_score() -> None:
    metrics = {
        "f1": f1("a"),
        "exact": exact_match("a"),
        "judge": giving({"tone": 1, "feedback": "Polite."}),
    }

    judgement = judge(metrics, EXAMPLE, PREDICTION)

    assert judgement == Judgement(
        score=2 / 3,
        columns={"f1": 2 / 3, "exact": 0.0, "judge": 1.0, "judge.tone": 1.0},
        feedback="judge: Polite.",
    )


async def measured_later(example: Example, prediction: Prediction) -> float:
    await asyncio.sleep(0)
    return float(example.a in prediction.a.title())


def test_an_async_metric_is_waited_for() -> None:
    assert judge(measured_later, EXAMPLE, PREDICTION).score == 1.0


def test_an_async_metric_is_waited_for_where_a_loop_runs_too() -> None:
    async def in_a_notebook() -> float:
        with dspex.context(num_threads=3):
            return judge({"m": seen}, EXAMPLE, PREDICTION).score

    async def seen(_example: Example, _prediction: Prediction) -> float:
        return float(dspex.settings.num_threads)

    assert asyncio.run(in_a_notebook()) == 3.0


def test_what_an_async_metric_raises_reaches_the_caller() -> None:
    async def broken(_example: Example, _prediction: Prediction) -> float:
        raise ZeroDivisionError

    async def in_a_notebook() -> None:
        judge(broken, EXAMPLE, PREDICTION)

    with pytest.raises(ZeroDivisionError):
        judge(broken, EXAMPLE, PREDICTION)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_a_notebook())


def test_a_metric_sees_the_trace_only_where_there_is_one() -> None:
    def metric(*arguments: Any) -> int:
        return len(arguments)

    assert judge(metric, EXAMPLE, PREDICTION).score == 2
    assert judge(metric, EXAMPLE, PREDICTION, []).score == 3


@pytest.mark.parametrize(
    "value",
    [
        None,
        "1",
        [1],
        {},
        {"a": None},
        {"feedback": "Only words."},
        Prediction(answer="Lima"),
        Prediction(score=None),
        Prediction(score="1"),
        Becomes(None),
        {"a": Becomes(None)},
    ],
)
def test_what_is_no_number_is_told_with_the_metrics_name(value: Any) -> None:
    def half_written(_example: Example, _prediction: Prediction) -> Any:
        return value

    with pytest.raises(TypeError, match=r"half_written.*without a return"):
        judge(half_written, EXAMPLE, PREDICTION)


@pytest.mark.parametrize("value", [float("nan"), {"a": float("inf")}, 10**400])
def test_a_number_that_is_not_finite_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected a finite number"):
        judge(giving(value), EXAMPLE, PREDICTION)


def test_feedback_is_a_text() -> None:
    with pytest.raises(TypeError, match="feedback of type int"):
        judgement_of(Prediction(score=1, feedback=5), "m")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_is_a_judgement_or_an_error_of_the_metric(value: Any) -> None:
    try:
        judgement = judgement_of(value, "m")
    except (TypeError, ValueError) as error:
        told = str(error)
    else:
        told = "the metric m"
        assert math.isfinite(judgement.score)
    assert told.startswith("the metric m")


def test_metrics_are_checked_before_any_work() -> None:
    for wrong in (None, 5, {}, {"exact": exact_match("a"), "f1": 0.5}):
        with pytest.raises(ConfigurationError, match="exact_match"):
            checked_metric(wrong)


def test_metrics_have_names_for_reports() -> None:
    assert metric_name(exact_match("a")) == "exact_match('a')"
    assert metric_name({"exact": exact_match("a"), "f1": f1("a")}) == "exact, f1"
    assert metric_name(dspex.Predict("a -> b")) == "Predict"


def test_a_score_outside_the_range_is_an_error_that_names_metric_score_and_range() -> (
    None
):
    def stars(example: Any, prediction: Any) -> int:
        return 4

    with pytest.raises(MetricRangeError) as caught:
        judge(stars, EXAMPLE, PREDICTION, metric_range=(0.0, 1.0))

    error = caught.value
    assert isinstance(error, ValueError)
    assert (error.metric, error.score) == ("stars", 4.0)
    assert error.metric_range == (0.0, 1.0)
    assert "metric_range=(0, 4)" in str(error)


@pytest.mark.parametrize("score", [-1, 0, 0.5, 2.0])
def test_the_ends_of_the_range_belong_to_it(score: float) -> None:
    found = judge(lambda *_: score, EXAMPLE, PREDICTION, metric_range=(-1.0, 2.0))

    assert found.score == score


def test_only_the_score_has_to_lie_in_the_range() -> None:
    several = {"right": lambda *_: True, "words": lambda *_: 250}

    found = judge(several, EXAMPLE, PREDICTION, metric_range=(0.0, 1.0))

    assert found.columns == {"right": 1.0, "words": 250.0}


@pytest.mark.parametrize("wrong", [(1, 0), (0, 0), (0,), "ab", None, (0, math.nan)])
def test_what_is_no_range_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"metric_range=\(0, 1\)"):
        checked_range(wrong)


def failing(error: BaseException) -> Any:
    def metric(*_: Any) -> float:
        raise error

    return metric


def test_a_metric_that_fails_loses_its_column_and_not_the_row() -> None:
    boom = ZeroDivisionError("no words")
    several = {
        "right": lambda *_: 1,
        "broken": failing(boom),
        "f1": lambda *_: 0.5,
        "none": lambda *_: None,
    }

    found = judge(several, EXAMPLE, PREDICTION)

    assert found.score == 1.0
    assert found.columns == {"right": 1.0, "broken": None, "f1": 0.5, "none": None}
    assert list(found.columns) == list(several)
    assert found.lost["broken"] is boom
    assert isinstance(found.lost["none"], TypeError)


def test_the_first_metric_is_the_score_and_its_failure_the_rows() -> None:
    several = {"broken": failing(ZeroDivisionError()), "f1": lambda *_: 0.5}

    with pytest.raises(ZeroDivisionError):
        judge(several, EXAMPLE, PREDICTION)


@pytest.mark.parametrize(
    "error",
    [
        LMConnectionError("down"),
        LMTimeoutError("slow"),
        LMCancelledError("over"),
        KeyboardInterrupt(),
    ],
)
def test_a_metric_that_had_no_answer_leaves_the_row_open(error: BaseException) -> None:
    several = {"right": lambda *_: 1, "judge": failing(error)}

    with pytest.raises(type(error)):
        judge(several, EXAMPLE, PREDICTION)
