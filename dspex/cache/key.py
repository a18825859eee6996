"""What makes two calls the same call.

The name of a call is a digest of everything that can change its answer. The text that
was digested travels with it and is compared on a hit, so that neither a collision nor
damage on a disk can bring the answer to another question.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from dspex.core.lm import ImagePart, Message, Part, RawPart, Request, TextPart

VERSION: Final = 2
"""Part of every key; raised when the meaning of a request changes."""
ATTACHED_FROM: Final = 64 * 1024
"""Characters from which a text of a request stands in its identity by its digest."""

_NOTHING: Mapping[str, str] = MappingProxyType({})
_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """A request as the cache knows it. It holds the prompt, so it is not shown."""

    key: str
    """64 hexadecimal digits: the SHA-256 of `text`."""
    text: str = field(repr=False)
    """Canonical JSON, in ASCII, of everything that can change the answer."""
    attachments: Mapping[str, str] = field(
        default_factory=lambda: _NOTHING, repr=False, hash=False
    )
    """Long texts of the request by their SHA-256; `text` holds only the digests."""

    @property
    def size(self) -> int:
        """Bytes of the canonical text."""
        return len(self.text)

    @classmethod
    def of(cls, text: str, attachments: Mapping[str, str] = _NOTHING) -> Identity:
        """The identity with this canonical text; its key is computed."""
        return cls(digest(text), text, attachments)


def identify(
    provider: str, place: str, request: Request, *, wire_format: str = "openai_chat"
) -> Identity:
    """Name a call by everything that can change its answer, and nothing else.

    Args:
        provider: Who answers.
        place: The base URL, or what identifies a local model's file: two servers never
            share answers. The API key is no part of it.
        request: The chat and its settings, `rollout_id` included.
        wire_format: The format that is spoken there.

    Example:
        >>> from dspex.core.lm import Message
        >>> ask = Request(model="m", messages=(Message("user", "hi"),))
        >>> again = Request(model="m", messages=(Message("user", "hi"),), settings={})
        >>> here = identify("openai", "http://a", ask)
        >>> here == identify("openai", "http://a", again)
        True
        >>> here == identify("openai", "http://b", ask)
        False
    """
    fields: dict[str, Any] = {
        "version": VERSION,
        "provider": provider,
        "place": place,
        "format": wire_format,
        "model": request.model,
        "messages": [_turn(message) for message in request.messages],
        "settings": dict(request.settings),
    }
    text = canonical(fields)
    if len(text) <= ATTACHED_FROM:
        # No text in it can be longer than the whole.
        return Identity.of(text)
    attachments: dict[str, str] = {}
    places: list[tuple[_Path, str]] = []
    folded = _folded(fields, (), attachments, places)
    # In place of a long text stands an empty one, and where that is so stands here, so
    # that no request can be written that looks like another one folded.
    return Identity.of(canonical({**folded, "attachments": places}), attachments)


def digest(text: str) -> str:
    """The SHA-256 of a text, as 64 hexadecimal digits."""
    # Half characters, which no UTF-8 text can hold, have a digest all the same.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def attached_digests(text: str) -> tuple[str, ...]:
    """The digests of the attachments that a canonical text names; none for no JSON."""
    try:
        places = json.loads(text).get("attachments", [])
        return tuple(dict.fromkeys(str(each[1]) for each in places))
    except (ValueError, RecursionError, AttributeError, TypeError, LookupError):
        return ()


# Made once: `json.dumps` makes one for each text.
_encode = json.JSONEncoder(
    sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=repr
).encode


def canonical(fields: Any) -> str:
    """The one text of a JSON value: names in order, in ASCII, without spaces."""
    try:
        return _encode(fields)
    except (TypeError, ValueError, RecursionError):
        # Keys of several types, or a circle. Whether it can be sent at all is not for
        # this function to say; if so, the order of the keys then counts.
        return ascii(fields)


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": _content(message.content)}
    if message.tool_calls:
        turn["tool_calls"] = [
            [call.id, call.name, call.arguments] for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _content(content: str | tuple[Part, ...]) -> str | list[dict[str, Any]]:
    return content if isinstance(content, str) else [_part(part) for part in content]


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"text": text}
        case ImagePart(url, detail):
            return {"image": url, "detail": detail}
        case RawPart(value):
            return {"raw": dict(value)}


def _folded(
    value: Any,
    path: _Path,
    attachments: dict[str, str],
    places: list[tuple[_Path, str]],
) -> Any:
    """Take the long texts out of a JSON value, and note where they were."""
    if isinstance(value, str) and len(value) > ATTACHED_FROM:
        name = digest(value)
        attachments[name] = value
        places.append((path, name))
        return ""
    if isinstance(value, Mapping):
        return {
            each: _folded(inner, (*path, each), attachments, places)
            for each, inner in _in_order(value)
        }
    if isinstance(value, list | tuple):
        return [
            _folded(inner, (*path, at), attachments, places)
            for at, inner in enumerate(value)
        ]
    return value


def _in_order(value: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """The items in an order that does not depend on how they were put in."""
    return iter(sorted(value.items(), key=lambda item: str(item[0])))
