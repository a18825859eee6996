"""What the JSON adapter asks for is sent in each provider's own words, and taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

import dspex
from dspex.client.providers.formats import format_of
from dspex.core.lm import Request

TYPED = dspex.make_signature("question -> tags: list[str], score: float")
OPEN = dspex.make_signature("question -> answer: dict[str, int]")
SCHEMA = {
    "type": "object",
    "properties": {
        "tags": {"type": "array", "items": {"type": "string"}},
        "score": {"type": "number"},
    },
    "required": ["tags", "score"],
    "additionalProperties": False,
}


def body_for(model: str, signature: type[dspex.Signature]) -> dict[str, Any]:
    lm = dspex.LM(model, api_key="k")
    endpoint = lm._place._endpoint  # type: ignore[attr-defined]  # of a remote place
    asked = dspex.JSONAdapter().ask(signature, [], {"question": "?"}, lm)
    request = Request(
        model=endpoint.model, messages=asked.messages, settings=asked.settings
    )
    sent = format_of(endpoint).build(
        request, endpoint, request_id="r", idempotency_key="i"
    )
    body: dict[str, Any] = json.loads(sent.body)
    return body


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "mistral/m", "vllm/m"])
def test_openais_format_gets_a_strict_schema(model: str) -> None:
    body = body_for(model, TYPED)

    form = {"name": "outputs", "strict": True, "schema": SCHEMA}
    assert body["response_format"] == {"type": "json_schema", "json_schema": form}


def test_anthropics_format_gets_the_schema() -> None:
    body = body_for("anthropic/claude-sonnet-4-5", TYPED)

    form = {"type": "json_schema", "schema": SCHEMA}
    assert body["output_config"]["format"] == form


def test_geminis_format_gets_the_schema() -> None:
    body = body_for("gemini/gemini-2.5-flash", TYPED)

    assert body["generationConfig"]["responseJsonSchema"] == SCHEMA
    assert body["generationConfig"]["responseMimeType"] == "application/json"


@pytest.mark.parametrize(
    ("model", "signature"),
    [
        ("openai/gpt-4o-mini", OPEN),
        ("openai/gpt-3.5-turbo", TYPED),
        ("openai/some-server", TYPED),
        ("groq/m", TYPED),
    ],
)
def test_where_no_schema_can_be_it_is_any_json_object(
    model: str, signature: type[dspex.Signature]
) -> None:
    body = body_for(model, signature)

    assert body["response_format"] == {"type": "json_object"}
    # OpenAI refuses this form for a prompt that does not say the word.
    assert "JSON" in json.dumps(body["messages"])


def test_gemini_is_held_to_json_where_no_schema_can_be() -> None:
    config = body_for("gemini/gemini-2.5-flash", OPEN)["generationConfig"]

    assert config == {"responseMimeType": "application/json"}


@pytest.mark.parametrize(
    ("model", "signature"),
    [
        ("anthropic/claude-sonnet-4-5", OPEN),
        ("anthropic/claude-3-5-haiku", TYPED),
        ("openai/gpt-4", TYPED),
    ],
)
def test_a_model_that_takes_neither_is_asked_in_the_prompt_alone(
    model: str, signature: type[dspex.Signature]
) -> None:
    body = body_for(model, signature)

    assert not body.keys() & {"response_format", "output_config"}
    assert "JSON" in json.dumps(body["messages"])
