"""The calls an evaluation's examples made, kept with what went wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.results.result import EvaluationResult
from dspex.testing import FakeProvider
from tests.actors import isolated_programs as programs
from tests.actors.rows import answer, right, rows


@pytest.fixture
def lm() -> Iterator[dspex.LM]:
    with FakeProvider(answer=answer) as provider, dspex.Runtime():
        yield dspex.LM("openai/fake", api_base=provider.base_url)


def evaluator(count: int, **options: Any) -> dspex.Evaluate:
    defaults: dict[str, Any] = {"metric": right, "display_progress": False}
    return dspex.Evaluate(devset=rows(count), **defaults | options)


def asked(outcome: Outcome | None) -> list[str]:
    assert outcome is not None
    return [call.asker for call in outcome.trace]


def wrong_second(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
    return bool(example.question != "q1")


ASKER = "Predict(question -> answer)"


def of_ways(lm: dspex.LM, **options: Any) -> Iterator[EvaluationResult]:
    """The same evaluation in a thread, on a loop, on the caller's loop, debugged."""
    program = dspex.Predict("question -> answer")

    async def on_loop(question: str) -> Any:
        return await program.acall(question=question)

    with dspex.context(lm=lm):
        yield evaluator(3, **options)(program)
        yield evaluator(3, **options)(on_loop)
        yield asyncio.run(evaluator(3, **options).acall(program))
        yield evaluator(3, debug=True, **options)(program)


def test_by_default_the_calls_of_what_is_wrong_are_kept(lm: dspex.LM) -> None:
    kept = [
        [asked(outcome) for outcome in result.outcomes]
        for result in of_ways(lm, metric=wrong_second)
    ]

    assert kept == [[[], [ASKER], []]] * 4


def test_all_are_kept_or_none_where_that_is_said(lm: dspex.LM) -> None:
    everything = list(of_ways(lm, keep_traces="all"))
    nothing = list(of_ways(lm, metric=wrong_second, keep_traces="none"))

    for result in everything:
        assert [asked(outcome) for outcome in result.outcomes] == [[ASKER]] * 3
    for result in nothing:
        assert [asked(outcome) for outcome in result.outcomes] == [[]] * 3


def test_a_program_that_raises_after_its_call_shows_the_call(lm: dspex.LM) -> None:
    program = dspex.Predict("question -> answer")

    def broken(question: str) -> Any:
        return {}[program(question=question).answer]

    with dspex.context(lm=lm):
        result = evaluator(1)(broken)

    text = result.explain(0)
    assert "q0" in text
    assert "[[ ## answer ## ]]\n    a0" in text
    assert "KeyError in the program" in text


def test_what_hung_shows_the_calls_it_made_until_then(lm: dspex.LM) -> None:
    program = dspex.Predict("question -> answer")
    over = threading.Event()

    def hangs(question: str) -> Any:
        program(question=question)
        over.wait(60)

    with dspex.context(lm=lm):
        result = evaluator(1, timeout=1.0)(hangs)
    over.set()

    assert result.not_measured == {"timeout": 1}
    assert asked(result.outcomes[0]) == [ASKER]


def test_the_calls_of_a_child_process_are_kept(lm: dspex.LM) -> None:
    with dspex.context(lm=lm):
        result = evaluator(1, isolate="process", keep_traces="all")(programs.Asks(""))

    outcome = result.outcomes[0]
    assert outcome is not None
    assert [call.model for call in outcome.trace] == ["openai/fake"]
    assert outcome.trace[0].answers[0].strip().startswith("[[ ## answer ## ]]")


def test_a_record_has_the_calls_for_whoever_loads_the_run(lm: dspex.LM) -> None:
    with dspex.context(lm=lm):
        program = dspex.Predict("question -> answer")
        evaluator(2, metric=wrong_second, run="mine")(program)

        loaded = dspex.load_run("mine")

    assert [asked(outcome) for outcome in loaded.outcomes] == [[], [ASKER]]
