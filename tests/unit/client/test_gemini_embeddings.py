"""Gemini's embeddings: what goes out, and what is read of what comes back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import RateLimits
from dspex.client.providers.formats import for_embeddings, format_of
from dspex.client.providers.gemini_embeddings import GEMINI_EMBEDDINGS
from dspex.core import errors
from dspex.core.lm import Message, Reply, Request, Usage
from tests.unit.client.golden_cases import KEY, sender_to
from tests.unit.client.wire_properties import json_bodies, spoilt

CHAT = Endpoint(
    provider="gemini",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    model="gemini-embedding-001",
    api_key=KEY,
    format="gemini",
)
SENDER = sender_to(for_embeddings(CHAT))
ANSWER = {
    "embeddings": [{"values": [0.5, -1]}, {"values": [0.25, 0.0]}],
    "usageMetadata": {"promptTokenCount": 7},
}


def built(*turns: Message, stream: bool = False, **settings: Any) -> HttpRequest:
    request = Request(model="gemini-embedding-001", messages=turns, settings=settings)
    return GEMINI_EMBEDDINGS.build(
        request, CHAT, request_id="r", idempotency_key="c", stream=stream
    )


def read(body: Any, status: int = 200) -> Reply:
    response = HttpResponse(status=status, headers={}, body=json.dumps(body).encode())
    return GEMINI_EMBEDDINGS.read(response, SENDER)


def test_format_stands_beside_that_of_the_chat() -> None:
    assert format_of(for_embeddings(CHAT)) is GEMINI_EMBEDDINGS


def test_each_text_is_a_request_of_its_own_in_one_batch() -> None:
    turns = Message("user", "Lima"), Message("user", "Quito")

    http = built(*turns, dimensions=256, task_type="CLUSTERING", rollout_id=1)

    shared = {
        "model": "models/gemini-embedding-001",
        "outputDimensionality": 256,
        "taskType": "CLUSTERING",
    }
    assert http.url == f"{CHAT.base_url}/models/gemini-embedding-001:batchEmbedContents"
    assert http.headers["x-goog-api-key"] == KEY.reveal()
    assert json.loads(http.body) == {
        "requests": [
            {**shared, "content": {"parts": [{"text": "Lima"}]}},
            {**shared, "content": {"parts": [{"text": "Quito"}]}},
        ]
    }


def test_vectors_come_in_the_order_of_the_texts() -> None:
    reply = read(ANSWER)

    assert reply == Reply(
        vectors=((0.5, -1.0), (0.25, 0.0)), usage=Usage(prompt_tokens=7)
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"embeddings": []},
        {"embeddings": [{"values": []}]},
        {"embeddings": [{"values": ["0.5"]}]},
        {"embeddings": [{"values": [True]}]},
        {"embeddings": [{"values": [10**400]}]},
        {"embeddings": [{"values": [0.5]}, {"values": [0.5, 1.0]}]},
    ],
)
def test_body_without_whole_vectors_is_an_error(body: Any) -> None:
    with pytest.raises(errors.LMResponseError):
        read(body)


def test_refusals_are_those_of_the_chat() -> None:
    refusal = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m"}}

    for status in (429, 200):
        with pytest.raises(errors.LMRateLimitError):
            read(refusal, status)


@pytest.mark.parametrize(
    "turn", [Message("system", "x"), Message("user", ()), Message("assistant", "x")]
)
def test_turn_that_is_no_text_of_a_user_is_refused(turn: Message) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"messages\[0\]"):
        built(turn)


def test_stream_and_settings_of_chats_are_refused() -> None:
    with pytest.raises(errors.ConfigurationError, match="stream"):
        built(Message("user", "x"), stream=True)
    with pytest.raises(errors.ConfigurationError, match="temperature"):
        built(Message("user", "x"), temperature=1.0)


def test_body_is_read_at_its_end_and_headers_tell_no_limits() -> None:
    reader = GEMINI_EMBEDDINGS.reader({}, SENDER)

    reader.feed(json.dumps(ANSWER).encode())

    assert len(reader.finish().vectors) == 2
    assert GEMINI_EMBEDDINGS.limits({}, lambda: 0.0) == RateLimits()


@given(sampled=st.data(), body=json_bodies("embeddings", "values", "error"))
def test_no_body_makes_anything_but_vectors_or_an_lm_error(
    sampled: st.DataObject, body: bytes
) -> None:
    for wrong in (json.loads(body), spoilt(ANSWER, sampled.draw)):
        try:
            reply = read(wrong)
        except errors.LMError as error:
            assert str(error)  # noqa: PT017 - a failure to word it counts
        else:
            assert len({len(vector) for vector in reply.vectors}) == 1
