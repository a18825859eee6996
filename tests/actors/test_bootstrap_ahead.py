"""What bootstrapping asks ahead of time: bounded, broken off, and told of."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.core.errors import EvaluationError
from dspex.teleprompt import BootstrapFewShot
from dspex.testing import FakeProvider
from dspex.testing.faults import WRONG_KEY, Hang
from tests.actors.rows import answer, rows

SECONDS = 20.0


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer) as running:
        yield running


@pytest.fixture
def lm(provider: FakeProvider) -> Iterator[dspex.LM]:
    with dspex.Runtime():
        model = dspex.LM("openai/fake", api_base=provider.base_url, cache=False)
        with dspex.context(lm=model):
            yield model


def asks(question: str) -> Any:
    """Whether a request asks this question, and does not only show it in a demo."""
    return lambda billed: (
        f"[[ ## question ## ]]\n{question}\n" in billed.body["messages"][-1]["content"]
    )


def bootstrap(metric: Any, **options: Any) -> BootstrapFewShot:
    return BootstrapFewShot(
        metric=metric, max_labeled_demos=0, display_progress=False, **options
    )


def compile_on(optimiser: BootstrapFewShot, count: int = 200) -> list[str]:
    program = dspex.Predict("question -> answer")
    compiled = optimiser.compile(program, trainset=rows(count))
    return [demo["question"] for demo in compiled.demos]


def test_no_request_is_made_in_vain_when_all_are_accepted(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    optimiser = bootstrap(None, max_bootstrapped_demos=4, num_threads=16)

    compile_on(optimiser)

    assert len(provider.bill) == 4
    assert optimiser.result is not None
    assert optimiser.result.not_needed.examples == 0
    assert str(optimiser.result) == (
        "demos from 4 of the first 4 of 200 examples; nothing was begun in vain"
    )


def test_what_is_open_at_the_end_is_broken_off_and_told_of(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    provider.misbehave(Hang(), on=asks("q2"))

    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
        if example.question == "q1":
            provider.wait_for_bill(3, SECONDS)
        return bool(example.question == "q1")

    optimiser = bootstrap(metric, max_bootstrapped_demos=1, num_threads=16)
    demos = compile_on(optimiser)

    assert demos == ["q1"]
    assert optimiser.result is not None
    assert optimiser.result.needed == 2
    not_needed = optimiser.result.not_needed
    assert (not_needed.examples, not_needed.broken_off, not_needed.answers) == (1, 1, 0)
    assert "1 request broken off" in str(optimiser.result)


def test_an_answer_that_was_not_needed_is_told_of_with_its_tokens(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    later = threading.Event()

    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
        if example.question == "q1":
            assert later.wait(SECONDS)
        if example.question == "q2":
            later.set()
        return bool(example.question == "q1")

    optimiser = bootstrap(metric, max_bootstrapped_demos=1, num_threads=2)
    compile_on(optimiser, 3)

    assert optimiser.result is not None
    not_needed = optimiser.result.not_needed
    (vain,) = (billed for billed in provider.bill if asks("q2")(billed))
    assert (not_needed.examples, not_needed.answers) == (1, 1)
    assert not_needed.usage.total_tokens == vain.usage.total_tokens > 0


def test_what_cannot_be_needed_is_broken_off_while_others_are_waited_for(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    provider.misbehave(Hang(), on=asks("q4"))
    released = threading.Event()

    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
        if example.question == "q1":
            assert released.wait(SECONDS)
        if example.question in ("q2", "q3"):
            provider.wait_for_bill(5, SECONDS)
        return example.question in ("q2", "q3")

    optimiser = bootstrap(metric, max_bootstrapped_demos=2, num_threads=4)
    made: list[list[str]] = []
    here = contextvars.copy_context()

    thread = threading.Thread(
        target=lambda: made.append(here.run(compile_on, optimiser))
    )
    thread.start()
    provider.wait_for_bill(5, SECONDS)
    provider.wait_for_idle(SECONDS)  # q4's request is broken off; q1 still holds all up
    released.set()
    thread.join(SECONDS)

    assert made == [["q2", "q3"]]


def test_an_error_beyond_the_last_demo_ends_nothing(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    provider.misbehave(WRONG_KEY, on=asks("q2"))

    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
        if example.question == "q1":
            provider.wait_for_bill(3, SECONDS)
        return bool(example.question == "q1")

    optimiser = bootstrap(metric, max_bootstrapped_demos=1, max_errors=1)
    demos = compile_on(optimiser)

    assert demos == ["q1"]


def test_errors_end_the_search_with_what_was_found(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
        raise ZeroDivisionError(example.question)

    optimiser = bootstrap(metric, max_bootstrapped_demos=1, max_errors=3)
    with pytest.raises(EvaluationError, match="max_errors") as caught:
        compile_on(optimiser)

    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert str(caught.value.__cause__) == "q2"
    assert caught.value.result is optimiser.result
    assert optimiser.result is not None
    assert optimiser.result.needed == 3


def test_a_round_that_fails_costs_the_round_and_not_the_example(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    tries: list[str] = []

    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
        tries.append(example.question)
        if len(tries) == 1:
            raise ZeroDivisionError
        return True

    optimiser = bootstrap(metric, max_bootstrapped_demos=1, max_rounds=2)
    demos = compile_on(optimiser, 1)

    assert demos == ["q0"]
    assert tries == ["q0", "q0"]
