"""Writing what a service answers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from dspex.client.providers.json_body import write_json
from dspex.core.adapters.render import whole_value
from dspex.core.example import Example
from dspex.core.prediction import Prediction
from dspex.core.spending import Spent
from dspex.serve.answering import Answered
from dspex.serve.refusals import Refusal, whole_seconds
from dspex.serve.requests import JSON, REQUEST_ID

USAGE: Final = "Dspex-Usage"
"""The header that says what an answer took, as a JSON object."""

SAFE_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Server": "dspex",
    }
)
"""Headers of every response: kept by nobody, and taken for nothing else."""


def plain(value: Any) -> dict[str, Any]:
    """Return what a program gave, as a JSON object.

    A prediction gives its fields and a mapping its items; anything else is `output`.

    Raises:
        ValueError: It holds what JSON cannot.
    """
    if not isinstance(value, Example | Mapping):
        return {"output": whole_value(value, by_fields=True)}
    signature = value.completions.signature if isinstance(value, Prediction) else None
    known = getattr(signature, "output_fields", {})
    return {
        str(name): whole_value(
            each, getattr(known.get(name), "annotation", None), by_fields=True
        )
        for name, each in value.items()
    }


def written(
    status: int, value: Any, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Write a JSON value as a response.

    Raises:
        JsonError: It holds what JSON cannot, such as NaN.
    """
    return web.Response(
        status=status,
        body=write_json(value),
        content_type=JSON,
        headers={**SAFE_HEADERS, **(headers or {})},
    )


def refused(refusal: Refusal, wished: str) -> web.Response:
    """Write why there is no answer."""
    headers = {REQUEST_ID: wished, **(refusal.headers or {})}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(whole_seconds(refusal.retry_after))
    response = written(refusal.status, refusal.plain(), headers)
    if refusal.closes:
        response.force_close()
    return response


def usage_header(answered: Answered, wished: str) -> dict[str, str]:
    """Return the headers that say which request it was, and what it took."""
    return {
        REQUEST_ID: wished,
        USAGE: write_json(spent_as_json(answered.spent)).decode(),
    }


def spent_as_json(spent: Spent) -> dict[str, Any]:
    """Return what an answer took: calls, tokens, and dollars where they are known."""
    told: dict[str, Any] = {
        "calls": spent.calls,
        "cached": spent.cached,
        "prompt_tokens": spent.usage.prompt_tokens,
        "completion_tokens": spent.usage.completion_tokens,
    }
    return told if spent.cost is None else {**told, "cost": spent.cost}
