"""The wire alone, with a probe in the client's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from dspex.client.http_exchange import HttpExchange
from dspex.client.http_messages import HttpRequest, HttpResponse, OpenResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.transport import MAX_BYTES, Transport, make_transport
from dspex.client.wire import (
    BreakOff,
    Report,
    Send,
    SendAll,
    Sent,
    Standing,
    WireActor,
    WireUp,
)
from dspex.core.errors import LMConnectionError, LMInvalidRequestError, LMServerError
from dspex.core.lm import Message, Reply, Request
from dspex.testing import SERVER_ERROR, FakeProvider
from supervisors import ChildSpec, Handle, Supervisor
from supervisors.testing import Probe, ProbeActor
from tests.actors.lab import PATIENT, echo


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@pytest.fixture
def probe() -> Probe:
    """What a client would be told."""
    return Probe()


class Wire:
    """A wire in a tree of its own."""

    def __init__(
        self, probe: Probe, make_transport: Callable[[], Transport] = make_transport
    ) -> None:
        client = ChildSpec(id="client", actor=ProbeActor, args=(probe,), name="client")
        wire = ChildSpec(
            id="wire",
            actor=WireActor,
            args=("client", lambda: HttpExchange(make_transport)),
            name="wire",
        )
        self.top = Supervisor.start([client, wire])
        self.handle: Handle = self.top.handle("wire")
        assert probe.expect() == WireUp()

    def send(self, *sends: Send) -> None:
        self.handle.cast(SendAll(sends=sends))


def told(probe: Probe, count: int = 1) -> list[Sent]:
    """Wait until the client was told of so many outcomes."""
    outcomes: list[Sent] = []
    while len(outcomes) < count:
        outcomes.extend(probe.expect().sent)
    return outcomes


@pytest.fixture
def wire(probe: Probe) -> Iterator[Wire]:
    wire = Wire(probe)
    with wire.top:
        yield wire


def to(provider: FakeProvider, request_id: str = "r", **settings: Any) -> Send:
    ask = (Message("user", request_id),)
    return Send(
        request_id=request_id,
        idempotency_key=f"key of {request_id}",
        request=Request(model="m", messages=ask, settings=settings),
        endpoint=Endpoint(provider="openai", base_url=provider.base_url, model="m"),
        label="the fake",
        read_timeout=PATIENT,
    )


def test_answer_is_told_with_the_ids_the_provider_saw(
    provider: FakeProvider, probe: Probe, wire: Wire
) -> None:
    wire.send(to(provider))
    (sent,) = told(probe)

    assert isinstance(sent.outcome, Reply)
    assert sent.outcome.text == "re: r"
    assert sent.facts.latency > 0
    assert (sent.request_id, sent.facts.sends) == ("r", 1)
    assert provider.bill[0].request_id == "r"
    assert provider.bill[0].idempotency_key == "key of r"


def test_refusal_is_told_as_the_error_it_means(
    provider: FakeProvider, probe: Probe, wire: Wire
) -> None:
    provider.misbehave(SERVER_ERROR)
    wire.send(to(provider))

    (sent,) = told(probe)

    assert isinstance(sent.outcome, LMServerError)


def test_requests_do_not_wait_for_each_other(
    provider: FakeProvider, probe: Probe, wire: Wire
) -> None:
    provider.pause()
    wire.send(*(to(provider, str(number)) for number in range(20)))
    for number in range(20, 40):
        wire.send(to(provider, str(number)))

    provider.wait_for_in_flight(40, PATIENT)
    provider.resume()

    outcomes = told(probe, 40)
    assert len(outcomes) == 40
    assert {sent.request_id for sent in outcomes} == set(map(str, range(40)))


def test_request_that_is_broken_off_is_never_told(
    provider: FakeProvider, probe: Probe, wire: Wire
) -> None:
    provider.pause()
    wire.send(to(provider))
    provider.wait_for_in_flight(1, PATIENT)

    wire.handle.cast(BreakOff(request_id="r"))
    provider.wait_for_idle(PATIENT)
    wire.handle.cast(Report(up_to=1))

    assert probe.expect() == Standing(open=frozenset(), up_to=1)
    assert [entry.fate for entry in provider.bill] == ["gone"]


def test_breaking_off_what_is_over_or_unknown_is_harmless(
    provider: FakeProvider, probe: Probe, wire: Wire
) -> None:
    wire.send(to(provider))
    probe.expect()
    for request_id in ("r", "unknown"):
        wire.handle.cast(BreakOff(request_id=request_id))
        wire.handle.cast(SendAll(taken=(request_id,)))
    wire.handle.cast(Report(up_to=1))

    assert probe.expect() == Standing(open=frozenset(), up_to=1)


def test_report_repeats_what_was_not_taken_and_lists_what_is_open(
    provider: FakeProvider, probe: Probe, wire: Wire
) -> None:
    for request_id in ("taken", "not taken"):
        wire.send(to(provider, request_id))
        probe.expect()
    wire.handle.cast(SendAll(taken=("taken",)))
    provider.pause()
    wire.send(to(provider, "open"))
    provider.wait_for_in_flight(1, PATIENT)

    wire.handle.cast(Report(up_to=7))

    assert [sent.request_id for sent in told(probe)] == ["not taken"]
    expected = Standing(open=frozenset({"not taken", "open"}), up_to=7)
    assert probe.expect() == expected


def test_death_ends_the_open_requests_and_the_next_wire_has_none(
    provider: FakeProvider, probe: Probe, wire: Wire
) -> None:
    provider.pause()
    wire.send(to(provider))
    provider.wait_for_in_flight(1, PATIENT)

    wire.top.registry.resolve("wire").kill()

    assert probe.expect() == WireUp()
    provider.wait_for_idle(PATIENT)
    assert [entry.fate for entry in provider.bill] == ["gone"]
    wire.handle.cast(Report(up_to=1))
    assert probe.expect() == Standing(open=frozenset(), up_to=1)


def test_request_that_cannot_be_written_costs_nothing_and_nobody_else(
    provider: FakeProvider, probe: Probe, wire: Wire
) -> None:
    wire.send(to(provider, "bad", stop=object()))
    (bad,) = told(probe)
    wire.send(to(provider, "good"))
    (good,) = told(probe)

    assert isinstance(bad.outcome, LMInvalidRequestError)
    assert "'stop'" in str(bad.outcome)
    assert bad.facts.sends == 0
    assert isinstance(good.outcome, Reply)


class Broken:
    """A transport with a fault of its own."""

    def open(
        self,
        request: HttpRequest,
        *,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int = MAX_BYTES,
    ) -> AbstractAsyncContextManager[OpenResponse]:
        raise ZeroDivisionError("a fault")

    async def send(
        self,
        request: HttpRequest,
        *,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int = MAX_BYTES,
    ) -> HttpResponse:
        raise ZeroDivisionError("a fault")

    async def aclose(self) -> None:
        """There is nothing to close."""


def test_fault_of_the_transport_ends_its_request_and_not_the_wire(
    provider: FakeProvider, probe: Probe
) -> None:
    wire = Wire(probe, Broken)
    with wire.top:
        for request_id in ("a", "b"):
            wire.send(to(provider, request_id))
        outcomes = [sent.outcome for sent in told(probe, 2)]

    for outcome in outcomes:
        assert isinstance(outcome, LMConnectionError)
        assert isinstance(outcome.__cause__, ZeroDivisionError)
        assert "a fault" not in str(outcome)
