"""A streamed request tells pieces of fields, what is done, and the answer or error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.runtime.runtime import Runtime
from dspex.serve.service import Service
from dspex.testing import FakeProvider
from tests.serve.lab import STURDY, Client, Gate, Reply, kill_requests, saying, serve

STREAMED = {"Accept": "text/event-stream"}


@pytest.fixture(autouse=True)
def runtime() -> Iterator[Runtime]:
    with Runtime(STURDY) as running:
        yield running


def told(reply: Reply) -> list[Any]:
    """The events of a stream; the last one has to be its end."""
    *events, end = [part for part in reply.text.split("\n\n") if part]
    assert end == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events]


def test_pieces_of_a_field_come_before_the_answer() -> None:
    answer = "[[ ## capital ## ]]\nLima of the kings\n\n[[ ## completed ## ]]"
    with FakeProvider(answer=lambda _messages: answer) as provider:
        model = dspex.LM("openai/fake", api_base=provider.base_url, api_key="none")
        with dspex.context(lm=model):
            service = Service({"capital": dspex.Predict("country -> capital")})

        async def use(client: Client) -> None:
            reply = await client.post("/capital", {"country": "Peru"}, headers=STREAMED)

            assert reply.headers["Content-Type"] == "text/event-stream"
            assert reply.headers["X-Accel-Buffering"] == "no"
            *pieces, last = told(reply)
            assert len(pieces) > 1
            assert {piece["field"] for piece in pieces} == {"capital"}
            whole = "".join(piece["chunk"] for piece in pieces)
            assert whole == "Lima of the kings"
            assert last["prediction"] == {"capital": whole}
            assert last["usage"]["calls"] == 1

        serve(service, use)


def test_a_stream_can_be_asked_for_in_the_address() -> None:
    with dspex.context(lm=saying({"capital": "Lima"})):
        service = Service({"capital": dspex.Predict("country -> capital")})

    async def use(client: Client) -> None:
        reply = await client.post("/capital?stream=1", {"country": "Peru"})

        assert told(reply)[-1]["prediction"] == {"capital": "Lima"}

    serve(service, use)


def test_what_parts_of_a_larger_program_say_is_not_told() -> None:
    class TwoSteps(dspex.Program):
        def __init__(self) -> None:
            self.plan = dspex.Predict("topic -> plan")
            self.write = dspex.Predict("plan -> story")

        def forward(self, topic: str) -> Any:
            return self.write(plan=self.plan(topic=topic).plan)

    with dspex.context(lm=saying({"plan": "secret"}, {"story": "Once."})):
        service = Service({"story": TwoSteps()})

    async def use(client: Client) -> None:
        reply = await client.post("/story", {"topic": "rain"}, headers=STREAMED)

        assert [event["prediction"] for event in told(reply)] == [{"story": "Once."}]

    serve(service, use)


def test_a_call_of_a_tool_is_told() -> None:
    def weather(city: str) -> str:
        return f"rain in {city}"

    tool = dspex.Tool(weather)
    service = Service({"ask": lambda city: tool(city=city)})

    async def use(client: Client) -> None:
        reply = await client.post("/ask", {"city": "Lima"}, headers=STREAMED)

        first, *_, last = told(reply)
        assert first == {"status": "Calling tool weather..."}
        assert last["prediction"] == {"output": "rain in Lima"}

    serve(service, use)


def test_an_error_before_anything_was_told_has_a_status_of_its_own() -> None:
    def program(topic: str) -> str:
        raise ValueError(topic)

    async def use(client: Client) -> None:
        reply = await client.post("/story", {"topic": "rain"}, headers=STREAMED)

        assert (reply.status, reply.error["type"]) == (500, "program_failed")

    serve(Service({"story": program}), use)


def test_an_error_after_something_was_told_is_an_event() -> None:
    tool = dspex.Tool(lambda city: city, name="look")

    def program(city: str) -> str:
        tool(city=city)
        raise ValueError(city)

    async def use(client: Client) -> None:
        reply = await client.post("/look", {"city": "Lima"}, headers=STREAMED)

        assert reply.status == 200
        assert told(reply)[-1]["error"]["type"] == "program_failed"

    serve(Service({"look": program}), use)


def test_a_killed_stream_says_that_it_begins_again(runtime: Runtime) -> None:
    gate = Gate(held=1)

    class Slow(dspex.Predict):
        def forward(self, **inputs: Any) -> Any:
            answer = super().forward(**inputs)
            gate()
            return answer

    with dspex.context(lm=saying({"capital": "Lima"}, {"capital": "Quito"})):
        service = Service({"capital": Slow("country -> capital")})

    async def use(client: Client) -> None:
        asking = asyncio.create_task(
            client.post("/capital", {"country": "Peru"}, headers=STREAMED)
        )
        await gate.arrived()
        kill_requests(runtime)
        events = told(await asking)
        gate.opened.set()

        again = events.index({"restarted": True})
        assert "".join(event["chunk"] for event in events[:again]) == "Lima"
        assert events[-1]["prediction"] == {"capital": "Quito"}

    serve(service, use)


def test_a_reader_that_leaves_takes_its_program_along(runtime: Runtime) -> None:
    gate = Gate()
    service = Service({"gate": gate})

    async def use(client: Client) -> None:
        asking = asyncio.create_task(client.post("/gate", {"x": 1}, headers=STREAMED))
        await gate.arrived()

        asking.cancel()
        service.begin_draining()
        async with asyncio.timeout(30):
            await service.drained()

        assert kill_requests(runtime) == 0
        gate.opened.set()

    serve(service, use)
