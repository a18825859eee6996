"""What is told of programs, models, runs and breakers, to handlers of the process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex import telemetry
from dspex.client.gate import GateState
from dspex.core import events as names
from dspex.core.errors import LMError
from dspex.runtime import telling
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


class Double(dspex.Program):
    """Twice a number."""

    def forward(self, n: int) -> int:
        return 2 * n


def test_a_handler_that_comes_during_a_call_hears_no_end_without_a_beginning() -> None:
    told: list[str] = []

    class Attaches(dspex.Program):
        def forward(self) -> int:
            telemetry.attach("late", ("dspex", "program"), note)
            return int(Double()(n=2))

    def note(event: Event) -> None:
        told.append(f"{event.metadata['name']} {event.name[-1]}")

    Attaches()()
    telemetry.detach("late")

    assert told == ["Double start", "Double stop"]


def test_a_handler_that_goes_during_a_call_hears_no_more(heard: list[Event]) -> None:
    class Detaches(dspex.Program):
        def forward(self) -> int:
            telemetry.detach("test")
            return int(Double()(n=2))

    Detaches()()

    assert [event.name for event in heard] == [names.PROGRAM_START]


def test_the_events_of_one_call_have_one_span_and_its_parent(
    heard: list[Event],
) -> None:
    class Outer(dspex.Program):
        def forward(self) -> int:
            return int(Double()(n=2))

    Outer()()

    outer, inner, inner_end, outer_end = heard
    assert outer.metadata["span"] == outer_end.metadata["span"]
    assert inner.metadata["span"] == inner_end.metadata["span"]
    assert inner.metadata["parent"] == outer.metadata["span"]
    assert outer.metadata["parent"] is None
    assert inner_end.metadata["outputs"] == 4
    assert outer_end.measurements["seconds"] >= inner_end.measurements["seconds"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=repr)
def test_a_call_that_raises_has_one_end_with_its_error(
    error: BaseException, heard: list[Event]
) -> None:
    class Fails(dspex.Program):
        def forward(self) -> None:
            raise error

    with pytest.raises(type(error)):
        Fails()()

    assert [event.name for event in heard] == [
        names.PROGRAM_START,
        names.PROGRAM_EXCEPTION,
    ]
    assert heard[-1].metadata["error"] is error


@pytest.mark.parametrize("last", ["start", "stop", "exception"])
def test_whoever_wants_one_kind_of_event_alone_hears_it(last: str) -> None:
    told: list[Event] = []
    telemetry.attach("one", ("dspex", "program", last), told.append)

    class Fails(dspex.Program):
        def forward(self) -> None:
            raise ValueError("no")

    Double()(n=2)
    with pytest.raises(ValueError, match="no"):
        Fails()()
    telemetry.detach("one")

    names_of = {"start": ["Double", "Fails"], "stop": ["Double"]}
    assert [event.metadata["name"] for event in told] == names_of.get(last, ["Fails"])


def test_nothing_is_kept_of_calls_that_have_ended(heard: list[Event]) -> None:
    for n in range(100):
        Double()(n=n)

    assert len(heard) == 200
    assert [teller._open for (teller,) in telling._TELLERS.values()] == [{}] * 4


@pytest.mark.parametrize("fails", [False, True])
def test_a_tool_is_told_as_a_tool_below_its_program(
    fails: bool, heard: list[Event]
) -> None:
    def halve(n: int) -> float:
        return 1 / n

    tool = dspex.Tool(halve)

    class Uses(dspex.Program):
        def forward(self) -> None:
            with contextlib.suppress(ZeroDivisionError):
                tool(n=0 if fails else 2)

    Uses()()

    last = names.TOOL_EXCEPTION if fails else names.TOOL_STOP
    program, started, ended, _ = heard
    assert (started.name, ended.name) == (names.TOOL_START, last)
    assert started.metadata["name"] == ended.metadata["name"] == "halve"
    assert started.metadata["parent"] == program.metadata["span"]
    assert started.metadata["inputs"] == {"kwargs": {"n": 0 if fails else 2}}


def test_a_tool_alone_is_told_to_whoever_attached_before_anything_was_used() -> None:
    code = (
        "import dspex\n"
        "from dspex import telemetry\n"
        "telemetry.attach('all', ('dspex',), lambda event: print(*event.name))\n"
        "dspex.Tool(lambda n: n, name='same')(n=1)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout == "dspex tool start\ndspex tool stop\n"


def test_a_program_is_told_by_its_class_also_when_it_has_a_name(
    heard: list[Event],
) -> None:
    class Named(dspex.Program):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def forward(self) -> int:
            return 1

    Named("of customer 4711")()

    assert {event.metadata["name"] for event in heard} == {"Named"}


def test_a_stream_says_that_it_is_one(
    heard: list[Event], provider: FakeProvider
) -> None:
    lm = model(provider, cache=False)

    list(lm.stream("in pieces"))
    lm("whole")

    started = [e for e in heard if e.name == names.LM_REQUEST_START]
    assert [event.metadata["stream"] for event in started] == [True, False]


def test_every_event_has_what_the_reference_says_of_it(
    heard: list[Event], provider: FakeProvider
) -> None:
    rows = [dspex.Example(question=str(n)).with_inputs("question") for n in range(2)]
    lm = model(provider)
    with dspex.context(lm=lm):
        program = dspex.Predict("question -> answer")
        dspex.Evaluate(devset=rows, metric=lambda *_: 1.0)(program)
        dspex.Tool(lambda n: n, name="same")(n=1)
        program(question="0")
    for state in (GateState.OPEN, GateState.CLOSED):
        lm.client().set_circuit("small", state)
    lm.client().standing(30.0)

    for event in heard:
        metadata, measured = COMES_WITH[event.name]
        assert set(event.metadata) == metadata, event.name
        # A cost is there where it is known, and of an answer from the cache it is.
        assert set(event.measurements) - {"cost"} == measured, event.name
    assert {event.name for event in heard} == set(COMES_WITH)


CALL = {"span", "parent", "name", "instance", "inputs"}
ASKED = {"span", "model", "provider", "address", "operation", "request", "stream"}
ATTEMPT = {"record", "provider", "model"}
EXAMPLE = {"span", "stamp", "example"}
GATE = {"provider", "label", "model"}
COUNTED = {"seconds", "input_tokens", "output_tokens", "attempts"}
COMES_WITH: dict[tuple[str, ...], tuple[set[str], set[str]]] = {
    names.PROGRAM_START: (CALL, set()),
    names.PROGRAM_STOP: (CALL | {"outputs"}, {"seconds"}),
    names.TOOL_START: (CALL, set()),
    names.TOOL_STOP: (CALL | {"outputs"}, {"seconds"}),
    names.LM_REQUEST_START: (ASKED, set()),
    names.LM_REQUEST_STOP: (ASKED | {"reply", "cache"}, COUNTED),
    names.LM_ATTEMPT_START: (ATTEMPT, set()),
    names.LM_ATTEMPT_STOP: (ATTEMPT, {"seconds"}),
    names.CACHE_HIT: ({"key", "tier"}, set()),
    names.CACHE_MISS: ({"key"}, set()),
    names.BREAKER_OPEN: (GATE, {"failures"}),
    names.BREAKER_CLOSE: (GATE, {"failures"}),
    names.EVALUATE_START: (CALL, set()),
    names.EVALUATE_STOP: (CALL | {"outputs"}, {"seconds"}),
    names.RUN_START: ({"run"}, {"trials", "examples"}),
    names.RUN_STOP: ({"run", "status"}, {"seconds", "outcomes"}),
    names.EXAMPLE_START: (EXAMPLE, set()),
    names.EXAMPLE_STOP: (EXAMPLE | {"outcome"}, {"seconds"}),
}
"""The metadata and the measurements of the events, as the reference has them."""
