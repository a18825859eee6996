"""A service answers each request once, whatever is killed, and says why when not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from aiohttp import web

import dspex
from dspex.core.errors import ConfigurationError
from dspex.runtime.runtime import Runtime
from dspex.serve.branch import LOOP, REQUESTS, SERVICES
from dspex.serve.service import Service
from tests.serve.lab import (
    PATIENT,
    STURDY,
    Client,
    Gate,
    kill_requests,
    saying,
    serve,
)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime(STURDY) as running:
        yield running


def capital_service() -> Service:
    with dspex.context(lm=saying({"capital": "Lima"}, {"capital": "Quito"})):
        return Service({"capital": dspex.Predict("country -> capital")})


@pytest.mark.usefixtures("runtime")
def test_a_program_answers_json_with_json_under_its_name() -> None:
    async def use(client: Client) -> None:
        reply = await client.post("/capital", {"country": "Peru"})

        assert (reply.status, reply.json) == (200, {"capital": "Lima"})
        assert reply.headers["Content-Type"] == "application/json"

    serve(capital_service(), use)


@pytest.mark.usefixtures("runtime")
def test_the_only_program_answers_at_the_root_too() -> None:
    async def use(client: Client) -> None:
        reply = await client.post("/", {"country": "Peru"})

        assert (reply.status, reply.json) == (200, {"capital": "Lima"})

    serve(capital_service(), use)


def test_requests_run_under_services_in_the_tree(runtime: Runtime) -> None:
    gate = Gate()

    async def use(client: Client) -> None:
        asking = asyncio.create_task(client.post("/gate", {"x": 1}))
        await gate.arrived()

        drawn = str(runtime)
        gate.opened.set()

        assert SERVICES in drawn
        assert "gate " in drawn[drawn.index(SERVICES) :]
        assert (await asking).status == 200

    serve(Service({"gate": gate}), use)


def test_a_request_that_is_killed_is_begun_again_and_answered(
    runtime: Runtime,
) -> None:
    gate = Gate(held=1)

    async def use(client: Client) -> None:
        asking = asyncio.create_task(client.post("/gate", {"x": 1}))
        await gate.arrived()

        killed = kill_requests(runtime)
        reply = await asking
        gate.opened.set()

        assert killed == 1
        assert (reply.status, reply.json) == (200, {"number": 2, "x": 1})

    serve(Service({"gate": gate}), use)


@pytest.mark.parametrize("name", [REQUESTS, SERVICES, LOOP])
def test_a_kill_of_the_branch_loses_no_answer(runtime: Runtime, name: str) -> None:
    gate = Gate(held=1)

    async def use(client: Client) -> None:
        asking = asyncio.create_task(client.post("/gate", {"x": 1}))
        await gate.arrived()

        runtime.start().registry.resolve(name).kill()
        gate.opened.set()
        reply = await asking

        assert reply.status == 200
        assert reply.json["x"] == 1
        assert (await client.post("/gate", {"x": 2})).json["x"] == 2

    serve(Service({"gate": gate}), use)


def test_draining_refuses_what_is_new_and_answers_what_is_there(
    runtime: Runtime,
) -> None:
    gate = Gate()
    service = Service({"gate": gate}, runtime=runtime)

    async def use(client: Client) -> None:
        asking = asyncio.create_task(client.post("/gate", {"x": 1}))
        await gate.arrived()

        service.begin_draining()
        drained = asyncio.create_task(service.drained())
        refused = await client.post("/gate", {"x": 2})
        was_drained = drained.done()
        gate.opened.set()

        assert refused.status == 503
        assert refused.error["type"] == "draining"
        assert refused.headers["Connection"] == "close"
        assert int(refused.headers["Retry-After"]) >= 1
        assert service.in_flight == 1
        assert not was_drained
        assert (await asking).status == 200
        await drained
        assert service.in_flight == 0

    serve(service, use)


@pytest.mark.usefixtures("runtime")
def test_a_service_without_work_is_drained_at_once() -> None:
    service = Service({"gate": Gate()})

    async def main() -> None:
        service.begin_draining()
        await service.drained()

    asyncio.run(main())


def test_more_than_max_in_flight_is_refused_and_never_queued(
    runtime: Runtime,
) -> None:
    gate = Gate()

    async def use(client: Client) -> None:
        asking = asyncio.create_task(client.post("/gate", {"x": 1}))
        await gate.arrived()

        refused = await client.post("/gate", {"x": 2})
        gate.opened.set()

        assert (refused.status, refused.error["type"]) == (503, "busy")
        assert int(refused.headers["Retry-After"]) >= 1
        assert (await asking).status == 200
        assert gate.begun == [{"x": 1}]
        assert (await client.post("/gate", {"x": 3})).status == 200

    serve(Service({"gate": gate}, runtime=runtime, max_in_flight=1), use)


def test_requests_under_way_keep_the_program_that_is_replaced(
    runtime: Runtime,
) -> None:
    gate = Gate()
    service = Service({"gate": gate}, runtime=runtime)

    async def use(client: Client) -> None:
        asking = asyncio.create_task(client.post("/gate", {"x": 1}))
        await gate.arrived()

        service.replace({"gate": lambda x: {"new": x}})
        new = await client.post("/gate", {"x": 2})
        gate.opened.set()

        assert new.json == {"new": 2}
        assert (await asking).json == {"number": 1, "x": 1}

    serve(service, use)


def test_a_replacement_that_is_refused_leaves_the_old_programs() -> None:
    service = Service({"gate": Gate()})

    with pytest.raises(ConfigurationError, match="cannot be the name"):
        service.replace({"two words": Gate()})

    assert list(service.programs) == ["gate"]


@pytest.mark.parametrize("name", ["", "two words", "healthz", "docs", "a/b", "ä"])
def test_a_name_that_is_no_path_or_is_taken_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be the name of a program"):
        Service({name: Gate()})


def test_a_service_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="one at least"):
        Service({})


@pytest.mark.usefixtures("runtime")
def test_pages_of_the_process_around_are_mounted_beside_the_programs() -> None:
    service = Service({"gate": Gate()})

    async def health(_request: web.Request) -> web.Response:
        return web.Response(text="alive")

    service.add_routes([web.get("/healthz", health)])

    async def use(client: Client) -> None:
        service.begin_draining()

        assert (await client.get("/healthz")).text == "alive"

    serve(service, use)


class Waiting:
    """A coroutine function that says when it has begun, and waits to be ended once."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.arrived = threading.Event()

    async def __call__(self, x: int) -> dict[str, int]:
        self.begun += 1
        self.arrived.set()
        if self.begun == 1:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled += 1
        return {"x": x}


