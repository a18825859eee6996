"""Gemini's generateContent, mostly by golden files; see `test_golden`."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import RateLimits
from dspex.client.providers.gemini import GEMINI
from dspex.client.secrets import Secret
from dspex.core import errors
from dspex.core.lm import ImagePart, Message, RawPart, Reply, Request, ToolCall
from tests.unit.client.golden_cases import (
    ENDPOINTS,
    GOLDEN,
    KEY,
    bodies_in,
    cases,
    load,
    sender_to,
    stream_body,
)
from tests.unit.client.wire_properties import (
    feed_all,
    json_bodies,
    outcome_of,
    spoilt,
    stream_outcome,
)

BASE_URL = "https://generativelanguage.googleapis.com/v1beta"
SENDER = sender_to(ENDPOINTS["gemini"])
STREAMS = cases("streams", "gemini")
BODIES = bodies_in("gemini")
NAMES = (
    "candidates",
    "content",
    "parts",
    "text",
    "functionCall",
    "args",
    "finishReason",
    "index",
    "usageMetadata",
    "promptFeedback",
    "blockReason",
    "logprobsResult",
    "error",
    "details",
    "code",
    "retryDelay",
)


def built(
    settings: dict[str, Any],
    *turns: Message,
    model: str = "gemini-2.5-flash",
    key: Secret | None = KEY,
) -> HttpRequest:
    request = Request(
        model=model, messages=turns or (Message("user", "x"),), settings=settings
    )
    endpoint = Endpoint(provider="gemini", base_url=BASE_URL, model="m", api_key=key)
    return GEMINI.build(
        request, endpoint, request_id="attempt-1", idempotency_key="call-1"
    )


def test_key_is_in_a_header_and_never_in_the_address() -> None:
    http = built({})

    assert http.headers["x-goog-api-key"] == KEY.reveal()
    assert KEY.reveal() not in http.url
    assert KEY.reveal() not in repr(http)


def test_no_key_header_is_sent_without_a_key() -> None:
    assert "x-goog-api-key" not in built({}, key=None).headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("logit_bias", {"1": 2}),
        ("parallel_tool_calls", False),
        ("user", "u-1"),
        ("stream", True),
        ("no_such_setting", 1),
    ],
)
def test_setting_gemini_does_not_have_is_refused_by_name(
    name: str, value: object
) -> None:
    with pytest.raises(errors.ConfigurationError, match=f"no setting '{name}'"):
        built({name: value})


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("gemini-3.5-flash", "none"),
        ("gemini-2.5-pro", "xhigh"),
        ("gemini-3-pro", "max"),
    ],
)
def test_effort_the_model_does_not_know_is_an_error(model: str, effort: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="does not know"):
        built({"reasoning_effort": effort}, model=model)


def test_result_of_a_call_nobody_made_is_an_error() -> None:
    result = Message("tool", "19 degrees", tool_call_id="fc_1")

    with pytest.raises(errors.ConfigurationError, match="no earlier turn"):
        built({}, Message("user", "x"), result)


def test_earlier_call_whose_arguments_are_no_object_is_an_error() -> None:
    call = ToolCall(id="1", name="weather", arguments="{")

    with pytest.raises(errors.ConfigurationError, match="'weather'"):
        built({}, Message("user", "x"), Message("assistant", "", (call,)))


def test_image_at_a_plain_http_address_is_an_error() -> None:
    with pytest.raises(errors.ConfigurationError, match="an image"):
        built({}, Message("user", (ImagePart("http://example.com/cat.png"),)))


def test_id_of_a_call_brings_the_signature_back_to_the_model() -> None:
    body = (
        b'{"candidates": [{"finishReason": "STOP", "content": {"parts": [{'
        b'"functionCall": {"name": "now"}, "thoughtSignature": "a+/="}]}}]}'
    )
    reply = GEMINI.read(HttpResponse(status=200, headers={}, body=body), SENDER)

    http = built({}, Message("assistant", "", reply.tool_calls[0]))

    assert b'"thoughtSignature":"a+/="' in http.body


def test_raw_part_is_passed_on_as_it_is() -> None:
    part = {"fileData": {"fileUri": "https://example.com/a.pdf"}}

    http = built({}, Message("user", (RawPart(part),)))

    assert json.loads(http.body)["contents"][0]["parts"] == [part]


def test_headers_tell_no_limits() -> None:
    assert GEMINI.limits({"retry-after": "1"}, lambda: 0.0) == RateLimits()


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_last_event_counts_without_an_empty_line_after_it(path: Path) -> None:
    case = load(path)
    data = stream_body(path)
    whole = stream_outcome(GEMINI.reader(case["headers"], SENDER), [data])

    reader = GEMINI.reader(case["headers"], SENDER)

    assert stream_outcome(reader, [data.rstrip(b"\n")])[1] == whole[1]


def test_event_that_is_no_json_is_an_error() -> None:
    reader = GEMINI.reader({}, SENDER)

    with pytest.raises(errors.LMResponseError, match="in its stream, it is not JSON"):
        reader.feed(b"data: <html>\n\n")


def test_answer_that_comes_whole_instead_of_a_stream_is_read() -> None:
    path = GOLDEN / "gemini/responses/plain.json"
    body = json.dumps(load(path)["json"]).encode()
    reader = GEMINI.reader({"content-type": "application/json"}, SENDER)

    chunks, reply = stream_outcome(reader, [body[:9], body[9:]])

    assert chunks == []
    assert isinstance(reply, Reply)
    assert reply.text == "Lima"


@given(body=json_bodies(*NAMES))
def test_no_body_makes_anything_but_a_reply_or_an_lm_error(body: bytes) -> None:
    outcome_of(GEMINI, SENDER, body)


@given(bodies=st.lists(json_bodies(*NAMES), max_size=6))
def test_no_event_makes_anything_but_chunks_or_an_lm_error(bodies: list[bytes]) -> None:
    feed_all(GEMINI.reader({}, SENDER), bodies)


@given(sampled=st.data())
def test_no_spoilt_body_makes_anything_but_a_reply_or_an_lm_error(
    sampled: st.DataObject,
) -> None:
    body = sampled.draw(st.sampled_from(BODIES))

    wrong = spoilt(body, sampled.draw)

    outcome_of(GEMINI, SENDER, json.dumps(wrong).encode())


@given(sampled=st.data())
def test_no_spoilt_stream_makes_anything_but_chunks_or_an_lm_error(
    sampled: st.DataObject,
) -> None:
    path = sampled.draw(st.sampled_from(STREAMS))
    events = [event["data"] for event in load(path)["events"]]

    wrong = spoilt(events, sampled.draw)

    if isinstance(wrong, list):
        bodies = [json.dumps(event).encode() for event in wrong]
        feed_all(GEMINI.reader({}, SENDER), bodies)
