"""How each provider is asked for its models, and what is read out of the list."""

from __future__ import annotations

import json

import pytest

from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.listing import listed_models, listing_request
from dspex.client.secrets import Secret

KEY = "sk-0123456789"


def endpoint(wire_format: str, base: str, version: str | None = None) -> Endpoint:
    return Endpoint(
        provider="any",
        base_url=base,
        model="m",
        api_key=Secret(KEY),
        format=wire_format,
        api_version=version,
    )


OPENAI = endpoint("openai_chat", "https://api.example/v1")
ANTHROPIC = endpoint("anthropic_messages", "https://api.example/v1")
GEMINI = endpoint("gemini", "https://api.example/v1beta")
AZURE = endpoint("azure_chat", "https://mine.azure.example", "2024-10-21")
NEW_AZURE = endpoint("azure_chat", "https://mine.azure.example/openai/v1")


@pytest.mark.parametrize(
    ("where", "url", "header"),
    [
        (OPENAI, "https://api.example/v1/models", "Authorization"),
        (ANTHROPIC, "https://api.example/v1/models?limit=1000", "x-api-key"),
        (GEMINI, "https://api.example/v1beta/models?pageSize=1000", "x-goog-api-key"),
        (
            AZURE,
            "https://mine.azure.example/openai/models?api-version=2024-10-21",
            "api-key",
        ),
        (NEW_AZURE, "https://mine.azure.example/openai/v1/models", "api-key"),
    ],
)
def test_each_provider_is_asked_in_its_own_way(
    where: Endpoint, url: str, header: str
) -> None:
    request = listing_request(where)

    assert (request.method, request.url) == ("GET", url)
    assert KEY in request.headers[header]
    assert KEY not in request.url


def test_without_a_key_none_is_sent() -> None:
    keyless = Endpoint(provider="any", base_url="http://localhost/v1", model="m")

    assert set(listing_request(keyless).headers) == {"Accept", "User-Agent"}


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (OPENAI, {"data": [{"id": "a"}, {"id": "b"}]}),
        (ANTHROPIC, {"data": [{"id": "a", "type": "model"}, {"id": "b"}]}),
        (GEMINI, {"models": [{"name": "models/a"}, {"name": "models/b"}]}),
    ],
)
def test_names_are_read_as_calls_use_them(where: Endpoint, value: object) -> None:
    assert listed_models(json.dumps(value).encode(), where) == frozenset("ab")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"data": 3}', b'{"models": [{"id": "a"}]}']
)
def test_what_is_no_list_names_nothing(body: bytes) -> None:
    assert listed_models(body, OPENAI) is None


def test_entries_without_a_name_are_left_out() -> None:
    body = b'{"data": [{"id": "a"}, {"id": 3}, "b", {}]}'

    assert listed_models(body, OPENAI) == frozenset("a")


def test_azure_lists_what_calls_do_not_name() -> None:
    assert listed_models(b'{"data": [{"id": "a"}]}', AZURE) is None
