"""What a model can do besides writing text, told from its provider and its name.

No provider says it in a request's answer, so this is a table of facts. Where a model is
not known, it counts as unable: what it cannot do natively is asked for in the prompt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What can be asked of a model natively."""

    json_schema: bool = False
    """JSON by a schema, in the words that all providers share."""
    json_object: bool = False
    """Any JSON object."""
    tools: bool = False
    """Tools to call."""
    shown_reasoning: bool = False
    """Whether its reasoning can come beside its answer. OpenAI's models reason, but do
    not show it in a chat completion."""


NOTHING: Final = Abilities()
"""Of a model nobody knows anything about."""

LOCAL: Final = Abilities(json_schema=True, json_object=True)
"""Of the server dspex starts itself, which makes a grammar of any schema."""

_ALL: Final = Abilities(json_schema=True, json_object=True, tools=True)
_NO_SCHEMA: Final = replace(_ALL, json_schema=False)

_BY_PROVIDER: Final = {
    "cerebras": _ALL,
    "deepinfra": _NO_SCHEMA,
    "deepseek": _NO_SCHEMA,
    "fireworks": _ALL,
    "groq": _NO_SCHEMA,
    "mistral": _ALL,
    "together": _NO_SCHEMA,
    "xai": _ALL,
    # Servers people run themselves make a grammar of a schema; whether tools work
    # depends on the model and on how the server was started.
    "llamacpp": LOCAL,
    "lm_studio": Abilities(json_schema=True),
    "ollama": LOCAL,
    "sglang": LOCAL,
    "vllm": LOCAL,
}
_VENDORS: Final = {"openai": "openai", "anthropic": "anthropic", "google": "gemini"}
"""How OpenRouter names those whose models are told apart below."""

_OPENAI: Final = (
    # The first that matches counts.
    (re.compile(r"o1-(?:mini|preview)"), NOTHING),
    (re.compile(r"gpt-4(?:-\d{4}|-32k.*)?$"), Abilities(tools=True)),
    (re.compile(r"gpt-4o-2024-05-13|gpt-4-|gpt-3\.5-turbo|chatgpt-"), _NO_SCHEMA),
    (re.compile(r"gpt-4o|gpt-4\.\d|gpt-[5-9]|o[1-9]"), _ALL),
)
"""OpenAI's models, by the beginning of their names."""

_CLAUDE: Final = re.compile(
    r"claude-(?:[a-z]+-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?"
)
_GEMINI: Final = re.compile(r"(?:models/)?gemini-(\d+)(?:\.(\d+))?")


def abilities_of(provider: str, model: str) -> Abilities:
    """Tell what a model can do.

    Args:
        provider: As the endpoint has it, such as `openai`.
        model: The model's name there. For Azure that is a deployment's name, which
            tells something only where it is named after the model.

    Example:
        >>> abilities_of("openai", "gpt-4o-mini").json_schema
        True
        >>> abilities_of("anthropic", "claude-3-5-haiku").json_schema
        False
    """
    match provider:
        case "openai" | "azure":
            return _of_openai(model.removeprefix("ft:"))
        case "anthropic":
            return _of_claude(model)
        case "gemini":
            return _of_gemini(model)
        case "openrouter":
            vendor, _, name = model.partition("/")
            if vendor in _VENDORS:
                return abilities_of(_VENDORS[vendor], name)
            return Abilities(json_object=True)
        case _:
            return _BY_PROVIDER.get(provider, NOTHING)


def claude_version(model: str) -> tuple[int, int] | None:
    """Read the version in the name of a model of Anthropic's; `None` in others.

    Example:
        >>> claude_version("claude-opus-4-5"), claude_version("claude-sonnet-5")
        ((4, 5), (5, 0))
    """
    return _version(_CLAUDE.match(model))


def _of_openai(model: str) -> Abilities:
    for name, abilities in _OPENAI:
        if name.match(model):
            return abilities
    # Another server that speaks OpenAI's format, or a deployment under its own name.
    return Abilities(json_object=True)


def _of_claude(model: str) -> Abilities:
    version = claude_version(model)
    if version is None:
        return NOTHING
    return Abilities(
        json_schema=version >= (4, 5),
        tools=version >= (3, 0),
        shown_reasoning=version >= (3, 7),
    )


def _of_gemini(model: str) -> Abilities:
    version = _version(_GEMINI.match(model))
    if version is None:
        return NOTHING
    return Abilities(
        json_schema=version >= (2, 5),
        json_object=True,
        tools=True,
        shown_reasoning=version >= (2, 5),
    )


def _version(found: re.Match[str] | None) -> tuple[int, int] | None:
    return None if found is None else (int(found[1]), int(found[2] or 0))
