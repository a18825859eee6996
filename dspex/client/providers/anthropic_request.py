"""From a request to the body of Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dspex.client.providers.abilities import claude_version
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.openai_words import (
    Effort,
    Function,
    InlineImage,
    ToolChoice,
    arguments_of,
    effort_of,
    functions_and_others,
    image_of,
    schema_of,
    settings_asked,
    stops_of,
    tool_choice_of,
    with_extra,
)
from dspex.client.providers.request_body import written
from dspex.core.errors import ConfigurationError
from dspex.core.lm import ImagePart, Message, Part, RawPart, Request, TextPart

DEFAULT_MAX_TOKENS = 4096
"""Tokens an answer may have when no setting says so; the API takes no request without.

What a model may think comes on top.
"""

_AS_THEY_ARE = ("temperature", "top_p", "top_k", "thinking")
_KNOWN = frozenset(
    {
        *_AS_THEY_ARE,
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "user",
        "extra_body",
    }
)
_BUDGETS: Mapping[Effort, int] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 4096,
    "high": 16384,
}
_ROOM_TO_THINK = 16384
_ADAPTIVE_SINCE = (4, 6)


def body_of(request: Request, endpoint: Endpoint, *, stream: bool) -> bytes:
    """Put a request into the words of the Messages API.

    System turns are taken out of the chat and put in front, a tool's result becomes
    part of a user's turn, and turns of one speaker that follow each other are joined,
    because the API wants speakers to take turns.

    Raises:
        ConfigurationError: When the API has no word for a setting or a part.
    """
    asked = settings_asked(
        request.settings, known=_KNOWN, format_name="Anthropic's format"
    )
    model = request.model or endpoint.model
    body: dict[str, Any] = {"model": model, "messages": _turns(request.messages)}
    system = _system(request.messages)
    if system:
        body["system"] = system
    body |= {name: asked[name] for name in _AS_THEY_ARE if name in asked}
    body |= _thinking(model, asked)
    body |= _tools(asked)
    if "stop" in asked:
        body["stop_sequences"] = _stops(stops_of(asked["stop"]))
    if "user" in asked:
        body["metadata"] = {"user_id": asked["user"]}
    if "response_format" in asked:
        form = _output_format(schema_of(asked["response_format"]))
        body["output_config"] = {**body.get("output_config", {}), **form}
    if stream:
        body["stream"] = True
    return written(with_extra(body, asked.get("extra_body")), request.settings)


def thinks_adaptively(model: str) -> bool:
    """Whether a model decides by itself how much to think.

    Claude does since 4.6, and refuses a budget of tokens from 4.7 on; what came before,
    and models of others behind the same API, know only the budget.

    Example:
        >>> [thinks_adaptively(f"claude-{name}") for name in ("opus-4-5", "sonnet-5")]
        [False, True]
    """
    version = claude_version(model)
    if version is None:
        return model.startswith("claude-")
    return version >= _ADAPTIVE_SINCE


def _stops(stops: list[str]) -> list[str]:
    if not all(stop.strip() for stop in stops):
        raise ConfigurationError(
            "stop has a text of white space only, which Anthropic's format refuses;"
            " expected texts with a character that shows. Use another text to stop at."
        )
    return stops


def _system(turns: Sequence[Message]) -> list[Mapping[str, Any]]:
    return [
        block
        for turn in turns
        if turn.role == "system"
        for block in _blocks(turn.content)
    ]


def _turns(turns: Sequence[Message]) -> list[dict[str, Any]]:
    joined: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "system":
            continue
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = _turn_blocks(turn)
        if joined and joined[-1]["role"] == role:
            joined[-1]["content"] += blocks
        else:
            joined.append({"role": role, "content": blocks})
    return [turn for turn in joined if turn["content"]]


def _turn_blocks(turn: Message) -> list[Mapping[str, Any]]:
    if turn.role == "tool":
        result = {
            "type": "tool_result",
            "tool_use_id": turn.tool_call_id or "",
            "content": _blocks(turn.content),
        }
        return [result]
    calls = [
        {
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": arguments_of(call),
        }
        for call in turn.tool_calls
    ]
    return [*_blocks(turn.content), *calls]


def _blocks(content: str | tuple[Part, ...]) -> list[Mapping[str, Any]]:
    parts = (TextPart(content),) if isinstance(content, str) else content
    # The API refuses a text without a character.
    return [_block(part) for part in parts if part != TextPart("")]


def _block(part: Part) -> Mapping[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            return {"type": "image", "source": _source(image_of(part))}
        case RawPart():
            return part.value


def _source(image: InlineImage | str) -> dict[str, str]:
    if isinstance(image, str):
        return {"type": "url", "url": image}
    return {"type": "base64", "media_type": image.media_type, "data": image.base64}


def _thinking(model: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """How much to think, and how many tokens that and the answer may have."""
    effort = effort_of(asked.get("reasoning_effort"))
    if effort and "thinking" in asked:
        raise ConfigurationError(
            "both reasoning_effort and thinking are given; they say the same in two"
            " ways. Leave one out."
        )
    given = asked.get("max_completion_tokens", asked.get("max_tokens"))
    if thinks_adaptively(model):
        max_tokens = DEFAULT_MAX_TOKENS + _ROOM_TO_THINK if given is None else given
        return {"max_tokens": max_tokens, **_adaptive(effort)}
    budget = _budget(effort)
    if budget and isinstance(given, int) and given <= budget:
        raise ConfigurationError(
            f"max_tokens is {given}, of which reasoning_effort={effort!r} takes"
            f" {budget} for {model!r}; more was expected. Raise max_tokens, or lower"
            " the effort."
        )
    max_tokens = DEFAULT_MAX_TOKENS + budget if given is None else given
    thinking = {"type": "enabled", "budget_tokens": budget}
    return {"max_tokens": max_tokens} | ({"thinking": thinking} if budget else {})


def _adaptive(effort: Effort | None) -> dict[str, Any]:
    if effort is None:
        return {}
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    # The API's lowest word is OpenAI's second lowest.
    word = "low" if effort == "minimal" else effort
    return {"thinking": {"type": "adaptive"}, "output_config": {"effort": word}}


def _budget(effort: Effort | None) -> int:
    if effort is None or effort == "none":
        return 0
    if effort in _BUDGETS:
        return _BUDGETS[effort]
    raise ConfigurationError(
        f"reasoning_effort is {effort!r}, which this model does not know; expected none"
        f" or one of {', '.join(_BUDGETS)}. Lower it, or use a newer model."
    )


def _tools(asked: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "tools" in asked:
        functions, others = functions_and_others(asked["tools"])
        fields["tools"] = [*(_tool(function) for function in functions), *others]
    if "tool_choice" in asked:
        fields["tool_choice"] = _choice(tool_choice_of(asked["tool_choice"]))
    choice = fields.get("tool_choice", {"type": "auto"})
    if asked.get("parallel_tool_calls") is False and choice["type"] != "none":
        fields["tool_choice"] = {**choice, "disable_parallel_tool_use": True}
    return fields


def _tool(function: Function) -> dict[str, Any]:
    tool: dict[str, Any] = {
        "name": function.name,
        "input_schema": function.parameters,
    }
    if function.description:
        tool["description"] = function.description
    if function.strict:
        tool["strict"] = True
    return tool


def _choice(choice: ToolChoice) -> dict[str, Any]:
    match choice.mode:
        case "required":
            return {"type": "any"}
        case "one":
            return {"type": "tool", "name": choice.name}
        case "auto" | "none":
            return {"type": choice.mode}


def _output_format(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    if schema is None:
        return {}
    if not schema:
        raise ConfigurationError(
            "response_format asks for any JSON object; Anthropic's format knows only"
            " JSON by a schema. Pass {'type': 'json_schema', 'json_schema': {'name':"
            " ..., 'schema': {...}}}, or ask for JSON in the prompt."
        )
    return {"format": {"type": "json_schema", "schema": schema}}
