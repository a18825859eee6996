"""Examples that are tried again: after an answer only when that was asked for."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.evaluate.results.outcome import OutcomeKind
from dspex.testing import FakeProvider
from tests.actors.rows import answer, right, rows


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as runtime:
        yield runtime


class Moody:
    """A provider's answer that fits at the second time it is asked."""

    def __init__(self) -> None:
        self._asked: dict[str, Iterator[int]] = {}

    def __call__(self, messages: Any) -> str:
        right_one = answer(messages)
        times = next(self._asked.setdefault(right_one, itertools.count(1)))
        return right_one if times > 1 else "no field at all"


def evaluate(provider: FakeProvider, **options: Any) -> dspex.EvaluationResult:
    lm = dspex.LM("openai/fake", api_base=provider.base_url)
    run = dspex.Evaluate(devset=rows(6), metric=right, **options)
    program = dspex.Predict("question -> answer")
    with dspex.context(lm=lm, adapter=dspex.ChatAdapter()):
        return run(program)


def test_an_answer_that_does_not_fit_is_a_measurement(runtime: dspex.Runtime) -> None:
    with FakeProvider(answer=Moody()) as provider:
        result = evaluate(provider)

    assert (result.score, result.complete) == (0.0, True)
    assert {o.kind for o in result.outcomes if o is not None} == {OutcomeKind.MODEL}


def test_a_retry_after_an_answer_asks_anew_and_says_so(
    runtime: dspex.Runtime,
) -> None:
    with FakeProvider(answer=Moody()) as provider:
        result = evaluate(provider, retry_answers={"model": 1})

        assert len(provider.bill) == 12

    assert result.score == 100.0
    told = {(o.stamp.attempt, o.first_score) for o in result.outcomes if o is not None}
    assert told == {(2, 0.0)}


def test_retries_of_another_cause_are_not_for_this_one(
    runtime: dspex.Runtime,
) -> None:
    with FakeProvider(answer=Moody()) as provider:
        result = evaluate(provider, retry_answers={"program": 3})

        assert len(provider.bill) == 6

    assert result.score == 0.0


def end_the_process(question: str) -> dspex.Prediction:
    """Take the process down at one question, as a broken C library would."""
    if question == "q1":
        os._exit(139)
    return dspex.Prediction(answer=question.replace("q", "a"))


def test_an_example_that_ends_its_process_is_set_aside_with_the_evidence(
    runtime: dspex.Runtime,
) -> None:
    run = dspex.Evaluate(devset=rows(2), metric=right, isolate="process", concurrency=1)

    result = run(end_the_process)

    kinds = [o.kind for o in result.outcomes if o is not None]
    assert kinds.count(OutcomeKind.SCORED) == 1
    poison = result.outcomes[1]
    assert poison is not None
    assert not result.complete
    assert len(poison.evidence) == 3
    assert poison.error is not None
    assert "set aside" in poison.error.message
    assert all("139" in line for line in poison.evidence)