@pytest.mark.parametrize("name", ["the request", LOOP])
def test_a_program_that_is_awaited_is_cancelled_and_begun_again(
    runtime: Runtime, name: str
) -> None:
    waiting = Waiting()

    async def use(client: Client) -> None:
        asking = asyncio.create_task(client.post("/wait", {"x": 1}))
        assert await asyncio.to_thread(waiting.arrived.wait, PATIENT)

        if name == LOOP:
            runtime.start().registry.resolve(LOOP).kill()
        else:
            kill_requests(runtime)
        reply = await asking

        assert (reply.status, reply.json) == (200, {"x": 1})
        assert (waiting.begun, waiting.cancelled) == (2, 1)

    serve(Service({"wait": waiting}), use)


@pytest.mark.usefixtures("runtime")
def test_a_program_that_is_awaited_is_cancelled_when_its_time_is_over() -> None:
    waiting = Waiting()

    async def use(client: Client) -> None:
        headers = {"Dspex-Timeout": "0.05"}
        first = await client.post("/wait", {"x": 1}, headers=headers)
        second = await client.post("/wait", {"x": 2})

        assert (first.status, second.json) == (504, {"x": 2})
        assert waiting.cancelled == 1

    serve(Service({"wait": waiting}), use)


@pytest.mark.usefixtures("runtime")
def test_a_program_that_cancels_itself_is_told_as_a_crash() -> None:
    async def program(x: int) -> int:
        raise asyncio.CancelledError(x)

    async def use(client: Client) -> None:
        reply = await client.post("/cancel", {"x": 1})

        assert reply.status == 500
        assert reply.error["error_class"] == "CancelledError"

    serve(Service({"cancel": program}), use)
