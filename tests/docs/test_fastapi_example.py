"""The FastAPI example of the repository answers, behind a real server."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from types import ModuleType

import aiohttp
import uvicorn

from dspex import LM
from dspex.testing import DummyLM
from tests.docs.pages import ROOT

PATIENT = 60.0


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "fastapi_service", ROOT / "examples/fastapi_service.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def use(app: object) -> tuple[int, object, str]:
    """Serve on loopback with uvicorn; one plain question and one as events."""
    config = uvicorn.Config(app, port=0, log_level="error", ws="none")  # type: ignore[arg-type] # FastAPI's, loaded by path
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(PATIENT):
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/capital"
        async with aiohttp.ClientSession() as session:
            async with session.post(url, json={"country": "Peru"}) as reply:
                status, answer = reply.status, await reply.json()
            async with session.post(f"{url}/events", json={"country": "x"}) as reply:
                events = await reply.text()
        server.should_exit = True
        await serving
    return status, answer, events


def test_the_example_answers_in_json_and_in_events() -> None:
    model = DummyLM([{"capital": "Lima"}, {"capital": "Quito"}])

    status, answer, events = asyncio.run(use(example().make_app(model)))

    assert (status, answer) == (200, {"capital": "Lima"})
    *told, end = [part for part in events.split("\n\n") if part]
    assert end == "data: [DONE]"
    last = json.loads(told[-1].removeprefix("data: "))
    assert last == {"prediction": {"capital": "Quito"}}


def test_an_outage_is_503_and_within_events_an_event() -> None:
    model = LM("openai/m", api_base="http://127.0.0.1:1/v1", num_retries=0)

    status, answer, events = asyncio.run(use(example().make_app(model)))

    assert (status, answer) == (503, {"error": "LMConnectionError"})
    assert events == 'data: {"error": "LMConnectionError"}\n\n'
