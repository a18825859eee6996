"""A request is told of when it comes and when it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from aiohttp import web

from dspex.core.events import SERVE_REQUEST_START, SERVE_REQUEST_STOP
from dspex.runtime.runtime import Runtime
from dspex.serve.service import Service
from supervisors import Event
from tests.serve.lab import STURDY, Client, Gate, kill_requests, serve


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime(STURDY) as running:
        yield running


@pytest.fixture
def heard(runtime: Runtime) -> list[Event]:
    """What is told of requests."""
    events: list[Event] = []
    runtime.events.attach(events.append, SERVE_REQUEST_START[:2])
    return events


def call(n: int) -> int:
    """Say it again."""
    if n < 0:
        raise ValueError("negative")
    return n


def stops(heard: list[Event], *keys: str) -> list[tuple[Any, ...]]:
    ends = [event for event in heard if event.name == SERVE_REQUEST_STOP]
    return [tuple(event.metadata[key] for key in keys) for event in ends]


def test_a_request_is_told_at_its_beginning_and_its_end(heard: list[Event]) -> None:
    async def use(client: Client) -> None:
        headers = {"X-Request-Id": "mine-7", "traceparent": "00-1-2-01"}
        await client.post("/call", {"n": 1}, headers=headers)

    serve(Service({"call": call}), use)

    start, stop = heard
    assert (start.name, stop.name) == (SERVE_REQUEST_START, SERVE_REQUEST_STOP)
    known = dict(start.metadata)
    assert known.pop("span")
    assert known == {
        "request": "mine-7",
        "method": "POST",
        "route": "/{name}",
        "scheme": "http",
        "traceparent": "00-1-2-01",
    }
    assert stop.metadata == {
        **start.metadata,
        "program": "call",
        "status": 200,
        "error_type": None,
    }
    assert stop.measurements["seconds"] >= 0


def test_every_end_has_its_status_and_its_word(heard: list[Event]) -> None:
    async def use(client: Client) -> None:
        await client.get("/")
        await client.post("/call", {"n": "1"})
        await client.post("/call", {"n": -1})
        await client.post("/call", {"n": -1}, headers={"Accept": "text/event-stream"})
        await client.post("/nothing", {"n": 1})
        await client.get("/call")
        await client.get("/a/b")
        await client.get("/", headers={"Host": "evil.example"})

    serve(Service({"call": call}), use)

    assert stops(heard, "route", "program", "status", "error_type") == [
        ("/", None, 200, None),
        ("/{name}", "call", 422, "invalid_inputs"),
        ("/{name}", "call", 500, "program_failed"),
        ("/{name}", "call", 500, "program_failed"),
        ("/{name}", None, 404, "not_found"),
        (None, None, 405, "method_not_allowed"),
        (None, None, 404, "not_found"),
        ("/", None, 421, "wrong_host"),
    ]


def test_a_request_that_is_killed_and_one_whose_client_left_end_once(
    runtime: Runtime, heard: list[Event]
) -> None:
    gate = Gate(held=2)
    service = Service({"gate": gate})

    async def use(client: Client) -> None:
        asking = asyncio.create_task(client.post("/gate", {}))
        await gate.arrived()
        assert kill_requests(runtime) == 1
        await gate.arrived()
        asking.cancel()
        service.begin_draining()
        await service.drained()
        gate.opened.set()

    serve(service, use)

    assert stops(heard, "status", "error_type") == [(499, "client_left")]


def test_an_error_within_a_stream_is_told_beside_its_status(
    heard: list[Event],
) -> None:
    gate = Gate(held=0)

    def telling(n: int) -> int:
        import dspex

        dspex.Tool(lambda: "seen", name="look", desc="Look.")()
        gate()
        return call(n)

    async def use(client: Client) -> None:
        await client.post(
            "/telling", {"n": -1}, headers={"Accept": "text/event-stream"}
        )

    serve(Service({"telling": telling}), use)

    assert stops(heard, "status", "error_type") == [(200, "program_failed")]


def test_what_a_handler_sets_the_program_sees(runtime: Runtime) -> None:
    span: ContextVar[str] = ContextVar("span", default="none")

    def begin(event: Event) -> None:
        span.set(event.metadata["request"])

    async def asked() -> str:
        return span.get()

    def called() -> str:
        return span.get()

    runtime.events.attach(begin, SERVE_REQUEST_START)

    async def use(client: Client) -> None:
        for path in ("/asked", "/called"):
            headers = {"X-Request-Id": path[1:]}
            reply = await client.post(path, {}, headers=headers)
            assert reply.json == {"output": path[1:]}

    serve(Service({"asked": asked, "called": called}), use)

    assert span.get() == "none"


def test_pages_that_others_mounted_are_not_told_of(heard: list[Event]) -> None:
    async def well(_request: web.Request) -> web.Response:
        return web.Response(text="well")

    service = Service({"call": call}, token="sesame")
    service.add_routes([web.get("/healthz", well)])
    service.add_routes([web.get("/metrics", well)], needs_token=True)

    async def use(client: Client) -> None:
        assert (await client.get("/healthz")).status == 200
        assert (await client.get("/metrics")).status == 401

    serve(service, use)

    assert heard == []
