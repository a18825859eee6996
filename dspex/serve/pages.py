"""The pages by which others watch a daemon: `/healthz`, `/readyz`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from dspex.core.safe_text import safe_json
from dspex.serve.health import Health

_FRESH = {"Cache-Control": "no-store"}


def watching_pages(health: Health) -> Sequence[web.RouteDef]:
    """Make the pages.

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
