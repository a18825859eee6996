"""A client in the hands of a person: looked at, reconfigured, its breaker held."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import dspex
from dspex.client.gate import GateState
from dspex.testing import SERVER_ERROR, FakeProvider
from supervisors.testing import ManualClock
from tests.actors.lab import PATIENT, ask, call, echo, wait_for_open_calls

CONFIG = dspex.Config(persist=False)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(CONFIG, clock=ManualClock()) as runtime:
        yield runtime


@pytest.fixture
def lm(provider: FakeProvider) -> dspex.LM:
    return dspex.LM("openai/m", api_base=provider.base_url, num_retries=0)


@pytest.mark.usefixtures("runtime")
def test_looking_at_a_client_before_its_first_call_starts_it(lm: dspex.LM) -> None:
    view = lm.client().view()

    assert (view.open_calls, view.in_flight, view.lanes) == (0, 0, ())


@pytest.mark.usefixtures("runtime")
def test_models_of_one_provider_have_one_client(provider: FakeProvider) -> None:
    for name in ("a", "b"):
        dspex.LM(f"openai/{name}", api_base=provider.base_url)("hi")

    view = dspex.LM("openai/c", api_base=provider.base_url).client().view()

    assert [lane.model for lane in view.lanes] == ["a", "b"]


def test_calls_wait_while_a_breaker_is_held_open_and_go_when_it_is_closed(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    lm.client().set_circuit("m", GateState.OPEN)
    caller = call(lambda: lm("hi"))
    wait_for_open_calls(runtime, lm, 1)
    sent_while_open = len(provider.bill)

    lm.client().set_circuit("m", GateState.CLOSED)

    assert caller.outcomes() == [["re: hi"]]
    assert sent_while_open == 0


def test_reconfigured_runtime_has_fewer_requests_out_and_loses_no_call(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    provider.pause()
    first = ask(lm, ["1", "2", "3", "4"])
    provider.wait_for_in_flight(4, PATIENT)

    runtime.reconfigure(dspex.Config(persist=False, max_in_flight=2))
    second = ask(lm, ["5", "6"])
    wait_for_open_calls(runtime, lm, 6)
    out = provider.in_flight
    provider.resume()

    assert out == 4
    assert first.outcomes() == [f"re: {number}" for number in "1234"]
    assert second.outcomes() == ["re: 5", "re: 6"]
    assert lm.client().view().configuration == 2


def test_reconfigured_runtime_opens_the_breakers_it_has_by_the_new_figure(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    lm("once, so that the model has a breaker")
    provider.misbehave(SERVER_ERROR)

    runtime.reconfigure(dspex.Config(persist=False, breaker_failures=1))
    with pytest.raises(dspex.LMServerError):
        lm("hi")

    [lane] = lm.client().view().lanes
    assert lane.gate.state is GateState.OPEN
