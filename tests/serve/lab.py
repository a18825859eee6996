"""Programs, a client and a way to kill, for tests of services."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

import dspex
from dspex.runtime.config import Config
from dspex.runtime.runtime import Runtime
from dspex.serve.branch import requests_of
from dspex.serve.service import Service
from dspex.testing import DummyLM

PATIENT = 30.0
"""Seconds after which a test takes something for lost."""

STURDY = Config(branch_restarts=10_000, persist=False)
"""A tree that stands any number of kills, and keeps nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a service answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.text)

    @property
    def error(self) -> Any:
        """What it says of an error."""
        return self.json["error"]


class Client:
    """Asks a service over a real socket."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def post(self, path: str, inputs: Any = None, **options: Any) -> Reply:
        """Post inputs as JSON."""
        if inputs is not None:
            options["json"] = inputs
        return await self.ask("POST", path, **options)

    async def get(self, path: str, **options: Any) -> Reply:
        """Get a page."""
        return await self.ask("GET", path, **options)

    async def ask(self, method: str, path: str, **options: Any) -> Reply:
        """Send a request and read its response."""
        asked = self.session.request(method, f"{self.url}{path}", **options)
        async with asyncio.timeout(PATIENT), asked as response:
            text = await response.text()
            return Reply(status=response.status, headers=response.headers, text=text)


@asynccontextmanager
async def served(service: Service) -> AsyncIterator[Client]:
    """Serve on loopback for the block, and give a client."""
    async with (
        TestServer(service.app()) as server,
        ClientSession() as session,
    ):
        yield Client(session, f"http://{server.host}:{server.port}")


@asynccontextmanager
async def deployed(app: web.Application, **options: Any) -> AsyncIterator[str]:
    """Serve as a program does that is no test, for the block; the address."""
    runner = web.AppRunner(app, **options)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(
    url: str, **options: Any
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that speaks no HTTP by itself."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), **options)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def serve(service: Service, use: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
    """Serve, and use it, on a loop of its own."""

    async def main() -> None:
        async with served(service) as client:
            await use(client)

    asyncio.run(main())


def saying(*answers: Mapping[str, Any]) -> DummyLM:
    """A model that gives these answers, one after another."""
    return DummyLM([dict(answer) for answer in answers])


def kill_requests(runtime: Runtime) -> int:
    """Kill the task of every request that is worked on; how many there were."""
    running = requests_of(runtime).children()
    for ref in running:
        ref.kill()
    return len(running)


class Gate:
    """A program that says when it has begun, and ends when it is let.

    Beginnings that are `held` wait for `opened`; those after them answer at once.
    """

    def __init__(self, held: int = 1) -> None:
        self.held = held
        self.opened = threading.Event()
        self.begun: list[dict[str, Any]] = []
        self._arrived = threading.Semaphore(0)

    def __call__(self, **inputs: Any) -> dspex.Prediction:
        self.begun.append(inputs)
        number = len(self.begun)
        self._arrived.release()
        if number <= self.held:
            assert self.opened.wait(PATIENT)
        return dspex.Prediction(number=number, **inputs)

    async def arrived(self, count: int = 1) -> None:
        """Wait for so many further beginnings."""
        for _ in range(count):
            assert await asyncio.to_thread(self._arrived.acquire, timeout=PATIENT)


def ask(service: Service, *args: Any, path: str = "/tell", **options: Any) -> Reply:
    replies = []

    async def use(client: Client) -> None:
        replies.append(await client.post(path, *args, **options))

    serve(service, use)
    return replies[0]
