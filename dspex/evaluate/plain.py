"""Values as JSON's own, and what JSON cannot hold as its fields and type name."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from dspex.core.example import Example

TYPE: Final = "$type"
"""The key beside the fields, items or text of a value that JSON cannot hold."""

DEEPEST: Final = 60
"""How deep a value is looked into; what lies deeper is named by its type alone."""

LONGEST_NUMBER: Final = 4_000
"""Bits of a whole number that are written in decimal; Python refuses many more."""


def plain(value: Any) -> Any:
    """Return a value as JSON's own types, and say so where it is of another type.

    A text, a finite number, a truth value, `None`, and lists and dicts of these stay
    what they are. Everything else becomes an object that names its type and has its
    `fields` (models, dataclasses, examples), its `items` (tuples, sets), or its `text`.

    Example:
        >>> plain([1, "two", (3, float("nan"))])
        [1, 'two', {'$type': 'tuple', 'items': [3, {'$type': 'float', 'text': 'nan'}]}]
    """
    return _plain(value, ())


def text_of(value: Any) -> str:
    """Return a value for one cell: a text as it is, all else as one line of JSON.

    Example:
        >>> text_of("Lima"), text_of({"n": 1}), text_of(None)
        ('Lima', '{"n": 1}', '')
    """
    if type(value) is str:
        return value
    return "" if value is None else json.dumps(plain(value), ensure_ascii=False)


def fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of an example or a prediction, not yet plain.

    What has no fields stands under `prediction`; `None` has none.
    """
    match value:
        case None:
            return {}
        case Example():
            return dict(value.items())
        case Mapping():
            return {str(name): one for name, one in value.items()}
        case _:
            return {"prediction": value}


def _plain(value: Any, above: tuple[int, ...]) -> Any:
    # By exact type: an enum's member may be a str, a numpy number a float.
    match value:
        case None:
            return None
        case bool() | str() if type(value) in (bool, str):
            return value
        case int() if type(value) is int and value.bit_length() <= LONGEST_NUMBER:
            return value
        case float() if type(value) is float and math.isfinite(value):
            return value
    if len(above) > DEEPEST or id(value) in above:
        return _named(value, text="too deep, or holds itself")
    return _whole(value, (*above, id(value)))


def _whole(value: Any, above: tuple[int, ...]) -> Any:
    match value:
        case list() if type(value) is list:
            return [_plain(one, above) for one in value]
        case dict() if type(value) is dict and all(type(key) is str for key in value):
            return {key: _plain(one, above) for key, one in value.items()}
        case Example():
            return _named(value, fields=_fields(value.items(), above))
        case _ if hasattr(type(value), "model_fields"):  # a model of pydantic's
            return _named(value, fields=_fields(vars(value).items(), above))
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
            pairs = [(name, getattr(value, name, None)) for name in names]
            return _named(value, fields=_fields(pairs, above))
        case Mapping():
            entries = [[_plain(k, above), _plain(v, above)] for k, v in value.items()]
            return _named(value, items=entries)
        case list() | tuple() | AbstractSet():
            return _named(value, items=[_plain(one, above) for one in value])
        case int() if type(value) is int:
            return _named(value, text=hex(value))
        case _:
            return _named(value, text=_shown(value))


def _fields(pairs: Iterable[tuple[str, Any]], above: tuple[int, ...]) -> dict[str, Any]:
    return {str(name): _plain(one, above) for name, one in pairs}


def _named(value: Any, **content: Any) -> dict[str, Any]:
    return {TYPE: type(value).__name__, **content}


def _shown(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a user's __str__ may do anything
        return f"(cannot be shown: {type(error).__name__})"
