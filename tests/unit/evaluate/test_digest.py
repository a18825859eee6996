"""The digest says whether two runs measured the same, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import dspex
from dspex.core.lm import Usage
from dspex.evaluate.record.codec import decode, encode
from dspex.evaluate.results.digest import digest_of
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp

SCORED = Outcome(
    stamp=Stamp(run="r", example=0),
    kind=OutcomeKind.SCORED,
    score=0.5,
    prediction=dspex.Prediction(answer="a"),
)


class Foreign:
    """What JSON cannot hold."""

    def __init__(self) -> None:
        self.size = 3


@pytest.mark.parametrize(
    "change",
    [
        {"score": 0.25},
        {"kind": OutcomeKind.MODEL},
        {"prediction": dspex.Prediction(answer="b")},
    ],
)
def test_what_was_measured_is_in_it(change: dict[str, Any]) -> None:
    assert digest_of([SCORED]) != digest_of([replace(SCORED, **change)])


def test_place_and_trials_are_in_it() -> None:
    assert digest_of([SCORED, None]) != digest_of([None, SCORED])
    assert digest_of([SCORED, SCORED]) != digest_of([SCORED, SCORED], trials=2)


def test_how_often_it_was_tried_and_what_it_took_is_not() -> None:
    other = replace(
        SCORED,
        stamp=Stamp(run="s", example=0, attempt=3),
        latency=9.0,
        usage=Usage(prompt_tokens=5),
        cost=1.0,
    )

    assert digest_of([SCORED]) == digest_of([other])


@pytest.mark.parametrize(
    "prediction",
    [
        dspex.Prediction(answer={1, 2}, of=Foreign()),
        Foreign(),
        "\ud800",
        float("nan"),
        object,
        [[[{"deep": (1, b"x")}]]],
    ],
)
def test_it_is_the_same_for_what_a_record_gives_back(prediction: Any) -> None:
    live = replace(SCORED, prediction=prediction)
    kept = replace(SCORED, prediction=decode(encode(prediction)))

    assert digest_of([live]) == digest_of([kept])
