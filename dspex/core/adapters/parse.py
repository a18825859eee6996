"""Texts as values, for every adapter.

Total: any text gives a value or a `ValueError`, also nesting without end, numbers
without end, and halves of characters.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dspex.core.adapters.annotations import (
    checker_of,
    choices_of,
    is_custom,
    is_text_type,
    members_of,
)
from dspex.core.adapters.render import well_formed
from dspex.core.type_names import type_name

MAX_DEPTH: Final = 100
"""Deeper nesting than this is not read as JSON."""

MAX_REPAIR: Final = 50_000
"""Longer texts than this are not repaired, because that is slow."""

SCALARS: Final = (int, float, bool, complex, bytes)
"""Types whose text is the value; no JSON is looked for."""

NONE_WORDS: Final = frozenset({"None", "null"})
"""How a model writes that there is no value."""

# A string that never ends reaches to the end, at once and not from each of its quotes.
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?P<end>")?', re.DOTALL)


def parse_value(text: Any, annotation: Any, metadata: tuple[Any, ...] = ()) -> Any:
    """Return the value a text stands for.

    JSON is tried first, then a Python literal, then JSON with its mistakes repaired,
    then the text itself. A type that takes text (`str`, `str | None`) gets the text
    as it is.

    Args:
        text: What the model wrote; something else than a text is only checked.
        annotation: The type the value must have.
        metadata: Constraints of the field, as pydantic keeps them.

    Raises:
        ValueError: When the text is no such value.
        AdapterError: When pydantic cannot handle the type at all.

    Example:
        >>> parse_value("[1, 2,", list[int]), parse_value("None", int | None)
        ([1, 2], None)
    """
    if annotation is str and isinstance(text, str) and not metadata:
        return well_formed(text)
    checker = checker_of(annotation, metadata)
    if not isinstance(text, str):
        value = str(text) if annotation is str else text
        return _finite(checker.validate_python(value))
    first: ValueError | None = None
    for candidate in _candidates(well_formed(text), annotation):
        try:
            return _finite(checker.validate_python(candidate))
        except ValueError as error:
            first = first or error
    raise first or ValueError(f"is no {type_name(annotation)}")


def _candidates(text: str, annotation: Any) -> Iterator[Any]:
    """Yield what a text may mean, the likeliest first."""
    members = members_of(annotation)
    if type(None) in members and text.strip() in NONE_WORDS:
        yield None
    if choices := choices_of(annotation):
        yield _chosen(text, choices)
    elif members - {type(None)} == {str}:
        yield text
    elif annotation in SCALARS:
        yield _unquoted(text.strip())
    elif any(map(is_custom, members)):
        # A custom type reads text itself, so text is no JSON string or number there.
        found = _structures(text, loose=not any(map(is_text_type, members)))
        yield from (value for value in found if isinstance(value, dict | list))
        yield text
    else:
        yield from _structures(text, loose=not members & {str, Any, object})
        yield text


def _structures(text: str, *, loose: bool) -> Iterator[Any]:
    if _depth(text) > MAX_DEPTH:
        return
    readers: list[Any] = [json.loads]
    if loose:
        # A model's `{'a': None}` is Python, and read exactly; what is neither JSON
        # nor Python is repaired. A field that also takes text gets neither: there the
        # text itself is the better reading.
        readers += [ast.literal_eval, _repaired]
    for read in readers:
        try:
            yield read(text.strip())
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue


def _repaired(text: str) -> Any:
    if not re.search(r"[\[{(]", text) or len(text) > MAX_REPAIR:
        message = "nothing to repair"
        raise ValueError(message)
    import json_repair  # slow to import, and seldom needed

    return json_repair.loads(text)


def _depth(text: str) -> int:
    deepest = depth = 0
    # What stands in quotes nests nothing, however many brackets it has.
    bare = _QUOTED.sub(lambda found: "" if found["end"] else found[0], text)
    for bracket in re.findall(r"[\[\](){}]", bare):
        depth += 1 if bracket in "[({" else -1
        deepest = max(deepest, depth)
    return deepest


def _finite(value: Any) -> Any:
    """Refuse NaN and infinities, which no JSON file and no score can hold."""
    pending = [value]
    while pending:
        match pending.pop():
            case float() as number if not math.isfinite(number):
                raise ValueError(f"holds {number}, which is no finite number")
            case Mapping() as mapping:
                pending.extend(mapping.values())
            case list() | tuple() | set() | frozenset() as items:
                pending.extend(items)
    return value


def _chosen(text: str, choices: dict[str, Any]) -> Any:
    word = text.strip()
    wrapped = re.fullmatch(r"(?:Literal|str)\[(.*)\]", word, re.DOTALL)
    for reading in (
        text,
        word,
        _unquoted(word),
        _unquoted(wrapped[1]) if wrapped else "",
    ):
        if reading in choices:
            return choices[reading]
    raise ValueError(f"is none of: {'; '.join(choices)}")


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"`":
        return text[1:-1]
    return text
