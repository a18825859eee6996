"""What an examination makes of the answers that a fake provider does not give."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from socket import create_server
from types import MappingProxyType
from typing import Any, cast

import pytest

from dspex.client.examination import Finding, State, examine, limits_found
from dspex.client.http_messages import HttpRequest, HttpResponse, OpenResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Allowance, RateLimits
from dspex.client.proxies import NO_PROXIES, Proxies
from dspex.client.secrets import Secret
from dspex.core.errors import LMAuthError, LMServerError

LIST = json.dumps({"data": [{"id": "m"}]}).encode()


class Canned:
    """A transport that answers those with a key and those without."""

    def __init__(
        self,
        status: int,
        keyless: int = 401,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._statuses = {True: status, False: keyless}
        self._headers = headers

    async def send(self, request: HttpRequest, **_limits: Any) -> HttpResponse:
        status = self._statuses["Authorization" in request.headers]
        body = LIST if status == 200 else b'{"error": {"message": "no"}}'
        return HttpResponse(status=status, headers=self._headers, body=body)

    def open(
        self, request: HttpRequest, **_limits: Any
    ) -> AbstractAsyncContextManager[OpenResponse]:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


@contextmanager
def listening() -> Iterator[str]:
    """An address at which connections are taken, by the system, and nothing else."""
    with create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"


def found(transport: Canned, proxies: Proxies = NO_PROXIES) -> dict[str, Finding]:
    async def collected(base: str) -> dict[str, Finding]:
        endpoint = Endpoint(
            provider="openai", base_url=base, model="m", api_key=Secret("sk-0123456789")
        )
        findings = examine(endpoint, cast("Any", transport), proxies)
        return {finding.name: finding async for finding in findings}

    if proxies is not NO_PROXIES:
        return asyncio.run(collected("https://api.example/v1"))
    with listening() as base:
        return asyncio.run(collected(base))


def test_accepted_key_is_one_without_which_the_list_is_refused() -> None:
    assert found(Canned(200))["key"].state is State.OK
    assert found(Canned(200, keyless=200))["key"].state is State.UNKNOWN


@pytest.mark.parametrize("status", [404, 405, 400])
def test_a_server_without_a_list_is_no_failure(status: int) -> None:
    findings = found(Canned(status))

    assert findings["key"].state is State.UNKNOWN
    assert all(finding.error is None for finding in findings.values())


@pytest.mark.parametrize(
    ("status", "name", "error"),
    [
        (401, "key", LMAuthError),
        (403, "key", LMAuthError),
        (500, "answer", LMServerError),
    ],
)
def test_a_refusal_fails_under_its_own_name(
    status: int, name: str, error: type[Exception]
) -> None:
    findings = found(Canned(status))

    assert isinstance(findings[name].error, error)
    assert list(findings)[-1] == name


def test_limits_that_the_list_announces_are_told() -> None:
    announced = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
    }

    assert found(Canned(200, headers=announced))["limits"].text == (
        "announced: 500 requests (499 left)"
    )


def test_a_limit_may_come_without_what_is_left_of_it() -> None:
    limits = RateLimits(requests=Allowance(limit=9), tokens=Allowance(limit=1000))

    found = limits_found(limits, "none")

    assert found.text == "announced: 9 requests, 1,000 tokens"


def test_with_a_proxy_the_way_there_is_its_own_and_its_password_is_not_told() -> None:
    findings = found(Canned(200), Proxies.only("http://user:secret@proxy:3128"))

    assert findings["proxy"].text == "requests go through proxy:3128"
    assert "connection" not in findings
