"""What a request says in OpenAI's words, taken apart for providers with other words.

Settings and tools reach every format in OpenAI's words. Where a provider has no word
for one of them, that is an error before anything is sent: a setting that is dropped in
silence would change what an experiment means.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dspex.client.providers.json_body import JsonError, read_object
from dspex.client.providers.request_body import NEVER_SENT
from dspex.core.errors import ConfigurationError
from dspex.core.lm import ImagePart, ToolCall

_ASKS_FOR_NOTHING: Mapping[str, tuple[object, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "parallel_tool_calls": (True,),
    "response_format": ({"type": "text"},),
}

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""How much a model shall think."""

_EFFORTS: Mapping[str, Effort] = {
    "none": "none",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A tool the model may call."""

    name: str
    """Its name."""
    description: str
    """What it is for; may be empty."""
    parameters: Mapping[str, Any]
    """A JSON schema of its arguments."""
    strict: bool
    """Whether the arguments have to fit the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    """Whether the model has to call a tool."""

    mode: Literal["auto", "none", "required", "one"]
    """As it likes; none; any of them; the one that `name` says."""
    name: str = ""
    """Which, for the mode "one"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineImage:
    """A picture that travels inside the request."""

    media_type: str
    """Such as `image/png`."""
    base64: str = ""
    """The picture's bytes as text."""


def settings_asked(
    settings: Mapping[str, Any], *, known: Collection[str], format_name: str
) -> dict[str, Any]:
    """Return the settings that ask for something, when the format has them all.

    Left out are settings that are `None`, those never sent, and those the format does
    not know whose value asks for what happens anyway, such as `n=1`.

    Args:
        settings: As the request has them.
        known: What the format has.
        format_name: What to call the format in an error.

    Raises:
        ConfigurationError: When the format has no such setting.
    """
    asked = {
        name: value
        for name, value in settings.items()
        if value is not None
        and name not in NEVER_SENT
        and (name in known or value not in _ASKS_FOR_NOTHING.get(name, ()))
    }
    unknown = sorted(asked.keys() - set(known))
    if unknown:
        raise ConfigurationError(
            f"{format_name} has no setting {unknown[0]!r}; it has:"
            f" {', '.join(sorted(known))}. Leave it out, or pass a field of the"
            " provider's own with extra_body={...}."
        )
    return asked


def functions_and_others(
    tools: object,
) -> tuple[list[Function], list[Mapping[str, Any]]]:
    """Part the tools that are functions from the provider's own, such as web search.

    Raises:
        ConfigurationError: When a tool is no object, or a function has no name.
    """
    functions: list[Function] = []
    others: list[Mapping[str, Any]] = []
    for tool in tools if isinstance(tools, Sequence) else (tools,):
        if not isinstance(tool, Mapping):
            raise ConfigurationError(
                f"a tool is of type {type(tool).__name__}; expected a dict such as"
                " {'type': 'function', 'function': {'name': ..., 'parameters': ...}}."
                " Pass tools= as a list of those."
            )
        if tool.get("type") == "function":
            functions.append(_function(tool.get("function")))
        else:
            others.append(tool)
    return functions, others


def tool_choice_of(value: object) -> ToolChoice:
    """Read `tool_choice`.

    Raises:
        ConfigurationError: When it is none of the four forms.
    """
    match value:
        case "auto" | "none" | "required" as mode:
            return ToolChoice(mode=mode)
        case {"type": "function", "function": {"name": str(name)}}:
            return ToolChoice(mode="one", name=name)
        case _:
            raise ConfigurationError(
                "tool_choice is not understood; expected 'auto', 'none', 'required' or"
                " {'type': 'function', 'function': {'name': ...}}. Pass one of those."
            )


def schema_of(response_format: object) -> Mapping[str, Any] | None:
    """Read `response_format`.

    Returns:
        A JSON schema; an empty one for any JSON; `None` for plain text.

    Raises:
        ConfigurationError: When it is none of the three forms.
    """
    match response_format:
        case {"type": "json_schema", "json_schema": {"schema": Mapping() as schema}}:
            return schema
        case {"type": "json_object"}:
            return {}
        case {"type": "text"}:
            return None
        case _:
            raise ConfigurationError(
                "response_format is not understood; expected {'type': 'json_schema',"
                " 'json_schema': {'name': ..., 'schema': {...}}}, {'type':"
                " 'json_object'} or {'type': 'text'}. Pass one of those."
            )


def effort_of(value: object) -> Effort | None:
    """Read `reasoning_effort`; `None` when it is not set.

    Raises:
        ConfigurationError: When it is not one of OpenAI's words.
    """
    if value is None:
        return None
    effort = _EFFORTS.get(value) if isinstance(value, str) else None
    if effort is None:
        raise ConfigurationError(
            f"reasoning_effort is {value!r}; expected one of {', '.join(_EFFORTS)}."
            " Pass one of those."
        )
    return effort


def stops_of(value: object) -> list[str]:
    """Read `stop`, a text or several.

    Raises:
        ConfigurationError: When it is neither.
    """
    stops = [value] if isinstance(value, str) else value
    if isinstance(stops, list | tuple) and all(isinstance(stop, str) for stop in stops):
        return list(stops)
    raise ConfigurationError(
        f"stop is of type {type(value).__name__}; expected a text or a list of texts."
        " Pass one of those."
    )


def image_of(part: ImagePart) -> InlineImage | str:
    """Find out whether a picture is in the request or at an address.

    Returns:
        The picture, or its `https` address.

    Raises:
        ConfigurationError: When it is neither, or says how closely to look, which only
            OpenAI's format can.
    """
    if part.detail not in {None, "auto"}:
        raise ConfigurationError(
            f"an image has detail={part.detail!r}, for which this provider has no word;"
            " expected None. Leave it out, or scale the image yourself."
        )
    if part.url.startswith("https://"):
        return part.url
    head, comma, base64 = part.url.partition(",")
    scheme, _, media = head.partition(":")
    media_type, *parameters = media.split(";")
    if scheme != "data" or not comma or "base64" not in parameters or not media_type:
        raise ConfigurationError(
            "an image's URL is of no kind this provider takes; expected"
            " 'https://...' or 'data:image/png;base64,...'. Pass one of those."
        )
    return InlineImage(media_type=media_type, base64=base64)


def arguments_of(call: ToolCall) -> Mapping[str, Any]:
    """Read the arguments of an earlier call, for a provider that takes an object.

    Raises:
        ConfigurationError: When they are no JSON object.
    """
    try:
        return read_object((call.arguments or "{}").encode())
    except (JsonError, UnicodeEncodeError):
        raise ConfigurationError(
            f"the arguments of the earlier call of {call.name!r} are no JSON object,"
            " and this provider takes nothing else. Correct that turn, or leave it out."
        ) from None


def with_extra(body: dict[str, Any], extra: object) -> dict[str, Any]:
    """Add fields of the provider's own; an object in both is put together.

    Raises:
        ConfigurationError: When they are no object.
    """
    if extra is None:
        return body
    if not isinstance(extra, Mapping):
        raise ConfigurationError(
            f"extra_body is of type {type(extra).__name__}; expected a dict of fields"
            " of the provider's own. Pass a dict."
        )
    joined = {
        name: {**body[name], **value}
        for name, value in extra.items()
        if isinstance(value, Mapping) and isinstance(body.get(name), Mapping)
    }
    return {**body, **extra, **joined}


def _function(function: object) -> Function:
    if isinstance(function, Mapping) and isinstance(function.get("name"), str):
        return Function(
            name=function["name"],
            description=function.get("description") or "",
            parameters=function.get("parameters") or {"type": "object"},
            strict=function.get("strict") is True,
        )
    raise ConfigurationError(
        "a tool of the type 'function' has no name; expected {'type': 'function',"
        " 'function': {'name': ..., 'parameters': {...}}}. Add it."
    )
