from __future__ import annotations

from typing import Any

import pytest

from dspex.core.errors import ConfigurationError, DataError, MissingInputError
from dspex.core.prediction import Prediction
from dspex.programs import configure
from dspex.programs.multi_chain_comparison import MultiChainComparison
from tests.unit.programs.fakes import FakeLM, chat

ATTEMPTS = [
    Prediction(rationale="It looks blue.\nMostly.", answer="blue"),
    {"reasoning": "Grass is.", "answer": "green"},
    Prediction(answer="blue"),
]


def test_the_attempts_are_shown_and_one_answer_comes_back() -> None:
    lm = FakeLM(chat(rationale="two say so", answer="blue"))
    configure(lm=lm)

    answer = MultiChainComparison("question -> answer")(ATTEMPTS, question="Sky?")

    assert (answer.rationale, answer.answer) == ("two say so", "blue")
    shown = str(lm.calls[0][0][-1].content)
    assert "«It looks blue. My answer: blue»" in shown
    assert "«Grass is. My answer: green»" in shown
    assert "«My answer: blue»" in shown
    assert lm.calls[0][1]["temperature"] == 0.7


def test_another_temperature_and_other_settings_are_passed_on() -> None:
    lm = FakeLM(chat(rationale="r", answer="blue"))
    configure(lm=lm)

    compare = MultiChainComparison("question -> answer", 1, temperature=0.1, seed=3)
    compare([{"answer": "blue"}], question="Sky?")

    assert lm.calls[0][1] == {"temperature": 0.1, "seed": 3}


@pytest.mark.parametrize(
    ("attempts", "inputs", "error"),
    [
        (ATTEMPTS[:2], {"question": "Sky?"}, DataError),
        ([*ATTEMPTS[:2], {"reasoning": "none"}], {"question": "Sky?"}, KeyError),
        (ATTEMPTS, {}, MissingInputError),
    ],
)
def test_what_cannot_be_compared_is_an_error_before_any_call(
    attempts: Any, inputs: Any, error: type[Exception]
) -> None:
    lm = FakeLM(chat(rationale="r", answer="blue"))
    configure(lm=lm)

    with pytest.raises(error):
        MultiChainComparison("question -> answer")(attempts, **inputs)

    assert lm.calls == []


@pytest.mark.parametrize(("signature", "count"), [("a -> b", 0), ("a ->", 3)])
def test_no_attempts_and_no_outputs_are_refused(signature: str, count: int) -> None:
    with pytest.raises((ConfigurationError, ValueError), match="expected"):
        MultiChainComparison(signature, M=count)
