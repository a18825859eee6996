"""Requests whose program is killed, lost or left by its client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.core import errors
from dspex.core.once import Unrepeatable
from dspex.evaluate.scheduling.quarantine import Death
from dspex.runtime.runtime import Runtime
from dspex.serve.answering import RequestLostError, check_may_begin_again
from dspex.serve.refusals import refusal_of
from dspex.serve.service import Service
from supervisors import Hung
from tests.serve.lab import STURDY, Client, Gate, ask, kill_requests, serve


@pytest.fixture(autouse=True)
def runtime() -> Iterator[Runtime]:
    with Runtime(STURDY) as running:
        yield running


def test_what_began_and_is_never_repeated_is_not_begun_again(
    runtime: Runtime,
) -> None:
    class Once(dspex.Program):
        retry = False

        def __init__(self, gate: Gate) -> None:
            self.gate = gate

        def forward(self, **inputs: Any) -> Any:
            return self.gate(**inputs)

    gate = Gate()

    async def use(client: Client) -> None:
        asking = asyncio.create_task(client.post("/once", {"x": 1}))
        await gate.arrived()
        kill_requests(runtime)
        reply = await asking
        gate.opened.set()

        assert (reply.status, reply.error["type"]) == (500, "not_repeated")
        assert len(gate.begun) == 1

    serve(Service({"once": Once(gate)}), use)


def test_a_request_is_answered_however_often_it_is_killed(runtime: Runtime) -> None:
    gate = Gate(held=8)

    async def use(client: Client) -> None:
        asking = asyncio.create_task(client.post("/gate", {"x": 1}))
        for _ in range(8):
            await gate.arrived()
            kill_requests(runtime)
        reply = await asking
        gate.opened.set()

        assert (reply.status, reply.json) == (200, {"number": 9, "x": 1})

    serve(Service({"gate": gate}), use)


@pytest.mark.parametrize(
    ("error", "status", "beginnings"),
    [
        (errors.WorkLostError("it was killed"), 200, 2),
        (errors.WorkTimeoutError("it was slow"), 504, 1),
    ],
)
def test_a_program_whose_tasks_were_killed_begins_again_and_a_late_one_does_not(
    error: Exception, status: int, beginnings: int
) -> None:
    begun: list[str] = []

    def program(topic: str) -> str:
        begun.append(topic)
        if len(begun) == 1:
            raise error
        return topic

    reply = ask(Service({"tell": program}), {"topic": "rain"})

    assert (reply.status, len(begun)) == (status, beginnings)


def test_a_program_whose_tasks_are_always_lost_is_not_begun_for_ever() -> None:
    begun: list[str] = []

    def program(topic: str) -> str:
        begun.append(topic)
        raise errors.WorkLostError("it was killed")

    reply = ask(Service({"tell": program}), {"topic": "rain"})

    assert (reply.status, reply.error["type"], len(begun)) == (503, "killed", 3)
    assert "it was killed" in reply.error["message"]


def test_forty_requests_that_are_killed_at_once_are_all_answered(
    runtime: Runtime,
) -> None:
    gate = Gate(held=40)

    async def use(client: Client) -> None:
        asking = [
            asyncio.create_task(client.post("/gate", {"x": number}))
            for number in range(40)
        ]
        await gate.arrived(40)

        killed = kill_requests(runtime)
        replies = await asyncio.gather(*asking)
        gate.opened.set()

        assert killed == 40
        assert [reply.json["x"] for reply in replies] == list(range(40))

    serve(Service({"gate": gate}), use)


def test_a_request_that_keeps_blocking_its_loop_is_given_up() -> None:
    hung = Death(attempt=1, reason=Hung(10.0))

    check_may_begin_again("request 1", Unrepeatable(), [hung] * 4)
    with pytest.raises(RequestLostError, match="5 times") as raised:
        check_may_begin_again("request 1", Unrepeatable(), [hung] * 5)

    refusal = refusal_of(raised.value)
    assert (refusal.status, refusal.type) == (503, "killed")


def test_a_client_that_leaves_takes_its_program_along(runtime: Runtime) -> None:
    gate = Gate()
    service = Service({"gate": gate})

    async def use(client: Client) -> None:
        asking = asyncio.create_task(client.post("/gate", {"x": 1}))
        await gate.arrived()

        asking.cancel()
        service.begin_draining()
        async with asyncio.timeout(30):
            await service.drained()

        assert kill_requests(runtime) == 0
        gate.opened.set()

    serve(service, use)
