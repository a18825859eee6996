"""An answer as it is kept, and its way to JSON and back. Nothing is ever unpickled.

What is read may have been written by anybody: every field is checked, and what does not
fit is damage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any, NoReturn, TypeVar

from dspex.cache.key import Identity
from dspex.core.lm import Reply, ToolCall, Usage

T = TypeVar("T")


class DamagedError(ValueError):
    """What was read is no answer that was written here."""


class Absence(Enum):
    """Why an answer that was there once is not in the file."""

    CUT_OFF = "cut off"
    """It ended at its limit of tokens, so it was not kept."""
    REFUSED = "refused"
    """The model or the provider's filter refused, so it was not kept."""
    UNCACHEABLE = "not to be kept"
    """Whoever asked said so, or it holds what JSON cannot."""
    EXPIRED = "expired"
    """Its time to live was over."""
    EVICTED = "evicted"
    """It made room for others: it was the one used least recently."""
    DAMAGED = "damaged"
    """It was damaged on the disk and set aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An answer with what it answers."""

    identity: Identity
    """What was asked."""
    reply: Reply
    """The answer, as it was paid for."""
    created: float
    """When it came, in seconds since 1970."""


def absence_of(reply: Reply) -> Absence | None:
    """Say why a reply is not worth keeping; `None` when it is.

    Example:
        >>> absence_of(Reply(texts=("Lim",), finish_reasons=("length",)))
        <Absence.CUT_OFF: 'cut off'>
        >>> absence_of(Reply(texts=("Lima",), finish_reasons=("stop",)))
    """
    if reply.is_whole:
        return None
    return Absence.CUT_OFF if "length" in reply.finish_reasons else Absence.REFUSED


def dump_reply(reply: Reply) -> str:
    """Write a reply as one line of JSON in ASCII; what has its default is left out.

    Raises:
        ValueError: It holds what JSON cannot, such as an infinite log-probability.
    """
    values = {
        name: getattr(reply, name)
        for name, default in _PLAIN.items()
        if getattr(reply, name) != default
    }
    if reply.usage != _NO_USAGE:
        usage = reply.usage
        values["usage"] = {name: getattr(usage, name) for name in _USAGE}
    if reply.tool_calls:
        values["tool_calls"] = [
            [asdict(call) for call in calls] for calls in reply.tool_calls
        ]
    try:
        return _encode(values)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def load_reply(text: str) -> Reply:
    """Read what `dump_reply` wrote.

    Raises:
        DamagedError: It is anything else.
    """
    values = _object(_parsed(text))
    unknown = values.keys() - _READERS.keys()
    if unknown:
        raise DamagedError(f"a reply has no field {min(unknown)!r}")
    return Reply(**{name: _READERS[name](value) for name, value in values.items()})


def checksum(identity_text: str, reply_text: str, created: float) -> str:
    """What tells damage to a row: 32 hexadecimal digits over all that it says."""
    told = f"{identity_text}\n{reply_text}\n{created!r}"
    return hashlib.blake2b(told.encode(errors="replace"), digest_size=16).hexdigest()


def _parsed(text: str) -> Any:
    try:
        return _decode(text)
    except DamagedError:
        raise
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"no JSON: {type(error).__name__}") from error


def _no_constant(name: str) -> NoReturn:
    raise DamagedError(f"{name} is no JSON")


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise DamagedError("a name stands twice in one object")
    return values


# Made once: `json.dumps` and `json.loads` make one for each text.
_encode = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, separators=(",", ":")
).encode
_decode = json.JSONDecoder(
    parse_constant=_no_constant, object_pairs_hook=_no_doubles
).decode

# What a field may be, one reader each.


def _object(value: Any) -> dict[str, Any]:
    return _a(dict, value)


def _a(kind: type[T], value: Any) -> T:
    if type(value) is not kind:
        raise DamagedError(f"a {type(value).__name__} where a {kind.__name__} belongs")
    return value


def _text(value: Any) -> str:
    return _a(str, value)


def _flag(value: Any) -> bool:
    return _a(bool, value)


def _count(value: Any) -> int:
    return _a(int, value)


def _number(value: Any) -> float:
    return float(value) if type(value) is int else _a(float, value)


def _anything(value: Any) -> Any:
    return value


def _maybe(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else read(value)


def _several(read: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    return lambda value: tuple(read(each) for each in _a(list, value))


def _usage(value: Any) -> Usage:
    counts = _object(value)
    if counts.keys() != _USAGE:
        raise DamagedError("a usage has other fields")
    return Usage(**{name: _count(count) for name, count in counts.items()})


def _tool_call(value: Any) -> ToolCall:
    call = _object(value)
    if call.keys() != {"id", "name", "arguments"}:
        raise DamagedError("a tool call has other fields")
    return ToolCall(**{name: _text(each) for name, each in call.items()})


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "texts": _several(_text),
    "usage": _usage,
    "model": _text,
    "finish_reasons": _several(_text),
    "request_id": _maybe(_text),
    "cached": _flag,
    "attempts": _count,
    "latency": _number,
    "tool_calls": _several(_several(_tool_call)),
    "reasoning": _several(_text),
    "logprobs": _several(_anything),
    "refused": _flag,
    "vectors": _several(_several(_number)),
    "cost": _maybe(_number),
}
"""How each field of a `Reply` is read."""

_NO_USAGE = Usage()
_USAGE = {each.name: None for each in fields(Usage)}.keys()
"""The fields of a `Usage`, in order."""
_EMPTY = Reply()
_PLAIN: Mapping[str, Any] = {
    each.name: getattr(_EMPTY, each.name)
    for each in fields(Reply)
    if each.name not in {"usage", "tool_calls"}
}
"""The default of each field that JSON can hold as it is."""
