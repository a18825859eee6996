"""Anthropic's Messages API, mostly by golden files; see `test_golden`."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.http_messages import HttpRequest
from dspex.client.providers.anthropic_messages import ANTHROPIC_MESSAGES
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Allowance, RateLimits
from dspex.client.secrets import Secret
from dspex.core import errors
from dspex.core.lm import ImagePart, Message, Reply, Request, ToolCall
from tests.unit.client.golden_cases import (
    ENDPOINTS,
    GOLDEN,
    KEY,
    WALL_CLOCK,
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

SENDER = sender_to(ENDPOINTS["anthropic_messages"])
STREAMS = cases("streams", "anthropic_messages")
BODIES = bodies_in("anthropic_messages")


def built(
    settings: dict[str, Any],
    *turns: Message,
    model: str = "claude-haiku-4-5",
    key: Secret | None = KEY,
) -> HttpRequest:
    request = Request(
        model=model, messages=turns or (Message("user", "x"),), settings=settings
    )
    endpoint = Endpoint(
        provider="anthropic",
        base_url="https://api.anthropic.com/v1",
        model="claude-haiku-4-5",
        api_key=key,
    )
    return ANTHROPIC_MESSAGES.build(
        request, endpoint, request_id="attempt-1", idempotency_key="call-1"
    )


def test_headers_carry_the_key_and_the_version() -> None:
    http = built({})

    assert dict(http.headers) == {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "dspex",
        "X-Client-Request-Id": "attempt-1",
        "Idempotency-Key": "call-1",
        "anthropic-version": "2023-06-01",
        "x-api-key": KEY.reveal(),
    }
    assert KEY.reveal() not in repr(http)


def test_no_key_header_is_sent_without_a_key() -> None:
    assert "x-api-key" not in built({}, key=None).headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("seed", 7),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("logit_bias", {"1": 2}),
        ("presence_penalty", 0.5),
        ("stream", True),
        ("no_such_setting", 1),
    ],
)
def test_setting_the_api_does_not_have_is_refused_by_name(
    name: str, value: object
) -> None:
    with pytest.raises(errors.ConfigurationError, match=f"no setting '{name}'"):
        built({name: value})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"response_format": {"type": "json_object"}}, "any JSON object"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning_effort": "max"}, "does not know"),
        ({"reasoning_effort": "high", "max_tokens": 16384}, "Raise max_tokens"),
        ({"reasoning_effort": "low", "thinking": {"type": "disabled"}}, "both"),
        ({"stop": 7}, "stop"),
        ({"stop": [7]}, "stop"),
        ({"stop": ["END", "\n\n"]}, "white space"),
        ({"tools": ["search"]}, "a tool"),
        ({"tools": [{"type": "function"}]}, "no name"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"extra_body": 7}, "extra_body"),
        ({"temperature": float("nan")}, "'temperature'"),
        (
            {
                "tools": [
                    {"type": "function", "function": {"name": "f", "parameters": {1}}}
                ]
            },
            "'tools'",
        ),
    ],
)
def test_setting_that_makes_no_sense_is_an_error_that_names_it(
    settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(errors.ConfigurationError, match=says):
        built(settings)


@pytest.mark.parametrize(
    "part",
    [
        ImagePart("http://example.com/cat.png"),
        ImagePart("data:image/png,notbase64"),
        ImagePart("data:;base64,AAAA"),
        ImagePart("https://example.com/cat.png", detail="low"),
    ],
)
def test_image_the_api_cannot_take_is_an_error(part: ImagePart) -> None:
    with pytest.raises(errors.ConfigurationError, match="an image"):
        built({}, Message("user", (part,)))


def test_earlier_call_whose_arguments_are_no_object_is_an_error() -> None:
    call = ToolCall(id="1", name="weather", arguments="[1]")

    with pytest.raises(errors.ConfigurationError, match="'weather'"):
        built({}, Message("user", "x"), Message("assistant", "", (call,)))


@pytest.mark.parametrize(
    ("model", "adaptive"),
    [
        ("claude-3-7-sonnet-20250219", False),
        ("claude-opus-4-20250514", False),
        ("claude-opus-4-5-20251101", False),
        ("claude-sonnet-4-6", True),
        ("claude-opus-5", True),
        ("claude-haiku-5-5-20261007", True),
        ("claude-mythos-preview", True),
        ("deepseek-chat", False),
    ],
)
def test_model_is_told_to_think_in_the_way_it_knows(model: str, adaptive: bool) -> None:
    body = json.loads(built({"reasoning_effort": "high"}, model=model).body)

    assert body["thinking"]["type"] == ("adaptive" if adaptive else "enabled")


@pytest.mark.parametrize("model", ["claude-opus-5", "claude-haiku-4-5"])
def test_no_effort_turns_thinking_off(model: str) -> None:
    body = json.loads(built({"reasoning_effort": "none"}, model=model).body)

    assert body.get("thinking", {"type": "disabled"}) == {"type": "disabled"}


def test_choice_of_no_tool_stays_as_it_is_without_parallel_calls() -> None:
    body = json.loads(built({"tool_choice": "none", "parallel_tool_calls": False}).body)

    assert body["tool_choice"] == {"type": "none"}


def test_fields_of_the_providers_own_join_those_that_are_built() -> None:
    settings = {
        "reasoning_effort": "low",
        "extra_body": {"output_config": {"task_budget": 5}, "speed": "fast"},
    }

    body = json.loads(built(settings, model="claude-opus-5").body)

    assert body["output_config"] == {"effort": "low", "task_budget": 5}
    assert body["speed"] == "fast"


def test_limits_are_read_from_the_headers() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:21.5Z",
        "anthropic-ratelimit-tokens-limit": "50000",
        "anthropic-ratelimit-tokens-remaining": "40000",
        "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:00Z",
    }

    limits = ANTHROPIC_MESSAGES.limits(headers, lambda: WALL_CLOCK)

    assert limits == RateLimits(
        requests=Allowance(limit=50, remaining=49, reset_in=1.5),
        tokens=Allowance(limit=50000, remaining=40000, reset_in=0.0),
    )


def test_scarcer_of_sent_and_received_tokens_counts() -> None:
    headers = {
        "anthropic-ratelimit-input-tokens-limit": "1000",
        "anthropic-ratelimit-input-tokens-remaining": "900",
        "anthropic-ratelimit-output-tokens-limit": "100",
        "anthropic-ratelimit-output-tokens-remaining": "10",
    }

    limits = ANTHROPIC_MESSAGES.limits(headers, lambda: WALL_CLOCK)

    assert limits.tokens == Allowance(limit=100, remaining=10)


@pytest.mark.parametrize("limit", ["0", "-1", "soon"])
def test_limit_that_makes_no_sense_is_not_the_scarcer(limit: str) -> None:
    headers = {
        "anthropic-ratelimit-input-tokens-limit": limit,
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-output-tokens-limit": "100",
        "anthropic-ratelimit-output-tokens-remaining": "10",
    }

    limits = ANTHROPIC_MESSAGES.limits(headers, lambda: WALL_CLOCK)

    assert limits.tokens == Allowance(limit=100, remaining=10)


@given(text=st.text(max_size=30))
def test_no_header_breaks_the_reading_of_limits(text: str) -> None:
    headers = {
        f"anthropic-ratelimit-{name}-{kind}": text
        for name in ("requests", "tokens", "input-tokens")
        for kind in ("limit", "remaining", "reset")
    }

    limits = ANTHROPIC_MESSAGES.limits(headers, lambda: WALL_CLOCK)

    assert limits.requests.reset_in is None or limits.requests.reset_in >= 0


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_last_event_counts_without_an_empty_line_after_it(path: Path) -> None:
    case = load(path)
    data = stream_body(path)
    whole = stream_outcome(ANTHROPIC_MESSAGES.reader(case["headers"], SENDER), [data])

    reader = ANTHROPIC_MESSAGES.reader(case["headers"], SENDER)

    assert stream_outcome(reader, [data.rstrip(b"\n")])[1] == whole[1]


def test_event_that_is_no_json_is_an_error() -> None:
    reader = ANTHROPIC_MESSAGES.reader({}, SENDER)

    with pytest.raises(errors.LMResponseError, match="in its stream, it is not JSON"):
        reader.feed(b"data: <html>\n\n")


def test_answer_that_comes_whole_instead_of_a_stream_is_read() -> None:
    path = GOLDEN / "anthropic_messages/responses/plain.json"
    body = json.dumps(load(path)["json"]).encode()
    reader = ANTHROPIC_MESSAGES.reader({"content-type": "application/json"}, SENDER)

    chunks, reply = stream_outcome(reader, [body[:9], body[9:]])

    assert chunks == []
    assert isinstance(reply, Reply)
    assert reply.text == "Lima"


@given(body=json_bodies("type", "content", "usage", "error", "message", "stop_reason"))
def test_no_body_makes_anything_but_a_reply_or_an_lm_error(body: bytes) -> None:
    outcome_of(ANTHROPIC_MESSAGES, SENDER, body)


@given(
    bodies=st.lists(
        json_bodies(
            "type", "index", "delta", "content_block", "message", "text", "usage"
        ),
        max_size=6,
    )
)
def test_no_event_makes_anything_but_chunks_or_an_lm_error(bodies: list[bytes]) -> None:
    feed_all(ANTHROPIC_MESSAGES.reader({}, SENDER), bodies)


@given(sampled=st.data())
def test_no_spoilt_body_makes_anything_but_a_reply_or_an_lm_error(
    sampled: st.DataObject,
) -> None:
    body = sampled.draw(st.sampled_from(BODIES))

    wrong = spoilt(body, sampled.draw)

    outcome_of(ANTHROPIC_MESSAGES, SENDER, json.dumps(wrong).encode())


@given(sampled=st.data())
def test_no_spoilt_stream_makes_anything_but_chunks_or_an_lm_error(
    sampled: st.DataObject,
) -> None:
    path = sampled.draw(st.sampled_from(STREAMS))
    events = [event["data"] for event in load(path)["events"]]

    wrong = spoilt(events, sampled.draw)

    if isinstance(wrong, list):
        bodies = [json.dumps(event).encode() for event in wrong]
        feed_all(ANTHROPIC_MESSAGES.reader({}, SENDER), bodies)
