"""Requests to a service, as spans and figures of HTTP servers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client.parser import text_string_to_metric_families

import dspex
from dspex.serve.service import Service
from dspex.telemetry import prometheus
from tests.serve.lab import PATIENT, STURDY, Client, Gate, serve
from tests.telemetry.sdk import Sdk

TRACE = "0af7651916cd43dd8448eb211c80319c"
SENDER = "b7ad6b7169203331"


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(STURDY) as running:
        yield running


class Doubling(dspex.Program):
    """Doubles a number."""

    def forward(self, n: int) -> int:
        if n < 0:
            raise ValueError("negative")
        return 2 * n


def ask(*asked: tuple[str, str, Any, dict[str, str]]) -> None:
    """Ask a service; each is a method, a path, a body and headers."""

    async def use(client: Client) -> None:
        for method, path, body, headers in asked:
            await client.ask(method, path, json=body, headers=headers)

    serve(Service({"double": Doubling()}), use)


def test_a_request_is_a_span_below_its_senders_and_around_its_program(sdk: Sdk) -> None:
    sender = {"traceparent": f"00-{TRACE}-{SENDER}-01", "X-Request-Id": "mine-7"}
    ask(("POST", "/double", {"n": 2}, sender))

    (served,), (program,) = sdk.named("POST"), sdk.named("program")
    assert (served.name, served.kind) == ("POST /{name}", SpanKind.SERVER)
    assert f"{served.context.trace_id:032x}" == TRACE
    assert f"{served.parent.span_id:016x}" == SENDER
    assert program.parent.span_id == served.context.span_id
    assert dict(served.attributes) == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/{name}",
        "http.response.status_code": 200,
        "dspex.request": "mine-7",
        "dspex.program": "double",
    }
    assert served.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("sent", [{}, {"traceparent": "00-nonsense-1-01"}])
def test_without_a_known_sender_a_request_begins_a_trace(
    sdk: Sdk, sent: dict[str, str]
) -> None:
    ask(("POST", "/double", {"n": 2}, sent))

    (served,) = sdk.named("POST")
    assert served.parent is None


def test_the_clients_mistake_is_no_failure_of_the_service(sdk: Sdk) -> None:
    ask(
        ("POST", "/double", {"n": "two"}, {}),
        ("POST", "/double", {"n": -1}, {}),
        ("PROPFIND", "/nowhere/at/all", None, {}),
    )

    told = {
        (
            span.name,
            span.attributes["http.response.status_code"],
            span.attributes.get("error.type"),
            span.status.status_code,
        )
        for span in (*sdk.named("POST"), *sdk.named("HTTP"))
    }
    assert told == {
        ("POST /{name}", 422, "invalid_inputs", StatusCode.UNSET),
        ("POST /{name}", 500, "program_failed", StatusCode.ERROR),
        ("HTTP", 404, "not_found", StatusCode.UNSET),
    }


def test_how_long_requests_take_is_a_figure_by_words_of_few_values(sdk: Sdk) -> None:
    ask(
        ("POST", "/double", {"n": 1}, {"X-Request-Id": "a"}),
        ("POST", "/double", {"n": 2}, {"X-Request-Id": "b"}),
        ("PROPFIND", "/nowhere", None, {}),
        ("MKCOL", "/nowhere", None, {}),
    )

    points = sdk.figures()["http.server.request.duration"]
    counts = {point.attributes["http.request.method"]: point.count for point in points}
    assert counts == {"POST": 2, "_OTHER": 2}
    for point in points:
        assert "dspex.request" not in point.attributes


@pytest.mark.skipif(sys.platform != "linux", reason="only there they can be read")
def test_a_page_has_the_figures_of_the_process_where_they_are_wanted() -> None:
    try:
        alone = prometheus.metrics_page().decode()
        page = prometheus.metrics_page(with_process=True).decode()
    finally:
        prometheus.uninstrument()

    names = {family.name for family in text_string_to_metric_families(page)}
    assert {"process_resident_memory_bytes", "process_open_fds"} <= names
    assert "dspex_restarts" in names
    assert "process_" not in alone


def under_way() -> str:
    page = prometheus.metrics_page().decode()
    [line] = [
        line
        for line in page.splitlines()
        if line.startswith("dspex_served_requests_in_flight ")
    ]
    return line.rpartition(" ")[2]


def test_requests_under_way_are_a_figure() -> None:
    gate = Gate()

    async def use(client: Client) -> None:
        assert under_way() == "0.0"
        asking = asyncio.create_task(client.post("/gate", {}))
        await gate.arrived()
        assert under_way() == "1.0"
        gate.opened.set()
        assert (await asking).status == 200
        async with asyncio.timeout(PATIENT):
            while under_way() != "0.0":
                await asyncio.sleep(0)

    prometheus.uninstrument()
    prometheus.instrument()
    try:
        serve(Service({"gate": gate}), use)
    finally:
        prometheus.uninstrument()


def test_a_page_of_prometheus_counts_requests_by_program_and_status() -> None:
    prometheus.uninstrument()
    prometheus.instrument()
    try:
        ask(
            ("POST", "/double", {"n": 1}, {}),
            ("POST", "/double", {"n": "x"}, {}),
            ("POST", "/made-up", {}, {}),
        )
        page = prometheus.metrics_page().decode()
    finally:
        prometheus.uninstrument()

    counted = [
        line
        for line in page.splitlines()
        if line.startswith("dspex_served_requests_total")
    ]
    assert counted == [
        'dspex_served_requests_total{program="double",status="200"} 1.0',
        'dspex_served_requests_total{program="double",status="422"} 1.0',
        'dspex_served_requests_total{program="none",status="404"} 1.0',
    ]
    assert 'dspex_served_request_duration_seconds_count{program="double"} 2.0' in page
