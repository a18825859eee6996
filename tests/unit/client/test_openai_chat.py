"""The OpenAI chat format against wrong settings and hostile answers.

What it makes of sound ones stands in `test_golden`.
"""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Sender, StreamReader
from dspex.client.providers.openai_chat import OPENAI_CHAT
from dspex.client.providers.sse import MAX_EVENT_BYTES
from dspex.client.secrets import Secret
from dspex.core import errors
from dspex.core.lm import Message, RawPart, Reply, Request

KEY = Secret("sk-golden-secret-key")
ENDPOINT = Endpoint(provider="openai", base_url="http://localhost/v1", model="m")
SENDER = Sender(
    endpoint=replace(ENDPOINT, api_key=KEY),
    label="openai/m",
    wall_clock=lambda: 1000.0,
)


def built(settings: dict[str, Any], endpoint: Endpoint = ENDPOINT) -> HttpRequest:
    request = Request(model="m", messages=(Message("user", "x"),), settings=settings)
    return OPENAI_CHAT.build(request, endpoint, request_id="r", idempotency_key="c")


def read_body(body: bytes, status: int = 200) -> Reply:
    return OPENAI_CHAT.read(HttpResponse(status=status, headers={}, body=body), SENDER)


def feed_and_finish(reader: StreamReader, body: bytes) -> Reply:
    reader.feed(body)
    return reader.finish()


def outcome_of(body: bytes, status: int) -> Reply | str:
    """The reply, or the text of the error."""
    try:
        return read_body(body, status)
    except errors.LMError as error:
        return str(error)


@pytest.mark.parametrize(
    "name",
    ["messages", "model", "stream", "stream_options", "api_key", "extra_body"],
)
def test_what_is_no_setting_is_refused_by_name(name: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=name):
        built({name: True})


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}, b"x"])
def test_setting_that_is_not_json_is_named_without_its_value(value: object) -> None:
    with pytest.raises(errors.ConfigurationError, match="'odd'") as caught:
        built({"temperature": 1.0, "odd": value})

    assert repr(value) not in str(caught.value)


def test_setting_that_is_none_or_only_for_the_cache_is_not_sent() -> None:
    body = json.loads(built({"seed": None, "rollout_id": 3, "top_k": 5}).body)

    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "x"}],
        "top_k": 5,
    }


def test_part_that_is_not_json_is_refused_without_its_value() -> None:
    message = Message("user", (RawPart({"type": "x", "canary": object()}),))
    request = Request(model="m", messages=(message,))

    with pytest.raises(errors.ConfigurationError, match="messages") as caught:
        OPENAI_CHAT.build(request, ENDPOINT, request_id="r", idempotency_key="c")

    assert "object at" not in str(caught.value)


def test_model_of_the_endpoint_is_asked_when_the_request_names_none() -> None:
    request = Request(model="", messages=(Message("user", "x"),))

    http = OPENAI_CHAT.build(request, ENDPOINT, request_id="r", idempotency_key="c")

    assert json.loads(http.body)["model"] == "m"


def test_key_and_prompt_are_not_in_the_repr_of_a_request() -> None:
    endpoint = Endpoint(
        provider="openai", base_url="https://x.test", model="m", api_key=KEY
    )

    http = built({}, endpoint)

    assert KEY.reveal() not in repr((http, endpoint))
    assert "content" not in repr(http)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"choices":' * 100_000,
        b'{"usage":' + b"9" * 5_000 + b"}",
        b"\xff\xfe{}",
        b"\x00",
        b'{"choices": [{"message": {"content": 7}}]}',
    ],
    ids=["deep-list", "deep-object", "long-number", "utf-16", "nul", "number"],
)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_hostile_body_is_an_lm_error(body: bytes, status: int) -> None:
    with pytest.raises(errors.LMError) as caught:
        read_body(body, status)

    assert len(str(caught.value)) < 3_000


def test_byte_order_mark_before_a_completion_is_no_harm() -> None:
    body = b'\xef\xbb\xbf{"choices": [{"message": {"content": "Lima"}}]}'

    assert read_body(body).text == "Lima"


@given(body=st.binary(max_size=200), status=st.integers(100, 599))
def test_any_bytes_are_a_reply_or_an_lm_error(body: bytes, status: int) -> None:
    outcome = outcome_of(body, status)

    assert outcome.isprintable() if isinstance(outcome, str) else outcome.texts


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("choices", "message", "delta", "content", "error", "code"),
                    *("text", "usage", "tool_calls", "function", "name", "arguments"),
                    *("index", "finish_reason", "logprobs", "reasoning", "refusal"),
                    *("id", "total_tokens", "prompt_tokens_details"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@given(value=JSON, status=st.sampled_from([200, 400, 401, 429, 500]))
def test_any_json_is_a_reply_or_an_lm_error(value: object, status: int) -> None:
    outcome = outcome_of(json.dumps(value).encode(), status)

    assert outcome.isprintable() if isinstance(outcome, str) else outcome.texts


@given(values=st.lists(JSON, max_size=4), is_done=st.booleans())
def test_any_stream_is_a_reply_or_an_lm_error(
    values: list[object], is_done: bool
) -> None:
    reader = OPENAI_CHAT.reader({}, SENDER)
    body = "".join(f"data: {json.dumps(value)}\n\n" for value in values)

    try:
        reader.feed(body.encode() + b"data: [DONE]\n\n" * is_done)
        reply: Reply | None = reader.finish()
    except errors.LMError:
        reply = None

    assert reply is None or reply.texts


@given(body=st.binary(max_size=100))
def test_any_bytes_are_no_stream_and_an_lm_error(body: bytes) -> None:
    reader = OPENAI_CHAT.reader({}, SENDER)

    with pytest.raises(errors.LMResponseError):
        feed_and_finish(reader, body)


def test_stream_with_an_event_that_does_not_end_is_an_error_in_time() -> None:
    reader = OPENAI_CHAT.reader({}, SENDER)

    with pytest.raises(errors.LMResponseError, match="larger than"):
        feed_and_finish(reader, b"data: " + b"x" * (MAX_EVENT_BYTES + 1))


def test_texts_before_an_error_are_given_although_it_came_in_the_same_bytes() -> None:
    reader = OPENAI_CHAT.reader({}, SENDER)
    part = {"choices": [{"index": 0, "delta": {"content": "Li"}}]}
    wrong = b'data: {"error": {"message": "down", "code": 503}}\n\n'

    chunks = reader.feed(f"data: {json.dumps(part)}\n\n".encode() + wrong)

    assert [chunk.text for chunk in chunks] == ["Li"]
    with pytest.raises(errors.LMServerError):
        reader.feed(b"")


@given(text=st.text())
def test_text_of_a_completion_arrives_unchanged(text: str) -> None:
    body = {"choices": [{"message": {"role": "assistant", "content": text}}]}

    assert read_body(json.dumps(body).encode()).text == text
