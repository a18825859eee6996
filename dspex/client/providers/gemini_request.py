"""From a request to the body of Gemini's generateContent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from mimetypes import MimeTypes
from typing import Any

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
from dspex.core.lm import (
    ImagePart,
    Message,
    Part,
    RawPart,
    Request,
    TextPart,
    ToolCall,
)

SIGNATURE_MARK = "~"
"""Parts a call's id from the model's signature of it.

A model that thinks wants its signature back with the call, and the id is the only part
of a call that goes around unread. Neither ids nor base64 have this character.
"""

_NUMBERS = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "max_completion_tokens": "maxOutputTokens",
    "n": "candidateCount",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
_KNOWN = frozenset(
    {
        *_NUMBERS,
        "stop",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning_effort",
        "extra_body",
    }
)
_BUDGETS: Mapping[Effort, int] = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
}
_LEVELS: frozenset[Effort] = frozenset({"minimal", "low", "medium", "high"})
_LEVELS_SINCE = 3
_VERSION = re.compile(r"(?:models/)?gemini-(\d+)")


def body_of(request: Request, model: str) -> bytes:
    """Put a request into Gemini's words.

    System turns are taken out of the chat and put in front, a tool's result becomes
    part of a user's turn, and turns of one speaker that follow each other are joined.

    Raises:
        ConfigurationError: When Gemini has no word for a setting or a part.
    """
    asked = settings_asked(
        request.settings, known=_KNOWN, format_name="Gemini's format"
    )
    body: dict[str, Any] = {"contents": _contents(request.messages)}
    system = [
        part
        for turn in request.messages
        if turn.role == "system"
        for part in _parts(turn.content)
    ]
    if system:
        body["systemInstruction"] = {"parts": system}
    config = _config(model, asked)
    if config:
        body["generationConfig"] = config
    body |= _tools(asked)
    return written(with_extra(body, asked.get("extra_body")), request.settings)


def _contents(turns: Sequence[Message]) -> list[dict[str, Any]]:
    joined: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for turn in turns:
        if turn.role == "system":
            continue
        names |= {call.id: call.name for call in turn.tool_calls}
        role = "model" if turn.role == "assistant" else "user"
        parts = _result(turn, names) if turn.role == "tool" else _turn_parts(turn)
        if joined and joined[-1]["role"] == role:
            joined[-1]["parts"] += parts
        else:
            joined.append({"role": role, "parts": parts})
    return [turn for turn in joined if turn["parts"]]


def _turn_parts(turn: Message) -> list[Mapping[str, Any]]:
    return [*_parts(turn.content), *(_call(call) for call in turn.tool_calls)]


def _call(call: ToolCall) -> dict[str, Any]:
    call_id, _, signature = call.id.partition(SIGNATURE_MARK)
    function = {"id": call_id, "name": call.name, "args": arguments_of(call)}
    signed = {"thoughtSignature": signature} if signature else {}
    return {"functionCall": function, **signed}


def _result(turn: Message, names: Mapping[str, str]) -> list[Mapping[str, Any]]:
    name = names.get(turn.tool_call_id or "")
    if name is None:
        raise ConfigurationError(
            "a tool's result is for a call that no earlier turn has; Gemini wants the"
            " name of the tool, which stands there. Give the assistant's turn with"
            " the call too."
        )
    call_id, _, _ = (turn.tool_call_id or "").partition(SIGNATURE_MARK)
    response = {"id": call_id, "name": name, "response": {"output": turn.text}}
    others = [] if isinstance(turn.content, str) else list(turn.content)
    rest = tuple(part for part in others if not isinstance(part, TextPart))
    return [{"functionResponse": response}, *_parts(rest)]


def _parts(content: str | tuple[Part, ...]) -> list[Mapping[str, Any]]:
    parts = (TextPart(content),) if isinstance(content, str) else content
    return [_part(part) for part in parts if part != TextPart("")]


def _part(part: Part) -> Mapping[str, Any]:
    match part:
        case TextPart():
            return {"text": part.text}
        case ImagePart():
            return _image(image_of(part))
        case RawPart():
            return part.value


def _image(image: InlineImage | str) -> dict[str, Any]:
    if isinstance(image, InlineImage):
        return {"inlineData": {"mimeType": image.media_type, "data": image.base64}}
    media_type, _ = MimeTypes().guess_type(image)
    typed = {"mimeType": media_type} if media_type else {}
    return {"fileData": {"fileUri": image, **typed}}


def _config(model: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    config = {_NUMBERS[name]: asked[name] for name in _NUMBERS if name in asked}
    if "stop" in asked:
        config["stopSequences"] = stops_of(asked["stop"])
    if "response_format" in asked:
        config |= _response_format(schema_of(asked["response_format"]))
    effort = effort_of(asked.get("reasoning_effort"))
    if effort is not None:
        config["thinkingConfig"] = _thinking(model, effort)
    return config


def _response_format(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    if schema is None:
        return {}
    by_schema = {"responseJsonSchema": schema} if schema else {}
    return {"responseMimeType": "application/json", **by_schema}


def _thinking(model: str, effort: Effort) -> dict[str, Any]:
    version = _VERSION.match(model)
    knows_levels = version is None or int(version[1]) >= _LEVELS_SINCE
    words: Mapping[Effort, Any] = (
        {level: level for level in _LEVELS} if knows_levels else _BUDGETS
    )
    if effort not in words:
        raise ConfigurationError(
            f"reasoning_effort is {effort!r}, which {model!r} does not know; expected"
            f" one of {', '.join(sorted(words))}. Pass one of those."
        )
    name = "thinkingLevel" if knows_levels else "thinkingBudget"
    return {name: words[effort], "includeThoughts": effort != "none"}


def _tools(asked: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "tools" in asked:
        functions, others = functions_and_others(asked["tools"])
        declared = [_declaration(function) for function in functions]
        ours = [{"functionDeclarations": declared}] if declared else []
        fields["tools"] = [*ours, *others]
    if "tool_choice" in asked:
        choice = _choice(tool_choice_of(asked["tool_choice"]))
        fields["toolConfig"] = {"functionCallingConfig": choice}
    return fields


def _declaration(function: Function) -> dict[str, Any]:
    return {
        "name": function.name,
        "description": function.description,
        "parametersJsonSchema": function.parameters,
    }


def _choice(choice: ToolChoice) -> dict[str, Any]:
    match choice.mode:
        case "auto":
            return {"mode": "AUTO"}
        case "none":
            return {"mode": "NONE"}
        case "required":
            return {"mode": "ANY"}
        case "one":
            return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
