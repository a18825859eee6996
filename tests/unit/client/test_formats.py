import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Allowance, Sender
from dspex.client.providers.formats import FORMATS, for_embeddings, format_of
from dspex.client.secrets import MASK, Secret
from dspex.core.errors import ConfigurationError
from dspex.core.lm import ImagePart, Message, Request

LIMITS: Mapping[str, str] = {"x-ratelimit-limit-requests": "60"}


def endpoint(name: str, api_version: str | None = "2024-10-21") -> Endpoint:
    return Endpoint(
        provider="p",
        base_url="https://x.test",
        model="m",
        api_key=Secret("sk-canary"),
        format=name,
        api_version=api_version,
    )


@pytest.mark.parametrize("name", FORMATS)
def test_format_is_found_by_its_name(name: str) -> None:
    assert format_of(endpoint(name)) is FORMATS[name]


def test_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="openai_chat"):
        format_of(endpoint("smoke_signals"))


@pytest.mark.parametrize("name", FORMATS)
def test_key_stands_in_a_header_and_nowhere_else(name: str) -> None:
    request = Request(model="m", messages=(Message("user", "x"),))

    http = FORMATS[name].build(
        request, endpoint(name), request_id="r", idempotency_key="c"
    )

    assert any("sk-canary" in value for value in http.headers.values())
    assert "canary" not in http.url
    assert b"canary" not in http.body
    assert "canary" not in repr(http)


@pytest.mark.parametrize(
    "name", ["openai_chat", "azure_chat", "openai_embeddings", "azure_embeddings"]
)
def test_limits_are_read_from_the_headers_of_openai(name: str) -> None:
    found = FORMATS[name].limits(LIMITS, lambda: 0.0)

    assert found.requests == Allowance(limit=60)


@pytest.mark.parametrize("name", ["azure_chat", "azure_embeddings"])
def test_azure_without_a_version_is_refused(name: str) -> None:
    request = Request(model="m", messages=(Message("user", "x"),))

    with pytest.raises(ConfigurationError, match="AZURE_API_VERSION"):
        FORMATS[name].build(
            request, endpoint(name, None), request_id="r", idempotency_key="c"
        )


@pytest.mark.parametrize(
    ("chat", "vectors"),
    [("openai_chat", "openai_embeddings"), ("azure_chat", "azure_embeddings")],
)
def test_vectors_come_from_the_same_place(chat: str, vectors: str) -> None:
    assert for_embeddings(endpoint(chat)) == endpoint(vectors)


def test_provider_without_embeddings_says_so() -> None:
    with pytest.raises(ConfigurationError, match="no embeddings"):
        for_embeddings(endpoint("anthropic_messages"))


@pytest.mark.parametrize(
    "message",
    [Message("system", "x"), Message("user", (ImagePart("https://x.test/a.png"),))],
)
def test_only_texts_of_a_user_become_vectors(message: Message) -> None:
    request = Request(model="m", messages=(message,))

    with pytest.raises(ConfigurationError, match=r"messages\[0\]"):
        FORMATS["openai_embeddings"].build(
            request,
            endpoint("openai_embeddings"),
            request_id="r",
            idempotency_key="c",
        )


def test_vectors_are_not_streamed() -> None:
    request = Request(model="m", messages=(Message("user", "x"),))

    with pytest.raises(ConfigurationError, match="come whole"):
        FORMATS["openai_embeddings"].build(
            request,
            endpoint("openai_embeddings"),
            request_id="r",
            idempotency_key="c",
            stream=True,
        )


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("openai_chat", {"choices": [{"message": {"content": "Lima"}}]}),
        ("openai_embeddings", {"data": [{"embedding": [1.0]}]}),
        ("anthropic_messages", {"type": "message", "content": []}),
        ("gemini", {"promptFeedback": {"blockReason": "SAFETY"}}),
    ],
)
def test_key_that_a_server_echoes_as_an_id_is_masked_in_the_reply(
    name: str, body: Mapping[str, object]
) -> None:
    key = "a-canary-that-must-not-show"
    where = replace(endpoint(name), api_key=Secret(key))
    response = HttpResponse(
        status=200,
        headers={"x-request-id": key},
        body=json.dumps({**body, "responseId": key}).encode(),
    )

    reply = FORMATS[name].read(
        response, Sender(endpoint=where, label="p/m", wall_clock=lambda: 0.0)
    )

    assert reply.request_id == MASK
