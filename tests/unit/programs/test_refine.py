from __future__ import annotations

import functools
from typing import Any

import pytest

from dspex.core.errors import AdapterParseError
from dspex.core.prediction import Prediction
from dspex.programs import Predict, configure, context
from dspex.programs.refine import Refine, source_of
from tests.unit.programs.fakes import FakeLM, chat

ADVICE = chat(discussion="too long", advice='{"self": "Use one word."}')


def is_short(args: dict[str, Any], prediction: Prediction) -> float:
    return 1.0 if len(prediction.answer.split()) == 1 else 0.0


def asked(lm: FakeLM, call: int) -> str:
    return str(lm.calls[call][0][-1].content)


def test_the_next_round_gets_the_advice_as_a_hint() -> None:
    lm = FakeLM(chat(answer="a b"), ADVICE, chat(answer="a"))
    configure(lm=lm)
    program = Predict("question -> answer")

    answer = Refine(program, 3, is_short, threshold=1.0)(question="Q?")

    assert answer.answer == "a"
    assert len(lm.calls) == 3
    assert "hint_" not in asked(lm, 0)
    assert "[[ ## hint_ ## ]]\nUse one word." in asked(lm, 2)
    assert "hint_" not in program.signature.fields


def test_whoever_advises_sees_program_steps_and_reward() -> None:
    lm = FakeLM(chat(answer="a b"), ADVICE, chat(answer="a"))
    configure(lm=lm)

    Refine(Predict("question -> answer"), 2, is_short, threshold=1.0)(question="Q?")

    shown = asked(lm, 1)
    assert "class Predict(" in shown
    assert "def is_short" in shown
    assert "Module self" in shown
    assert '"question": "Q?"' in shown
    assert '"answer": "a b"' in shown


def test_nobody_is_asked_for_advice_after_the_last_round() -> None:
    lm = FakeLM(chat(answer="a b"))
    configure(lm=lm)

    Refine(Predict("question -> answer"), 1, is_short, threshold=1.0)(question="Q?")

    assert len(lm.calls) == 1


def test_advice_that_cannot_be_read_counts_as_a_failure_and_the_answer_stays() -> None:
    lm = FakeLM(chat(answer="a b"), "no advice", chat(answer="c d"))
    configure(lm=lm)
    program = Predict("question -> answer")

    assert Refine(program, 2, is_short, 1.0)(question="Q?").answer == "a b"

    lm = FakeLM(chat(answer="a b"), "no advice")
    configure(lm=lm)
    with pytest.raises(AdapterParseError):
        Refine(program, 2, is_short, 1.0, fail_count=0)(question="Q?")


def test_demos_stay_whole_beside_a_hint() -> None:
    lm = FakeLM(chat(answer="a b"), ADVICE, chat(answer="a"))
    configure(lm=lm)
    program = Predict("question -> answer")
    program.demos = [{"question": "1?", "answer": "one"}]

    Refine(program, 2, is_short, threshold=1.0)(question="Q?")

    demo = str(lm.calls[2][0][1].content)
    assert "lacks some fields" not in demo
    assert "N/A" in demo
    assert program.demos == [{"question": "1?", "answer": "one"}]


def test_the_trace_holds_the_best_round_and_no_advice() -> None:
    lm = FakeLM(chat(answer="a b"), ADVICE, chat(answer="a"))
    configure(lm=lm)
    program = Predict("question -> answer")
    trace: list[Any] = []

    with context(trace=trace):
        Refine(program, 2, is_short, threshold=1.0)(question="Q?")

    [(predictor, inputs, prediction)] = trace
    assert predictor is program
    assert inputs == {"question": "Q?"}
    assert prediction.answer == "a"


def test_source_that_is_not_at_hand_is_said_to_be_so() -> None:
    typed = eval("lambda args, pred: 1.0")  # noqa: S307 - as if typed at a prompt

    assert "'<lambda>'" in source_of(typed)
    assert "'len'" in source_of(len)
    assert "def is_short" in source_of(functools.partial(is_short))
