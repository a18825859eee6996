"""Finds the JSON object that answers, wherever in a reply it stands.

Total: any text gives an object, or none. The work is bounded, whatever the text holds.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from dspex.core.adapters.parse import MAX_DEPTH, MAX_REPAIR
from dspex.core.adapters.render import well_formed

MAX_STARTS: Final = 32
"""Braces of a reply at which an object is looked for; reading from each of very many
would take a time that grows with their square."""

_DECODER: Final = json.JSONDecoder(strict=False)
# A string that never ends reaches to the end, at once and not from each of its quotes.
_STRING_OR_BRACE: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}]', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:[\"\\/bfnrt']|u[0-9a-fA-F]{4})?")


def found_object(text: str, names: Collection[str]) -> dict[str, Any]:
    """Return the object in a reply that has one of some names as a key.

    The first that has one counts, and what is inside an object is not looked at, so no
    text in a value can pass for the answer. Code fences and prose around it do not
    matter; what is no JSON is read as a Python literal, then with its mistakes
    repaired.

    Args:
        text: What the model wrote.
        names: The keys, any of which makes it the answer.

    Returns:
        The object; an empty one when there is none.

    Example:
        >>> found_object('Sure: {"a": 1}', ["a"]), found_object("{'a': None}", ["a"])
        ({'a': 1}, {'a': None})
    """
    for candidate in _objects(text):
        if not candidate.keys().isdisjoint(names):
            return {str(key): _clean(value) for key, value in candidate.items()}
    return {}


def _objects(text: str) -> Iterator[dict[Any, Any]]:
    """Yield the objects of a text that are not inside another, from left to right."""
    start = text.find("{")
    repairable = MAX_REPAIR
    for _ in range(MAX_STARTS):
        if start < 0:
            return
        end = _end_of(text, start)
        found = _decoded(text, start)
        if found is None:
            span = _with_whole_escapes(text[start:end])
            found = _decoded(span)
            if found is None and len(span) <= repairable:
                found = _mended(span)
                repairable -= len(span)
        if found is not None:
            yield found
        start = text.find("{", end)


def _end_of(text: str, start: int) -> int:
    """Return where the object that starts here ends; the text's end if it does not."""
    depth = 0
    for found in _STRING_OR_BRACE.finditer(text, start):
        match found[0][0]:
            case "{":
                depth += 1
            case "}":
                depth -= 1
        if depth == 0:
            return found.end()
    return len(text)


def _decoded(text: str, start: int = 0) -> dict[Any, Any] | None:
    try:
        value, _ = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _with_whole_escapes(text: str) -> str:
    r"""Double each backslash that begins no escape, as in a formula: `"\alpha"`."""
    return _ESCAPE.sub(lambda found: found[0] if len(found[0]) > 1 else r"\\", text)


def _mended(text: str) -> dict[Any, Any] | None:
    """Read what is nearly JSON: a Python literal, or an object with mistakes."""
    if _is_deep(text):
        return None
    import json_repair  # slow to load, and most replies are whole

    for read in (ast.literal_eval, json_repair.loads):
        try:
            value = read(text)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, dict):
            return value
    return None


def _is_deep(text: str) -> bool:
    depth = 0
    for bracket in re.findall(r"[\[\](){}]", text):
        depth += 1 if bracket in "[({" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _clean(value: Any) -> Any:
    """Replace halves of characters, which JSON can spell and nothing can encode."""
    match value:
        case str():
            return well_formed(value)
        case dict():
            return {_clean(key): _clean(inside) for key, inside in value.items()}
        case list():
            return [_clean(inside) for inside in value]
        case _:
            return value
