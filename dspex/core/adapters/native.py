"""What travels beside the text where the model can: tools, tool calls, reasoning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dspex.core.adapters.demos import Row
from dspex.core.adapters.outputs import fallback_value
from dspex.core.adapters.special import special_fields, without_fields
from dspex.core.errors import ConfigurationError, SignatureError
from dspex.core.lm import LanguageModel, ToolCall
from dspex.core.signature import Signature
from dspex.core.types.reasoning import Reasoning
from dspex.core.types.tool import Tool
from dspex.core.types.tool_calls import ToolCalls, read_arguments

TOOL_SETTINGS: Final = ("tools", "tool_choice", "parallel_tool_calls")
"""The settings of a call that are about tools."""

EFFORT: Final = "reasoning_effort"
"""The setting that lets a model think, in OpenAI's words."""

DEFAULT_EFFORT: Final = "low"
"""How long a model thinks when a signature asks for its reasoning and nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NativePlan:
    """What of one call travels beside the text."""

    shown: type[Signature]
    """What the text is about."""
    settings: Mapping[str, Any]
    """The settings that carry the rest."""
    config: Mapping[str, Any]
    """The user's settings, without those that make no sense for this call."""


def checked_types(types: Sequence[type[Any]] | None) -> tuple[type[Any], ...]:
    """Return the types of outputs that are read from the reply itself.

    Raises:
        ConfigurationError: When a type is not known here.
    """
    found = (Reasoning,) if types is None else tuple(types)
    for kind in found:
        if kind is not Reasoning:
            raise ConfigurationError(
                f"native_response_types has {kind!r}; only Reasoning can be read from "
                "a reply beside its text. Leave the other types out."
            )
    return found


def planned(
    signature: type[Signature],
    inputs: Row,
    model: LanguageModel,
    config: Mapping[str, Any],
    *,
    tools: bool,
    reasoning: bool,
) -> NativePlan:
    """Decide what of a call travels beside the text.

    Args:
        signature: What is asked for.
        inputs: The inputs of the call.
        model: Who will be asked; what it cannot do is told in the text.
        config: The user's settings of this call.
        tools: Whether tools may travel natively.
        reasoning: Whether reasoning may.

    Raises:
        SignatureError: When tool calls are wanted natively and there is no input with
            the tools.
    """
    special = special_fields(signature)
    settings: dict[str, Any] = {}
    dropped: list[str | None] = []
    if special.tool_calls is not None:
        if tools and special.tools is None:
            raise _without_tools(signature, special.tool_calls)
        if tools and getattr(model, "supports_function_calling", False):
            settings |= _written_tools(inputs, special.tools or "")
            dropped += [special.tool_calls, special.tools]
        else:
            config = {k: v for k, v in config.items() if k not in TOOL_SETTINGS}
    if special.reasoning and reasoning and (effort := _effort(model, config)):
        settings[EFFORT] = effort
        dropped += special.reasoning
    return NativePlan(
        shown=without_fields(signature, *dropped), settings=settings, config=config
    )


def completed(
    signature: type[Signature],
    values: Mapping[str, Any],
    calls: Sequence[ToolCall],
    thoughts: str,
) -> dict[str, Any]:
    """Return the values of all outputs: the text's, and what came beside it.

    Args:
        signature: Whose outputs these are.
        values: Those that the text gave.
        calls: The calls a model wants made.
        thoughts: Its reasoning, or an empty text.

    Raises:
        ValueError: When the arguments of a call are no JSON object.
    """
    special = special_fields(signature)
    beside: dict[str, Any] = {}
    if calls and special.tool_calls:
        beside[special.tool_calls] = _read_calls(calls)
    if thoughts:
        beside |= dict.fromkeys(special.reasoning, Reasoning(content=thoughts))
    found = {**beside, **values}
    return {
        name: found[name] if name in found else _nothing(field)
        for name, field in signature.output_fields.items()
    }


def _effort(model: LanguageModel, config: Mapping[str, Any]) -> Any:
    """Return how long the model is to think; `None` when it shows no thoughts."""
    if not getattr(model, "supports_reasoning", False):
        return None
    if EFFORT in config:
        return config[EFFORT]
    return model.dump_state().get(EFFORT, DEFAULT_EFFORT)


def _written_tools(inputs: Row, name: str) -> dict[str, Any]:
    """Return the setting with the tools; none when no tool is given."""
    given = inputs.get(name)
    tools = given if isinstance(given, list | tuple) else [given]
    written = [
        (
            tool if isinstance(tool, Tool) else Tool(tool)
        ).format_as_litellm_function_call()
        for tool in tools
        if tool is not None
    ]
    # No provider takes an empty list.
    return {"tools": written} if written else {}


def _read_calls(calls: Sequence[ToolCall]) -> ToolCalls:
    return ToolCalls(
        tool_calls=[
            ToolCalls.ToolCall(
                id=call.id or None, name=call.name, args=read_arguments(call.arguments)
            )
            for call in calls
        ]
    )


def _nothing(field: Any) -> Any:
    try:
        return fallback_value(field)
    except ValueError:
        # A model that calls tools, or keeps its thoughts, leaves other outputs out.
        return None


def _without_tools(signature: type[Signature], tool_calls: str) -> SignatureError:
    return SignatureError(
        f"{signature.signature!r} has the output {tool_calls!r} for tool calls and no "
        "input with the tools; the provider has to be told of them. Add an input such "
        "as tools: list[dspex.Tool]."
    )
