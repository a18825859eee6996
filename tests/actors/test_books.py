"""The books of an evaluation: its sums agree with one another and with the bill.

The provider's own bill says what is right, to the token.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.client.price import Price
from dspex.core.lm import Usage
from dspex.evaluate.results.result import EvaluationResult
from dspex.testing import FakeProvider, Status
from tests.actors import isolated_programs as programs
from tests.actors.rows import answer, right, rows

PRICE = Price(input=1000.0, output=4000.0)
MODEL = "openai/fake"


def config(home: Path) -> dspex.Config:
    return dspex.Config(home=home, prices={MODEL: PRICE, "openai/other": PRICE})


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path) -> Iterator[dspex.Runtime]:
    with dspex.Runtime(config(tmp_path)) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer, price=PRICE) as running:
        yield running


def model(provider: FakeProvider, **options: Any) -> dspex.LM:
    return dspex.LM(MODEL, api_base=provider.base_url, **options)


def evaluated(program: Any, count: int = 8, **options: Any) -> EvaluationResult:
    usual: dict[str, Any] = {"metric": right, "concurrency": 4}
    evaluate = dspex.Evaluate(
        devset=rows(count), display_progress=False, **usual | options
    )
    return evaluate(program)


def hold_books(result: EvaluationResult, provider: FakeProvider) -> None:
    """Hold what every ended run has to show of what it spent."""
    provider.wait_for_idle(20)
    waste = result.resilience
    each = [one.usage for one in result.outcomes if one is not None]
    assert result.usage == provider.total_usage
    assert result.usage == reduce(add, each, Usage()) + waste.usage
    assert result.usage == result.money.usage + waste.usage
    assert result.cost == pytest.approx(provider.total_cost, abs=1e-12)
    assert (result.money.cost or 0) + waste.cost == pytest.approx(result.cost or 0)
    assert result.calls == len(provider.bill)


def kill(runtime: dspex.Runtime, ending: str) -> None:
    """Kill a part of the branch that makes the calls."""
    for name in runtime.start().registry.names():
        if name.endswith(ending):
            runtime.start().registry.resolve(name).kill()


def test_a_quiet_run_has_the_bill_in_its_outcomes(provider: FakeProvider) -> None:
    with dspex.context(lm=model(provider)):
        result = evaluated(dspex.Predict("question -> answer"))

    hold_books(result, provider)
    assert [one.calls for one in result.outcomes if one] == [1] * 8
    assert [one.cached for one in result.outcomes if one] == [0] * 8
    assert all(one.cost for one in result.outcomes if one)
    assert result.resilience.usage == Usage()


def test_refused_requests_are_told_and_cost_nothing(provider: FakeProvider) -> None:
    provider.misbehave(Status(500), on=range(2, 6))

    with dspex.context(lm=model(provider)):
        result = evaluated(dspex.Predict("question -> answer"))

    hold_books(result, provider)
    assert result.resilience.failed == 4


def test_a_cached_run_costs_nothing_and_has_no_latency(provider: FakeProvider) -> None:
    program = dspex.Predict("question -> answer")
    with dspex.context(lm=model(provider)):
        first = evaluated(program)
        again = evaluated(program)

    hold_books(first, provider)
    assert again.cached == again.money.calls == 8
    assert (again.usage, again.cost, again.latency) == (Usage(), 0.0, None)
    assert first.latency is not None
    assert first.latency.n == 8


def test_a_failed_outcome_has_what_its_answers_cost(provider: FakeProvider) -> None:
    def fails(question: str) -> Any:
        dspex.Predict("question -> answer")(question=question)
        raise ValueError(question)

    with dspex.context(lm=model(provider)):
        result = evaluated(fails)

    hold_books(result, provider)
    assert [one.calls for one in result.failures] == [1] * 8


def test_an_example_out_of_time_has_what_it_spent(provider: FakeProvider) -> None:
    release = threading.Event()

    def hangs(question: str) -> Any:
        found = dspex.Predict("question -> answer")(question=question)
        if question == "q1":
            release.wait(20)
        return found

    with dspex.context(lm=model(provider)):
        result = evaluated(hangs, 2, timeout=2.0)
    release.set()

    hold_books(result, provider)
    late = result.outcomes[1]
    assert late is not None
    assert (late.kind.value, late.calls) == ("timeout", 1)
    assert late.usage.total_tokens > 0


def test_calls_in_threads_of_a_program_are_its_own(provider: FakeProvider) -> None:
    def spreads(question: str) -> Any:
        ask = dspex.Predict("question -> answer")
        with ThreadPoolExecutor(2) as pool:
            asked = [
                pool.submit(
                    copy_context().run,
                    partial(ask, question=question, config={"rollout_id": draw}),
                )
                for draw in (1, 2)
            ]
        return asked[0].result()

    with dspex.context(lm=model(provider)):
        result = evaluated(spreads, 3)

    assert result.failure_lines == ()
    hold_books(result, provider)
    assert [one.calls for one in result.outcomes if one] == [2, 2, 2]


@pytest.mark.parametrize("isolate", [None, "process"])
def test_coroutines_and_processes_are_booked_alike(
    provider: FakeProvider, isolate: Any
) -> None:
    program = dspex.Predict("question -> answer")
    with dspex.context(lm=model(provider)):
        if isolate is None:
            result = evaluated(program.acall, 3)
        else:
            program.lm = model(provider)
            result = evaluated(program, 3, metric=programs.right, isolate=isolate)

    hold_books(result, provider)
    assert [one.calls for one in result.outcomes if one] == [1, 1, 1]


def test_an_answer_a_fallback_took_the_place_of_is_paid_too(
    provider: FakeProvider,
) -> None:
    other = dspex.LM("openai/other", api_base=provider.base_url)
    lm = model(provider, fallbacks=[other], fallback_when=lambda _reply: True)

    with dspex.context(lm=lm):
        result = evaluated(dspex.Predict("question -> answer"), 3)

    hold_books(result, provider)
    assert result.money.calls == 6


def test_an_attempt_after_an_answer_is_what_resilience_costs(
    provider: FakeProvider,
) -> None:
    failed: set[str] = set()

    def fails_once(question: str) -> Any:
        found = dspex.Predict("question -> answer")(question=question)
        if question not in failed:
            failed.add(question)
            raise ValueError(question)
        return found

    with dspex.context(lm=model(provider)):
        result = evaluated(fails_once, retry_answers=1)

    hold_books(result, provider)
    assert result.score == 100.0
    assert result.resilience.superseded == 8
    assert result.resilience.usage == result.money.usage


def test_answers_that_the_next_attempt_finds_in_the_cache_are_no_loss(
    provider: FakeProvider,
) -> None:
    failed: set[str] = set()

    def is_down_once(question: str) -> Any:
        found = dspex.Predict("question -> answer")(question=question)
        if question not in failed:
            failed.add(question)
            raise dspex.LMConnectionError("away")
        return found

    with dspex.context(lm=model(provider)):
        result = evaluated(is_down_once, 3)

    provider.wait_for_idle(20)
    assert result.usage == provider.total_usage
    assert (result.calls, result.cached) == (3, 3)
    assert result.resilience.superseded == 0
    assert result.resilience.usage == Usage()
    assert result.resilience.attempts_again == 3


def test_a_client_that_is_killed_leaves_the_sums_whole(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = model(provider)
    killed = threading.Event()

    def kills(question: str) -> Any:
        if question == "q3" and not killed.is_set():
            killed.set()
            # By now it has begun: one that dies while it begins fails its callers.
            provider.wait_for_bill(1, 20)
            kill(runtime, "/client")
        return dspex.Predict("question -> answer")(question=question)

    with dspex.context(lm=lm):
        result = evaluated(kills)

    assert killed.is_set()
    assert result.failure_lines == ()
    assert result.score == 100.0
    hold_books(result, provider)


def test_a_resumed_run_has_the_sums_of_all_its_parts(
    provider: FakeProvider, tmp_path: Path
) -> None:
    # Refuses the key, which ends the run.
    provider.misbehave(Status(401), on=6)
    program = dspex.Predict("question -> answer")
    with dspex.context(lm=model(provider)):
        with (
            dspex.Runtime(config(tmp_path)),
            pytest.raises(dspex.EvaluationError) as caught,
        ):
            evaluated(program, run="mine", concurrency=1)
        result = evaluated(program, run="mine", concurrency=1)

    loaded = dspex.load_run("mine")
    assert caught.value.result is not None
    assert caught.value.result.money.calls == 5
    for each in (result, loaded):
        provider.wait_for_idle(20)
        assert each.usage == provider.total_usage
        assert each.cost == pytest.approx(provider.total_cost)
        assert each.resilience.usage == Usage()
        assert each.score == 100.0
    assert loaded.money == result.money
    assert loaded.seconds >= result.seconds > 0


def test_a_run_shows_the_money_of_its_result(provider: FakeProvider) -> None:
    with dspex.context(lm=model(provider)):
        evaluate = dspex.Evaluate(devset=rows(4), metric=right, display_progress=False)
        run = evaluate.start(dspex.Predict("question -> answer"))
        result = run.result(20)

    assert run.tally.cost == pytest.approx(result.cost)
    assert result.cost == pytest.approx(provider.total_cost)
