"""A program or a metric may do anything; it costs its own example only (S23)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

import pytest

import dspex
from dspex.evaluate.results.outcome import OutcomeKind

HUGE: Final = 5_000_000
"""Characters of what says too much."""


class Huge:
    """Says too much of itself."""

    def __repr__(self) -> str:
        return "x" * HUGE


def leaves() -> Any:
    sys.exit(3)


def interrupts() -> Any:
    raise KeyboardInterrupt


def recurses() -> Any:
    return recurses()


def raises_much() -> Any:
    raise ValueError("x" * HUGE)


def raises_what_says_much() -> Any:
    raise ValueError(Huge())


def nothing() -> float:
    return 1.0


MISDEEDS: Final = (leaves, interrupts, recurses, raises_much, raises_what_says_much)


@pytest.mark.parametrize("misdeed", MISDEEDS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("stage", ["program", "metric"])
def test_code_that_misbehaves_fails_its_example_alone(
    stage: str, misdeed: Callable[[], Any]
) -> None:
    def at(here: str, question: str) -> Any:
        return misdeed() if (here, question) == (stage, "1") else 1.0

    def program(question: str) -> dspex.Prediction:
        at("program", question)
        return dspex.Prediction(answer=question)

    def metric(example: dspex.Example, _prediction: Any, _trace: Any = None) -> float:
        return float(at("metric", example.question))

    rows = [dspex.Example(question=str(n)).with_inputs("question") for n in range(4)]

    with dspex.Runtime(dspex.Config(persist=False)) as runtime:
        result = dspex.Evaluate(devset=rows, metric=metric, persist=False)(program)
        restarts = runtime.restarts

    kinds = [outcome.kind for outcome in result.outcomes if outcome is not None]
    failed = OutcomeKind.PROGRAM if stage == "program" else OutcomeKind.METRIC
    scored = OutcomeKind.SCORED
    assert kinds == [scored, failed, scored, scored]
    assert len(repr(result.outcomes[1])) < 10_000
    assert (result.score, restarts) == (75.0, 0)
