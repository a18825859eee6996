"""What is told of programs, models, runs and breakers, to handlers of the process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex import telemetry
from dspex.client.gate import GateState
from dspex.core import events as names
from dspex.core.errors import LMError
from dspex.testing import FakeProvider
from supervisors import Event

ANSWER = "[[ ## answer ## ]]\nLima"


@pytest.fixture
def heard() -> Iterator[list[Event]]:
    events: list[Event] = []
    telemetry.attach("test", ("dspex",), events.append)
    yield events
    telemetry.detach("test")


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as opened:
        yield opened


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda _messages: ANSWER) as running:
        yield running


def model(provider: FakeProvider, **options: Any) -> dspex.LM:
    return dspex.LM(
        "openai/small", api_base=provider.base_url, api_key="none", **options
    )


def named(heard: list[Event], *wanted: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [event.name for event in heard if event.name in wanted]


def test_a_program_and_what_it_asks_are_told_in_order(
    heard: list[Event], provider: FakeProvider
) -> None:
    program = dspex.Predict("question -> answer")

    with dspex.context(lm=model(provider)):
        program(question="The capital of Peru?")

    told = [event.name[1:] for event in heard]
    assert [name for name in told if name[0] in {"program", "lm"}] == [
        ("program", "start"),
        ("lm", "request", "start"),
        ("lm", "attempt", "start"),
        ("lm", "attempt", "stop"),
        ("lm", "request", "stop"),
        ("program", "stop"),
    ]


def test_an_answer_from_the_cache_costs_no_tokens(
    heard: list[Event], provider: FakeProvider
) -> None:
    lm = model(provider)

    lm("a question")
    lm("a question")

    first, second = (each for each in heard if each.name == names.LM_REQUEST_STOP)
    assert (first.metadata["cache"], second.metadata["cache"]) == ("miss", "hit")
    assert first.measurements["input_tokens"] > 0
    assert second.measurements["input_tokens"] == 0


def test_a_failed_request_tells_its_status(heard: list[Event]) -> None:
    with FakeProvider(api_key="another") as provider, pytest.raises(LMError):
        model(provider)("a question")

    [failed] = (e for e in heard if e.name == names.LM_REQUEST_EXCEPTION)
    [attempt] = (e for e in heard if e.name == names.LM_ATTEMPT_EXCEPTION)
    assert failed.metadata["status"] == attempt.metadata["status"] == 401
    assert attempt.metadata["provider"] == "openai"


def test_a_breaker_tells_when_it_opens_and_closes(
    heard: list[Event], provider: FakeProvider
) -> None:
    lm = model(provider)
    lm("a question")

    lm.client().set_circuit("small", GateState.OPEN)
    lm.client().set_circuit("small", GateState.CLOSED)
    lm("another question")

    moved = named(heard, names.BREAKER_OPEN, names.BREAKER_CLOSE)
    assert moved == [names.BREAKER_OPEN, names.BREAKER_CLOSE]


def test_a_run_tells_of_itself_and_of_each_example(heard: list[Event]) -> None:
    rows = [dspex.Example(n=n, twice=2 * n).with_inputs("n") for n in range(3)]

    result = dspex.Evaluate(devset=rows, metric=lambda row, got: got == row.twice)(
        lambda n: 2 * n
    )

    stops = [event for event in heard if event.name == names.EXAMPLE_STOP]
    assert {event.metadata["stamp"].example for event in stops} == {0, 1, 2}
    assert len(named(heard, names.EXAMPLE_START)) == 3
    [run] = (event for event in heard if event.name == names.RUN_STOP)
    assert (run.metadata["status"], run.measurements["outcomes"]) == ("complete", 3)
    assert named(heard, names.EVALUATE_START, names.EVALUATE_STOP)
    assert result.score == 100.0


def test_a_handler_that_raises_is_detached_and_harms_nobody() -> None:
    def broken(_event: Event) -> None:
        raise RuntimeError("a fault of the handler")

    telemetry.attach("broken", names.PROGRAM_START, broken)

    class Double(dspex.Program):
        def forward(self, n: int) -> int:
            return 2 * n

    assert Double()(n=2) == 4
    assert telemetry.detach("broken") is False


def test_nothing_is_told_after_detaching(heard: list[Event]) -> None:
    telemetry.detach("test")

    class Double(dspex.Program):
        def forward(self, n: int) -> int:
            return 2 * n

    Double()(n=2)

    assert not heard
