"""Demos in saved programs: as JSON values in the file, as typed values in memory.

A file holds what the adapters would write of a value. Whoever loads it gets back what
the signature says a field holds: a model, a date, a picture.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from dspex.core.adapters.annotations import checker_of
from dspex.core.adapters.render import plain_value
from dspex.core.adapters.schema_keys import with_schema_keys
from dspex.core.errors import AdapterError, DataError
from dspex.core.example import Example
from dspex.core.signature import Signature


def dump_demo(demo: Example | Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a demo as JSON values.

    Raises:
        DataError: When a field holds what JSON cannot; it is named.
    """
    fields = (
        demo.items(include_dspy=True) if isinstance(demo, Example) else demo.items()
    )
    return {
        name: json_value(value, f"{where}, field {name!r}") for name, value in fields
    }


def serialize_object(value: Any) -> Any:
    """Return a value as a saved program holds it: JSON's own types.

    Raises:
        DataError: When JSON cannot hold it.

    Example:
        >>> from datetime import date
        >>> serialize_object([date(2026, 5, 4)])
        ['2026-05-04']
    """
    return json_value(value, "the value")


def json_value(value: Any, where: str) -> Any:
    """Return a value as JSON's own types.

    Args:
        value: Any value; models, dates, enums, sets and dspex's types are known.
        where: What the value is, for the error.

    Raises:
        DataError: When JSON cannot hold it.
    """
    try:
        plain = plain_value(value, fallback=_of_example)
        json.dumps(plain, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"{where} cannot be saved: {error}; a saved program holds what JSON can. "
            "Replace the value, or leave it out."
        ) from error
    return plain


def _of_example(value: Any) -> Any:
    if isinstance(value, Example):
        return dict(value.items(include_dspy=True))
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")


def restored_demo(
    signature: type[Signature], demo: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a saved demo with each value of the type its field says.

    A value that is none of its field's type stays as it is: a demo may be older than
    the signature, and a file of a person's own making may hold anything.
    """
    fields = signature.fields
    return {
        name: typed_value(fields[name], value) if name in fields else value
        for name, value in demo.items()
    }


def typed_value(field: FieldInfo, value: Any) -> Any:
    """Return a JSON value as its field's type, or as it is when it is none.

    A loaded program must show its demos as the saved one did. So a value that the type
    would rewrite is none of it: pydantic reads "0" as a day in 1970.
    """
    if field.annotation is str or value is None:
        return value
    try:
        # Strictly, so that "yes" is no bool and "5" no number.
        keyed = with_schema_keys(value, field.annotation)
        written = json.dumps(keyed)
        typed = checker_of(field.annotation, ()).validate_json(written, strict=True)
        # Counted, for a set may change the order, and a model adds its defaults.
        shown = with_schema_keys(plain_value(typed), field.annotation)
        is_rewritten = bool(Counter(_scalars(keyed)) - Counter(_scalars(shown)))
    except (AdapterError, ValueError, TypeError, RecursionError):
        return value
    return value if is_rewritten else typed


def _scalars(value: Any) -> Iterator[str]:
    """Yield what a JSON value holds, keys included, as text: 1 is not 1.0."""
    match value:
        case dict():
            yield from map(json.dumps, value)
            for inner in value.values():
                yield from _scalars(inner)
        case list():
            for inner in value:
                yield from _scalars(inner)
        case _:
            yield json.dumps(value)
