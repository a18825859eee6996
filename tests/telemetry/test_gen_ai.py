"""The names and values of OpenTelemetry's conventions, as far as there is a list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as known
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import error_attributes, server_attributes
from opentelemetry.semconv.attributes.http_attributes import HTTP_RESPONSE_STATUS_CODE

import dspex
from dspex.client.providers.model_strings import KNOWN_PROVIDERS
from dspex.core import events as names
from dspex.core.lm import Message, Reply, Request, ToolCall, Usage
from dspex.telemetry import gen_ai
from dspex.telemetry.spans import _whom
from dspex.telemetry.spoken import answered_turns, asked_turns
from dspex.testing import FakeProvider
from supervisors import Event
from supervisors.events import EVERYWHERE
from tests.telemetry.sdk import Sdk

ATTRIBUTES = {value for name, value in vars(known).items() if name.startswith("GEN_")}


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as opened:
        yield opened


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda _messages: "Lima") as running:
        yield running


def test_every_word_is_one_of_the_conventions() -> None:
    words = [*vars(gen_ai).values(), *gen_ai.SETTINGS.values()]
    ours = {word for word in words if str(word).startswith("gen_ai.")}
    metrics = {gen_ai.DURATION, gen_ai.TOKENS}

    # An event is no attribute, and not in the package.
    assert ours - metrics - {gen_ai.EVALUATION_RESULT} <= ATTRIBUTES
    assert gen_ai_metrics.GEN_AI_CLIENT_OPERATION_DURATION == gen_ai.DURATION
    assert gen_ai_metrics.GEN_AI_CLIENT_TOKEN_USAGE == gen_ai.TOKENS
    assert gen_ai.ERROR_TYPE == error_attributes.ERROR_TYPE
    assert gen_ai.SERVER_ADDRESS == server_attributes.SERVER_ADDRESS
    assert gen_ai.SERVER_PORT == server_attributes.SERVER_PORT
    assert gen_ai.STATUS_CODE == HTTP_RESPONSE_STATUS_CODE


def test_providers_that_are_in_the_conventions_have_their_names() -> None:
    listed = {each.value for each in known.GenAiProviderNameValues}
    named = {gen_ai.PROVIDERS.get(name, name) for name in KNOWN_PROVIDERS}

    assert set(gen_ai.PROVIDERS.values()) <= listed
    assert set(gen_ai.PROVIDERS) <= set(KNOWN_PROVIDERS)
    # The conventions have no name for the rest.
    assert named & listed == {
        *("openai", "anthropic", "gcp.gemini", "azure.ai.openai"),
        *("groq", "deepseek", "mistral_ai", "x_ai"),
    }


def test_buckets_are_those_of_the_conventions() -> None:
    assert (
        *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28),
        *(2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    ) == gen_ai.DURATION_BUCKETS
    assert (
        *(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536),
        *(262144, 1048576, 4194304, 16777216, 67108864),
    ) == gen_ai.TOKEN_BUCKETS


def whom(address: str) -> dict[str, Any]:
    request = Request(model="m", messages=())
    facts = {"provider": "mistral", "operation": "chat", "request": request}
    return _whom(Event(name=(), metadata={**facts, "address": address}))


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://api.example.com/v1", ("api.example.com", 443)),
        ("http://api.example.com", ("api.example.com", 80)),
        ("http://127.0.0.1:8080/v1", ("127.0.0.1", 8080)),
        ("http://[::1]:8080/v1 2024-10-21", ("::1", 8080)),
        ("local/weights", (None, None)),
    ],
)
def test_an_address_has_a_port(address: str, told: tuple[Any, Any]) -> None:
    found = whom(address)

    assert (found.get("server.address"), found.get("server.port")) == told
    assert found["gen_ai.provider.name"] == "mistral_ai"


def test_settings_are_told_as_they_were_sent(sdk: Sdk, provider: FakeProvider) -> None:
    reach: dict[str, Any] = {"api_base": provider.base_url, "api_key": "k"}
    lm = dspex.LM("openai/m", **reach)

    lm("1", stop="end", seed=3, max_tokens=9, n=1, frequency_penalty=0.5)
    lm("2", stop=["a", "b"], n=2)

    first, second = (dict(span.attributes) for span in sdk.named("chat"))
    assert first["gen_ai.request.stop_sequences"] == ("end",)
    assert first["gen_ai.request.seed"] == 3
    assert first["gen_ai.request.max_tokens"] == 9
    assert first["gen_ai.request.frequency_penalty"] == 0.5
    assert "gen_ai.request.choice.count" not in first
    assert "gen_ai.request.stream" not in first
    assert second["gen_ai.request.stop_sequences"] == ("a", "b")
    assert second["gen_ai.request.choice.count"] == 2
    assert set(first) | set(second) <= {
        *ATTRIBUTES,
        *("server.address", "server.port", "dspex.cache", "dspex.attempts"),
    }


def test_figures_say_who_was_asked_and_who_answered(
    sdk: Sdk, provider: FakeProvider
) -> None:
    dspex.LM("openai/m", api_base=provider.base_url, api_key="k")("q")

    [duration] = sdk.figures()[gen_ai.DURATION]
    assert set(duration.attributes) == {
        *("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"),
        *("gen_ai.response.model", "server.address", "server.port"),
    }
    tokens = sdk.figures()[gen_ai.TOKENS]
    assert {point.attributes["gen_ai.token.type"] for point in tokens} == {
        *("input", "output")
    }
    usage = dict(sdk.named("chat")[0].attributes)
    sums = {point.attributes["gen_ai.token.type"]: point.sum for point in tokens}
    assert sums["input"] == usage["gen_ai.usage.input_tokens"] > 0
    assert sums["output"] == usage["gen_ai.usage.output_tokens"] > 0


def test_every_count_of_a_reply_is_told_by_its_own_name(sdk: Sdk) -> None:
    known: dict[str, Any] = {
        "span": "s",
        "provider": "openai",
        "address": "x",
        "operation": "chat",
        "model": "openai/m",
        "request": Request(model="m", messages=()),
        "stream": False,
    }
    usage = Usage(
        prompt_tokens=11,
        completion_tokens=7,
        cached_tokens=5,
        cache_write_tokens=3,
        reasoning_tokens=2,
    )
    reply = Reply(
        texts=("a",),
        finish_reasons=("length",),
        usage=usage,
        model="m-2026",
        request_id="r1",
        attempts=4,
    )

    EVERYWHERE.emit(names.LM_REQUEST_START, **known)
    EVERYWHERE.emit(
        names.LM_REQUEST_STOP, {"seconds": 1.5}, **known, reply=reply, cache="miss"
    )

    assert dict(sdk.named("chat m")[0].attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-2026",
        "gen_ai.response.id": "r1",
        "gen_ai.response.finish_reasons": ("length",),
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 5,
        "gen_ai.usage.cache_creation.input_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "dspex.cache": "miss",
        "dspex.attempts": 4,
    }
    [duration] = sdk.figures()[gen_ai.DURATION]
    assert duration.sum == 1.5


def test_a_score_belongs_to_the_span_of_its_example(sdk: Sdk) -> None:
    rows = [dspex.Example(n=n).with_inputs("n") for n in range(2)]

    def score(row: dspex.Example, _got: Any) -> float:
        if row.n:
            raise ValueError("canary")
        return 0.25

    dspex.Evaluate(devset=rows, metric=score, persist=False)(lambda n: n)

    told = {
        (each.log_record.attributes or {})["gen_ai.evaluation.score.label"]: each
        for each in sdk.logs.get_finished_logs()
    }
    assert told.keys() == {"scored", "metric"}
    spans = {each.context.span_id: each for each in sdk.named("evaluate example")}
    for label, each in told.items():
        span = spans[each.log_record.span_id]
        assert span.attributes["dspex.outcome"] == label
    scored = told["scored"].log_record.attributes
    assert scored["gen_ai.evaluation.score.value"] == 0.25
    assert "gen_ai.evaluation.score.value" not in told["metric"].log_record.attributes
    assert "canary" not in sdk.all_said()


def test_embeddings_are_called_so_and_put_out_no_tokens(
    sdk: Sdk, provider: FakeProvider
) -> None:
    dspex.Embedder("openai/e", api_base=provider.base_url, api_key="k")("a text")

    [span] = sdk.named("embeddings e")
    assert span.attributes["gen_ai.operation.name"] == "embeddings"
    kinds = [p.attributes["gen_ai.token.type"] for p in sdk.figures()[gen_ai.TOKENS]]
    assert kinds == ["input"]


def test_turns_are_written_as_the_conventions_have_them() -> None:
    call = ToolCall(id="c1", name="look", arguments='{"at": "Lima"}')
    request = Request(
        model="m",
        messages=(
            Message("system", "Be brief."),
            Message("assistant", "", tool_calls=(call,)),
            Message("tool", "a city", tool_call_id="c1"),
        ),
    )
    reply = Reply(
        texts=("Lima", ""),
        finish_reasons=("stop", "tool_calls"),
        reasoning=("it is", ""),
        tool_calls=((), (call,)),
    )
    wish = {
        "type": "tool_call",
        "id": "c1",
        "name": "look",
        "arguments": '{"at": "Lima"}',
    }

    assert json.loads(asked_turns(request)) == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {"role": "assistant", "parts": [wish]},
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "c1", "response": "a city"}],
        },
    ]
    assert json.loads(answered_turns(reply)) == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "it is"},
                {"type": "text", "content": "Lima"},
            ],
            "finish_reason": "stop",
        },
        {"role": "assistant", "parts": [wish], "finish_reason": "tool_calls"},
    ]
