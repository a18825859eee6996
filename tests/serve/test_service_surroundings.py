"""What is around the requests of a service: other pages, and what its log says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiohttp import web

import dspex
from dspex.core import errors
from dspex.runtime.runtime import Runtime
from dspex.serve.service import Service
from tests.serve.lab import STURDY, Client, ask, saying, serve


@pytest.fixture(autouse=True)
def _runtime() -> Iterator[None]:
    with Runtime(STURDY):
        yield


def telling(token: str | None = None) -> Service:
    with dspex.context(lm=saying({"story": "Once."})):
        program = dspex.Predict("topic: str -> story: str")
        return Service({"tell": program}, token=token)


def failing(error: Exception) -> Service:
    def program(topic: str) -> str:
        raise error

    return Service({"tell": program})


async def _well(_request: web.Request) -> web.Response:
    return web.Response(text="well")


def test_a_page_that_others_mounted_opens_no_program_at_its_path() -> None:
    service = telling(token="sesame")
    service.add_routes([web.get("/healthz", _well), web.get("/tell", _well)])

    async def use(client: Client) -> None:
        right = {"Authorization": "Bearer sesame"}
        inputs = {"topic": "rain"}

        assert (await client.get("/tell")).text == "well"
        assert (await client.post("/tell", inputs)).status == 401
        assert (await client.post("/tell", inputs, headers=right)).status == 200
        found = await client.post("/healthz", {}, headers=right)
        assert (found.status, found.error["type"]) == (404, "not_found")

    serve(service, use)


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/favicon.ico", 404, None),
        ("GET", "/tell", 405, "POST"),
        ("DELETE", "/", 405, "GET,HEAD,POST"),
    ],
)
def test_what_is_not_there_is_not_said_to_be_asked_wrongly(
    method: str, path: str, status: int, allowed: str | None
) -> None:
    async def use(client: Client) -> None:
        reply = await client.ask(method, path)

        assert (reply.status, reply.headers.get("Allow")) == (status, allowed)

    serve(telling(), use)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            errors.LMConnectionError("nobody is there", model="openai/m"),
            "provider_down",
        ),
        (errors.LMAuthError("a wrong key", model="openai/m"), "provider_refused"),
        (errors.LMRateLimitError("too many", model="openai/m"), "rate_limited"),
    ],
)
def test_what_a_provider_does_is_told_in_the_log_without_a_traceback(
    error: Exception, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    reply = ask(failing(error), {"topic": "x"})

    [record] = [each for each in caplog.records if each.name == "dspex.serve"]
    told = vars(record)
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert told["request"] == reply.headers["X-Request-Id"]
    assert (told["program"], told["type"]) == ("tell", kind)
    assert (told["status"], told["reason"]) == (reply.status, reply.error["message"])


def test_a_refusal_of_its_own_is_not_told_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = telling()
    service.begin_draining()

    assert ask(service, {"topic": "x"}).status == 503
    assert "dspex.serve" not in {each.name for each in caplog.records}
