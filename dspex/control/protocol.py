"""What is said through the socket: a line of JSON, and a line of JSON back. Pure.

A request is `{"dspex": 1, "verb": "tree", "arguments": {}}`; its answer has either
`"answer"` or `"error"`. The number is that of the protocol; a later one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dspex.control.errors import NoAnswerError, RefusedError

VERSION: Final = 1
"""Of the protocol."""
LONGEST_REQUEST: Final = 64 * 1024
"""Bytes of a request, its line feed included."""
LONGEST_ANSWER: Final = 16 * 1024 * 1024
"""Bytes of an answer, its line feed included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody wants to know, or to be done."""

    verb: str
    """What."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The rest; JSON values."""


def request_line(request: Request) -> bytes:
    r"""Return a request as it is sent.

    Example:
        >>> request_line(Request(verb="ps"))
        b'{"dspex": 1, "verb": "ps", "arguments": {}}\n'
    """
    value = {"verb": request.verb, "arguments": dict(request.arguments)}
    return _line({"dspex": VERSION, **value})


def read_request(line: bytes) -> Request:
    """Return what was asked.

    Raises:
        RefusedError: It is no request of this protocol.
    """
    value = _object(line)
    if value is None:
        raise _bad("it is no line with a JSON object")
    if value.get("dspex") != VERSION:
        raise _bad(f"its version is {value.get('dspex')!r}, and {VERSION} is spoken")
    verb, arguments = value.get("verb"), value.get("arguments", {})
    if not isinstance(verb, str) or not isinstance(arguments, dict):
        raise _bad("'verb' must be a text and 'arguments' an object")
    return Request(verb=verb, arguments=arguments)


def answer_line(value: Any) -> bytes:
    """Return an answer as it is sent; one that is too long is an error instead."""
    line = _line({"dspex": VERSION, "answer": value})
    if len(line) <= LONGEST_ANSWER:
        return line
    text = f"the answer has {len(line):,} bytes; {LONGEST_ANSWER:,} may be sent."
    return error_line(RefusedError("too_large", text))


def error_line(error: RefusedError) -> bytes:
    """Return an error as it is sent."""
    told = {"code": error.code, "text": error.message, "facts": dict(error.facts)}
    return _line({"dspex": VERSION, "error": told})


def read_answer(line: bytes) -> Any:
    """Return what was answered.

    Raises:
        RefusedError: The process said no.
        NoAnswerError: It is no answer of this protocol.
    """
    value = _object(line)
    if value is None or value.get("dspex") != VERSION:
        raise NoAnswerError(
            "what listens there does not speak this protocol; a process of the same "
            "version of dspex was expected. Use the dspex that the process uses."
        )
    error = value.get("error")
    if isinstance(error, dict):
        facts = error.get("facts")
        named = {f"{name}": each for name, each in facts.items()} if facts else {}
        named = {name: each for name, each in named.items() if name not in _TAKEN}
        raise RefusedError(f"{error.get('code')}", f"{error.get('text')}", **named)
    return value.get("answer")


_TAKEN: Final = frozenset({"code", "message", "self"})


def _bad(why: str) -> RefusedError:
    return RefusedError("bad_request", f"the request makes no sense: {why}.")


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False).encode("ascii") + b"\n"


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
