"""Values as text, such that `parse_value` reads them back."""

from __future__ import annotations

import enum
import json
from functools import lru_cache
from typing import Any, Final

from pydantic import ConfigDict, TypeAdapter

from dspex.core.adapters.parts import current_sink
from dspex.core.adapters.schema_keys import with_schema_keys
from dspex.core.errors import AdapterError
from dspex.core.types.base import ByFields, PartSink

_encoded: Final = json.JSONEncoder(ensure_ascii=False).encode


def render_value(value: Any, annotation: Any = None) -> str:
    """Return the text of a value, such that `parse_value` reads it back.

    While a call is written, values that are no text leave a placeholder; see `parts`.

    Args:
        value: Any value; what pydantic does not know is written by `str()`.
        annotation: The field's type. A list given to a `str` field is numbered.

    Raises:
        AdapterError: When the value holds itself, or bytes that are no text.
    """
    if type(value) is str:
        # Most values; an enum's member may be a str, too.
        return well_formed(value)
    match value:
        case enum.Enum():
            return render_value(value.value)
        case str():
            return well_formed(value)
        case None | bool() | int() | float():
            return str(value)
        case list() if annotation is str:
            return _numbered(value)
        case _:
            return well_formed(_as_json(value, annotation))


def well_formed(text: str) -> str:
    """Return a text that can be encoded: halves of characters are replaced."""
    if text.isascii():
        return text
    try:
        # The quickest encoding that refuses halves of characters.
        text.encode("utf-16-le")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _numbered(items: list[Any]) -> str:
    texts = [_quoted(render_value(item)) for item in items]
    if len(texts) < 2:
        return "".join(texts) or "(none)"
    return "\n".join(f"[{number}] {text}" for number, text in enumerate(texts, 1))


def _quoted(text: str) -> str:
    """Quote an item, so that it cannot look like the end of it or another item."""
    lines = text.splitlines()
    if len(lines) < 2 and "«" not in text and "»" not in text:
        return f"«{text}»"
    inside = "\n    ".join(lines)
    return f"«««\n    {inside}\n»»»"


def _as_json(value: Any, annotation: Any) -> str:
    try:
        plain = whole_value(value, annotation)
    except ValueError as error:
        raise AdapterError(
            f"a value of type {type(value).__name__} cannot be written as text: "
            f"{error}; expected what JSON can hold. Convert it before the call."
        ) from error
    return plain if isinstance(plain, str) else _encoded(plain)


def whole_value(value: Any, annotation: Any = None, *, by_fields: bool = False) -> Any:
    """Return a value as JSON's own types, halves of characters replaced.

    Args:
        value: Any value.
        annotation: Its field's type, whose schema says which keys are read again.
        by_fields: Whether pictures and their like are written by their fields.

    Raises:
        ValueError: When the value holds itself, or bytes that are no text.
    """
    context = ByFields() if by_fields else current_sink()
    try:
        plain = _plain(value, str, context)
    except UnicodeEncodeError:
        # Half a character somewhere inside; pydantic names neither place nor text.
        python = _anything().dump_python(
            value, fallback=str, warnings=False, context=context
        )
        plain = _plain(_whole(python), str, context)
    return with_schema_keys(plain, annotation)


def _whole(value: Any) -> Any:
    """Return a value of plain containers without halves of characters."""
    match value:
        case str():
            return well_formed(value)
        case dict():
            return {_whole(key): _whole(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_whole(inner) for inner in value]
    return value


def plain_value(value: Any, *, fallback: Any = str) -> Any:
    """Return a value as JSON's own types; models, dates, sets and enums included.

    Args:
        value: Any value.
        fallback: What turns an object pydantic does not know into one it does.

    Raises:
        ValueError: When the value holds itself, or bytes that are no text.
    """
    return _plain(value, fallback, current_sink())


def _plain(value: Any, fallback: Any, context: PartSink | ByFields | None) -> Any:
    return _anything().dump_python(
        value, mode="json", fallback=fallback, warnings=False, context=context
    )


@lru_cache(maxsize=1)
def _anything() -> TypeAdapter[Any]:
    # Pydantic would write NaN as null, and a changed value is worse than a refusal.
    return TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="constants"))
