"""What a request costs in a service, beside what bare web servers take.

    python -m tests.benchmarks.serving [REQUESTS]

Processor time of the whole process, client included, for each request; 64 at a time on
loopback, the best of three. The program answers at once, so all of it is overhead.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import uvicorn
from aiohttp import web
from aiohttp.test_utils import TestServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dspex.runtime.config import Config
from dspex.runtime.runtime import Runtime
from dspex.serve.service import Service

AT_A_TIME = 64

Serving = Callable[[], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def bare_aiohttp() -> AsyncIterator[str]:
    """aiohttp.web with one handler."""

    async def answer(request: web.Request) -> web.Response:
        asked = await request.json()
        return web.json_response({"output": asked["country"]})

    app = web.Application()
    app.add_routes([web.post("/ask", answer)])
    async with TestServer(app) as server:
        yield f"http://{server.host}:{server.port}/ask"


@asynccontextmanager
async def bare_starlette() -> AsyncIterator[str]:
    """Starlette on uvicorn with one handler."""

    async def answer(request: Request) -> JSONResponse:
        asked = await request.json()
        return JSONResponse({"output": asked["country"]})

    app = Starlette(routes=[Route("/ask", answer, methods=["POST"])])
    config = uvicorn.Config(app, port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/ask"
    server.should_exit = True
    await serving


@asynccontextmanager
async def service() -> AsyncIterator[str]:
    """A `Service`: inputs checked, the program a task in the tree."""

    def ask(country: str) -> str:
        return country

    with Runtime(Config(persist=False)) as runtime:
        app = Service({"ask": ask}, runtime=runtime).app()
        async with TestServer(app) as server:
            yield f"http://{server.host}:{server.port}/ask"


async def cost(serving: Serving, requests: int) -> float:
    """Milliseconds of processor time for each request."""
    async with (
        serving() as url,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=AT_A_TIME)
        ) as session,
    ):

        async def ask(count: int) -> None:
            for _ in range(count):
                async with session.post(url, json={"country": "Peru"}) as reply:
                    assert (await reply.json())["output"] == "Peru"

        await ask(20)
        began = time.process_time()
        share = requests // AT_A_TIME
        await asyncio.gather(*(ask(share) for _ in range(AT_A_TIME)))
        return (time.process_time() - began) / (share * AT_A_TIME) * 1000


def main() -> None:
    """Measure and print."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 6_400
    for serving in (bare_aiohttp, bare_starlette, service):
        best = min(asyncio.run(cost(serving, requests)) for _ in range(3))
        print(f"{(serving.__doc__ or '').rstrip('.'):60} {best:.2f} ms")


if __name__ == "__main__":
    main()
