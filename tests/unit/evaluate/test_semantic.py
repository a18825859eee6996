"""Metrics that ask a model: what they ask, and how they count what it says."""

from __future__ import annotations

from typing import Any

import pytest

import dspex
from dspex.core.errors import DataError
from dspex.evaluate import CompleteAndGrounded, SemanticF1
from dspex.evaluate.metric import judge
from dspex.testing import DummyLM

WANTED = dspex.Example(question="Where is Lima?", response="In Peru.")
SAID = dspex.Prediction(response="By the sea.", context=["Lima lies in Peru."])
SHARES = {"reasoning": "?", "recall": 1.0, "precision": 0.5}


@pytest.mark.parametrize("decompositional", [False, True])
def test_semantic_f1_is_the_mean_of_what_the_model_says(decompositional: bool) -> None:
    metric = SemanticF1(decompositional=decompositional)
    ideas = ("ground_truth_key_ideas", "system_response_key_ideas", "discussion")
    lm = DummyLM([{**SHARES, **dict.fromkeys(ideas, "?")}])

    with dspex.context(lm=lm):
        score = judge(metric, WANTED, SAID).score

    assert score == pytest.approx(2 / 3)
    asked = lm.get_convo(0)[0][-1]["content"]
    for told in ("Where is Lima?", "In Peru.", "By the sea."):
        assert told in asked


def test_complete_and_grounded_asks_twice() -> None:
    metric = CompleteAndGrounded()
    complete = dict.fromkeys(metric.completeness_module.predict.signature.output_fields)
    grounded = dict.fromkeys(metric.groundedness_module.predict.signature.output_fields)
    lm = DummyLM(
        [
            {**dict.fromkeys(complete, "?"), "completeness": 0.25},
            {**dict.fromkeys(grounded, "?"), "groundedness": 0.75},
        ]
    )

    with dspex.context(lm=lm):
        score = judge(metric, WANTED, SAID).score

    assert score == pytest.approx(0.375)
    assert "Lima lies in Peru." in lm.get_convo(1)[0][-1]["content"]


@pytest.mark.parametrize(
    ("recall", "precision", "score"),
    [(0, 0, 0.0), (1, 1, 1.0), (7, 1, 1.0), (-1, 1, 0.0), (0.5, 1, 2 / 3)],
)
def test_shares_outside_of_0_to_1_are_cut_off(
    recall: float, precision: float, score: float
) -> None:
    lm = DummyLM([{"reasoning": "?", "recall": recall, "precision": precision}])

    with dspex.context(lm=lm):
        found = SemanticF1()(WANTED, SAID).score

    assert found == pytest.approx(score)


@pytest.mark.parametrize(
    ("precision", "threshold", "accepted"),
    [(0.5, 0.66, True), (0.5, 0.67, False), (1.0, 1.0, True)],
)
def test_with_a_trace_the_score_is_whether_it_is_good_enough(
    precision: float, threshold: float, accepted: bool
) -> None:
    with dspex.context(lm=DummyLM([{**SHARES, "precision": precision}])):
        score = SemanticF1(threshold)(WANTED, SAID, []).score

    assert score is accepted


@pytest.mark.parametrize(
    ("example", "prediction", "missing"),
    [
        (dspex.Example(question="?"), SAID, "the example has no field 'response'"),
        (WANTED, dspex.Prediction(), "the prediction has no field 'response'"),
        (WANTED, "By the sea.", "the prediction has no field 'response'"),
    ],
)
def test_a_missing_field_is_told_before_anybody_is_asked(
    example: Any, prediction: Any, missing: str
) -> None:
    lm = DummyLM([SHARES])

    with dspex.context(lm=lm), pytest.raises(DataError, match=missing):
        SemanticF1()(example, prediction)
    assert len(lm.history) == 0


def test_their_parts_have_the_names_of_dspys() -> None:
    def names(metric: dspex.Program) -> list[str]:
        return [name for name, _ in metric.named_predictors()]

    assert names(SemanticF1()) == ["module.predict"]
    assert names(CompleteAndGrounded()) == [
        "completeness_module.predict",
        "groundedness_module.predict",
    ]
