"""The OpenAI chat format, mostly by golden files: one JSON file is one case."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Sender
from dspex.client.providers.openai_chat import OPENAI_CHAT
from dspex.client.secrets import Secret
from dspex.core import errors
from dspex.core.lm import Message, Reply, Request

GOLDEN = Path(__file__).parent / "golden"
REQUESTS = sorted((GOLDEN / "openai_chat/requests").glob("*.json"))
RESPONSES = sorted((GOLDEN / "openai_chat/responses").glob("*.json"))
KEY = Secret("sk-golden-secret-key")
ENDPOINT = Endpoint(provider="openai", base_url="http://localhost/v1", model="m")
SENDER = Sender(
    endpoint=replace(ENDPOINT, api_key=KEY),
    label="openai/m",
    wall_clock=lambda: 1000.0,
)


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def built(settings: dict[str, Any], endpoint: Endpoint = ENDPOINT) -> HttpRequest:
    request = Request(model="m", messages=(Message("user", "x"),), settings=settings)
    return OPENAI_CHAT.build(request, endpoint, request_id="r", idempotency_key="c")


def read_body(body: bytes, status: int = 200) -> Reply:
    return OPENAI_CHAT.read(HttpResponse(status=status, headers={}, body=body), SENDER)


def outcome_of(body: bytes, status: int) -> Reply | str:
    """The reply, or the text of the error."""
    try:
        return read_body(body, status)
    except errors.LMError as error:
        return str(error)


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_request_is_built_as_the_golden_file_says(path: Path) -> None:
    case = load(path)
    key = case["endpoint"].pop("api_key")
    endpoint = Endpoint(**case["endpoint"], api_key=Secret(key) if key else None)
    turns = tuple(Message(role, text) for role, text in case["request"]["messages"])
    request = Request(
        model=case["request"]["model"],
        messages=turns,
        settings=case["request"]["settings"],
    )

    http = OPENAI_CHAT.build(
        request, endpoint, request_id="attempt-1", idempotency_key="call-1"
    )

    sent = {
        "method": http.method,
        "url": http.url,
        "headers": dict(http.headers),
        "body": json.loads(http.body),
    }
    assert sent == case["expected"]


@pytest.mark.parametrize("path", RESPONSES, ids=lambda path: path.stem)
def test_response_is_read_as_the_golden_file_says(path: Path) -> None:
    case = load(path)
    text = case["text"] if "text" in case else json.dumps(case["json"])
    response = HttpResponse(
        status=case["status"], headers=case["headers"], body=text.encode()
    )

    if "reply" in case:
        reply = OPENAI_CHAT.read(response, SENDER)
        assert as_golden(reply) == case["reply"]
        return
    expected = case["error"]
    with pytest.raises(errors.LMError) as caught:
        OPENAI_CHAT.read(response, SENDER)

    error = caught.value
    assert type(error).__name__ == expected.pop("class")
    assert all(word in str(error) for word in expected.pop("says"))
    assert error.model == "openai/m"
    assert KEY.reveal() not in str(error)
    for fact, value in expected.items():
        assert getattr(error, fact) == value, fact


def as_golden(reply: Reply) -> dict[str, Any]:
    return {
        "texts": list(reply.texts),
        "prompt_tokens": reply.usage.prompt_tokens,
        "completion_tokens": reply.usage.completion_tokens,
        "model": reply.model,
        "finish_reasons": list(reply.finish_reasons),
        "request_id": reply.request_id,
    }


@pytest.mark.parametrize("name", ["messages", "model", "stream"])
def test_what_is_no_setting_is_refused_by_name(name: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=name):
        built({name: True})


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}, b"x"])
def test_setting_that_is_not_json_is_named_without_its_value(value: object) -> None:
    with pytest.raises(errors.ConfigurationError, match="'odd'") as caught:
        built({"temperature": 1.0, "odd": value})

    assert repr(value) not in str(caught.value)


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
                ["choices", "message", "content", "error", "code", "text", "usage"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(value=JSON, status=st.sampled_from([200, 400, 401, 429, 500]))
def test_any_json_is_a_reply_or_an_lm_error(value: object, status: int) -> None:
    outcome = outcome_of(json.dumps(value).encode(), status)

    assert outcome.isprintable() if isinstance(outcome, str) else outcome.texts


@given(text=st.text())
def test_text_of_a_completion_arrives_unchanged(text: str) -> None:
    body = {"choices": [{"message": {"role": "assistant", "content": text}}]}

    assert read_body(json.dumps(body).encode()).text == text
