"""A plain blocking client for the fake provider's tests."""

from __future__ import annotations

import json
import ssl
from typing import Any

import httpx

from dspex.testing import FakeProvider

PATIENT = 10.0
"""Seconds to wait for what should be there at once."""
# Making httpx's own context takes longer than most of these tests.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:generateContent",
}
"""Where a completion is asked for, by API."""


def post(
    provider: FakeProvider, path: str, body: object, **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(
        f"{provider.root_url}{path}",
        json=body,
        headers=named,
        timeout=PATIENT,
        trust_env=False,
        verify=NO_TLS,
    )


def get(provider: FakeProvider, path: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{provider.root_url}{path}"
    return httpx.get(
        url, headers=named, timeout=PATIENT, trust_env=False, verify=NO_TLS
    )


def ask(
    provider: FakeProvider,
    api: str = "openai",
    text: str = "hi",
    *,
    stream: bool = False,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> httpx.Response:
    """Ask for a completion in one of the three APIs."""
    path = PATHS[api]
    body: dict[str, Any] = {"model": "m", **more}
    if api == "gemini":
        body = {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}
        path = path.replace("generate", "streamGenerate") if stream else path
        path += "?alt=sse" if stream else ""
    else:
        body["messages"] = [{"role": "user", "content": text}]
        body |= {"stream": True} if stream else {}
    return post(provider, path, body, **(headers or {}))


def events(response: httpx.Response) -> list[Any]:
    """Read a stream: each event's JSON, or its text when it is none."""
    return events_in(response.text)


def events_in(text: str) -> list[Any]:
    lines = [line for line in text.splitlines() if line.startswith("data: ")]
    texts = [line.removeprefix("data: ") for line in lines]
    return [json.loads(text) if text.startswith("{") else text for text in texts]


def texts(said: list[Any]) -> str:
    """Put the completion together that is in an OpenAI stream."""
    choices = [
        choice
        for event in said
        if isinstance(event, dict)
        for choice in event.get("choices", [])
    ]
    return "".join(choice["delta"].get("content") or "" for choice in choices)
