"""Chat turns as people write them: dicts in OpenAI's words, and `Message` values.

Pure, and the one place that knows the shape of such a dict. Whatever a `Message` could
not hold is an error and never dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, get_args

from dspex.core.errors import ConfigurationError
from dspex.core.lm import ImagePart, Message, Part, RawPart, Role, TextPart, ToolCall

_ROLES: Mapping[str, Role] = {
    **{role: role for role in get_args(Role)},
    # OpenAI's newer word for the same turn.
    "developer": "system",
}
_KEYS = ("role", "content", "tool_calls", "tool_call_id")
_KEYS_OF_A_RESULT = (*_KEYS, "name")


def messages_of(turns: Iterable[Mapping[str, Any] | Message]) -> tuple[Message, ...]:
    """Read a chat, oldest turn first.

    A turn is a `Message`, or a dict with `role` ("system", "user", "assistant",
    "tool"; "developer" means "system") and `content` (a text, or a list of parts). An
    assistant's turn may have `tool_calls`; the turn with a tool's result has the role
    "tool" and a `tool_call_id`; its `name`, which the call has already, is not kept.
    Another key is allowed when its value is `None`.

    Raises:
        ConfigurationError: When there is no turn or one is not like that; the text
            names the turn by its place and does not show what it says.

    Example:
        >>> messages_of([{"role": "user", "content": "Capital of Peru?"}])[0].text
        'Capital of Peru?'
    """
    if isinstance(turns, str | bytes | Mapping):
        raise ConfigurationError(
            f"messages is of type {type(turns).__name__}; expected a list of turns such"
            " as {'role': 'user', 'content': '...'}. Put it into a list."
        )
    found = tuple(
        turn if isinstance(turn, Message) else _message(turn, f"messages[{at}]")
        for at, turn in enumerate(turns)
    )
    if not found:
        raise ConfigurationError(
            "messages is empty; expected at least one turn. Add one such as"
            " {'role': 'user', 'content': '...'}."
        )
    return found


def turn_of(message: Message) -> dict[str, Any]:
    """Write a turn as a dict in OpenAI's words; `messages_of` reads it again.

    Example:
        >>> turn_of(Message("user", "Capital of Peru?"))
        {'role': 'user', 'content': 'Capital of Peru?'}
    """
    return message.as_turn()


def _message(turn: object, where: str) -> Message:
    if not isinstance(turn, Mapping):
        raise _refusal(
            where, f"is of type {type(turn).__name__}", "a dict or a Message"
        )
    role = turn.get("role")
    known = _KEYS_OF_A_RESULT if role == "tool" else _KEYS
    unknown = [key for key in turn if key not in known and turn[key] is not None]
    if unknown:
        raise _refusal(where, f"has the key {unknown[0]!r}", f"only {', '.join(known)}")
    if not isinstance(role, str) or role not in _ROLES:
        raise _refusal(where, f"has the role {role!r}", f"one of {', '.join(_ROLES)}")
    message = Message(
        role=_ROLES[role],
        content=_content(turn, where),
        tool_calls=_tool_calls(turn.get("tool_calls") or [], where),
        tool_call_id=turn.get("tool_call_id"),
    )
    _check_tools(message, where)
    return message


def _check_tools(message: Message, where: str) -> None:
    if message.tool_calls and message.role != "assistant":
        raise _refusal(
            where, f"has tool_calls and the role {message.role!r}", "'assistant'"
        )
    if message.role == "tool" and not isinstance(message.tool_call_id, str):
        raise _refusal(
            where, "is a tool's result without a tool_call_id", "the call's id"
        )
    if message.role != "tool" and message.tool_call_id is not None:
        raise _refusal(
            where, f"has a tool_call_id and the role {message.role!r}", "'tool'"
        )


def _content(turn: Mapping[str, Any], where: str) -> str | tuple[Part, ...]:
    content = turn.get("content")
    if isinstance(content, str):
        return content
    if content is None and turn.get("tool_calls"):
        return ""
    if isinstance(content, Sequence) and not isinstance(content, bytes) and content:
        return tuple(
            _part(part, f"{where}.content[{at}]") for at, part in enumerate(content)
        )
    problem = f"has a content of type {type(content).__name__}"
    if content == []:
        problem = "has a content without any part"
    raise _refusal(where, problem, "a text, or a list of parts")


def _part(part: object, where: str) -> Part:
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
        raise _refusal(where, "is no part", "a dict with a 'type', such as 'text'")
    if part["type"] == "text" and part.keys() == {"type", "text"}:
        if not isinstance(part["text"], str):
            raise _refusal(
                where, f"has a text of type {type(part['text']).__name__}", "a str"
            )
        return TextPart(part["text"])
    if part["type"] == "image_url" and part.keys() == {"type", "image_url"}:
        return _image(part["image_url"], where)
    # Our own copy: the caller's dict may change before the request is sent.
    return RawPart(deepcopy(dict(part)))


def _image(image: object, where: str) -> Part:
    if isinstance(image, str):
        return ImagePart(image)
    if not isinstance(image, Mapping) or not isinstance(image.get("url"), str):
        raise _refusal(
            where, "is an image without an address", "image_url with a 'url'"
        )
    if image.keys() - {"url", "detail"}:
        return RawPart({"type": "image_url", "image_url": deepcopy(dict(image))})
    return ImagePart(image["url"], image.get("detail"))


def _tool_calls(calls: object, where: str) -> tuple[ToolCall, ...]:
    if not isinstance(calls, Sequence) or isinstance(calls, str | bytes):
        raise _refusal(
            where, f"has tool_calls of type {type(calls).__name__}", "a list"
        )
    return tuple(
        call
        if isinstance(call, ToolCall)
        else _tool_call(call, f"{where}.tool_calls[{at}]")
        for at, call in enumerate(calls)
    )


def _tool_call(call: object, where: str) -> ToolCall:
    expected = "{'id': ..., 'type': 'function', 'function': {'name', 'arguments'}}"
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping):
        raise _refusal(where, "has no function", expected)
    facts = {"id": call.get("id")}
    facts |= {name: function.get(name) for name in ("name", "arguments")}
    texts = {name: fact for name, fact in facts.items() if isinstance(fact, str)}
    if texts != facts:
        raise _refusal(where, "has an id, name or arguments that are no text", expected)
    return ToolCall(**texts)


def _refusal(where: str, problem: str, expected: str) -> ConfigurationError:
    return ConfigurationError(f"{where} {problem}; expected {expected}. Correct it.")
