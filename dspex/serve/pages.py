"""The pages by which others watch a daemon: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from aiohttp import web

from dspex.core.errors import ConfigurationError
from dspex.core.safe_text import safe_json
from dspex.runtime.runtime import Runtime
from dspex.serve.health import Health
from dspex.telemetry import prometheus

_FRESH = {"Cache-Control": "no-store"}


def metrics_pages(runtime: Runtime) -> Sequence[web.RouteDef]:
    """Make `/metrics`, for Prometheus.

    It is counted from now on, not from the first time that somebody looks. Without the
    extra the page is 501, with the line that installs it.
    """
    with suppress(ConfigurationError):
        prometheus.instrument()

    def page() -> bytes:
        with runtime.use():
            return prometheus.metrics_page(with_process=True)

    async def metrics(_request: web.Request) -> web.Response:
        try:
            body = await asyncio.to_thread(page)
        except ConfigurationError as error:
            return web.Response(status=501, text=f"{error}\n", headers=_FRESH)
        headers = {"Content-Type": prometheus.CONTENT_TYPE} | _FRESH
        return web.Response(body=body, headers=headers)

    return (web.get("/metrics", metrics),)


def watching_pages(health: Health) -> Sequence[web.RouteDef]:
    """Make `/healthz` and `/readyz`.

    `/healthz` is 200 while the root of the tree answers, and says nothing of providers:
    who is told 503 by it restarts the process, which mends no provider. `/readyz` is
    200 while requests can be answered, and names each part that is not as it should be.
    """

    async def healthz(_request: web.Request) -> web.Response:
        trouble = await health.root_trouble()
        return _answer({"alive": trouble is None, "why": trouble}, well=not trouble)

    async def readyz(_request: web.Request) -> web.Response:
        found = await health.readiness()
        return _answer(found.as_json(), well=found.is_ready)

    return (web.get("/healthz", healthz), web.get("/readyz", readyz))


def _answer(told: dict[str, Any], *, well: bool) -> web.Response:
    return web.Response(
        status=200 if well else 503,
        text=safe_json(told),
        content_type="application/json",
        headers=_FRESH,
    )
