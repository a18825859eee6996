"""What is known of a model by its name, and what is not."""

from __future__ import annotations

import pytest

import dspex
from dspex.client.providers.abilities import LOCAL, NOTHING, Abilities, abilities_of
from dspex.client.providers.model_strings import KNOWN_PROVIDERS

ALL = Abilities(json_schema=True, json_object=True, tools=True)
NO_SCHEMA = Abilities(json_object=True, tools=True)


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "gpt-4o-mini", ALL),
        ("openai", "gpt-4o-2024-08-06", ALL),
        ("openai", "gpt-4o-2024-05-13", NO_SCHEMA),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::1", ALL),
        ("openai", "gpt-4.1-nano", ALL),
        ("openai", "gpt-5.1", ALL),
        ("openai", "o3-mini", ALL),
        ("openai", "o1-mini", NOTHING),
        ("openai", "gpt-4-turbo", NO_SCHEMA),
        ("openai", "gpt-3.5-turbo", NO_SCHEMA),
        ("openai", "gpt-4", Abilities(tools=True)),
        ("openai", "gpt-4-0613", Abilities(tools=True)),
        ("openai", "qwen3-on-a-server-of-ours", Abilities(json_object=True)),
        ("azure", "gpt-4o", ALL),
        ("azure", "our-deployment", Abilities(json_object=True)),
        ("gemini", "gemini-1.5-flash", NO_SCHEMA),
        ("gemini", "models/gemini-2.0-flash", NO_SCHEMA),
        ("gemini", "gemma-3-27b-it", NOTHING),
        ("groq", "llama-3.3-70b", NO_SCHEMA),
        ("deepseek", "deepseek-chat", NO_SCHEMA),
        ("mistral", "mistral-small", ALL),
        ("vllm", "anything", LOCAL),
        ("openrouter", "openai/gpt-4o", ALL),
        ("openrouter", "qwen/qwen3", Abilities(json_object=True)),
        ("nobody", "knows", NOTHING),
    ],
)
def test_a_name_tells_what_a_model_can(
    provider: str, model: str, expected: Abilities
) -> None:
    assert abilities_of(provider, model) == expected


@pytest.mark.parametrize(
    ("model", "schema", "reasoning"),
    [
        ("claude-3-5-sonnet-latest", False, False),
        ("claude-3-7-sonnet-20250219", False, True),
        ("claude-sonnet-4-20250514", False, True),
        ("claude-sonnet-4-5", True, True),
        ("claude-opus-5", True, True),
    ],
)
def test_claude_writes_by_a_schema_since_4_5_and_never_any_object(
    model: str, *, schema: bool, reasoning: bool
) -> None:
    able = abilities_of("anthropic", model)

    assert able == Abilities(json_schema=schema, tools=True, shown_reasoning=reasoning)


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "gemini-3-flash-preview"])
def test_gemini_writes_by_a_schema_and_shows_reasoning_since_2_5(model: str) -> None:
    able = abilities_of("gemini", model)

    assert able.json_schema
    assert able.shown_reasoning


def test_every_provider_a_model_string_can_name_is_known() -> None:
    by_model = {"openai", "azure", "anthropic", "gemini"}

    unknown = {
        provider
        for provider in KNOWN_PROVIDERS.keys() - by_model
        if abilities_of(provider, "some-model") == NOTHING
    }

    assert unknown == set()


def test_an_lm_says_what_its_model_can() -> None:
    able = dspex.LM("openai/gpt-4o-mini", api_key="k")
    unable = dspex.LM("openai/gpt-4", api_key="k")

    assert able.supports_response_schema
    assert able.supports_json_object
    assert able.supports_function_calling
    assert not able.supports_reasoning
    assert able.schema_bounds is None
    assert not unable.supports_response_schema


def test_a_home_made_model_can_nothing_unless_it_says_so() -> None:
    class Plain(dspex.BaseLM):
        def forward(self, messages, **settings):  # type: ignore[no-untyped-def]  # as users write it
            return messages[-1]["content"]

    class Able(Plain):
        @property
        def supports_function_calling(self) -> bool:
            return True

    assert not Plain("mine").supports_function_calling
    assert not Plain("mine").supports_response_schema
    assert Able("mine").supports_function_calling
