"""The keys of a value as the schema of its type has them.

pydantic writes a model by its fields' names and reads it by their aliases, which its
schema tells too. Whoever shows a value next to the schema writes the aliases.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AliasChoices, RootModel
from pydantic.fields import FieldInfo

Fields = Mapping[str, tuple[str, Any]]
"""By name, the key a field is read by, and its type."""


def with_schema_keys(value: Any, annotation: Any) -> Any:
    """Return a JSON value with the keys that are read again.

    A key that is no field's name stays. So does that of a field that is read from a
    place deeper inside (`AliasPath`).

    Args:
        value: A JSON value, models in it as dicts by their fields' names.
        annotation: Its type.

    Example:
        >>> from pydantic import BaseModel, Field
        >>> class City(BaseModel):
        ...     people: int = Field(alias="inhabitants")
        >>> with_schema_keys([{"people": 9}], list[City])
        [{'inhabitants': 9}]
    """
    if not isinstance(value, dict | list) or not _has_other_keys(annotation):
        return value
    return _rekeyed(value, annotation)


def _rekeyed(value: Any, annotation: Any) -> Any:
    if isinstance(value, list):
        return _rekeyed_items(value, annotation)
    if not isinstance(value, dict):
        return value
    fields = _fitting(value, annotation)
    if fields is None:
        inner = _argument_of(annotation, at=-1)
        return {key: _rekeyed(one, inner) for key, one in value.items()}
    rekeyed = {}
    for name, one in value.items():
        key, kind = fields.get(name, (name, None))
        # Written by its alias already, it keeps what it has.
        rekeyed[name if key in value else key] = _rekeyed(one, kind)
    return rekeyed


def _rekeyed_items(items: list[Any], annotation: Any) -> list[Any]:
    for kind in _members(annotation):
        inner = typing.get_args(kind)
        if typing.get_origin(kind) is tuple and len(inner) == len(items):
            return list(map(_rekeyed, items, inner))
    inner = _argument_of(annotation, at=0)
    return [_rekeyed(item, inner) for item in items]


def _fitting(value: Mapping[str, Any], annotation: Any) -> Fields | None:
    """Return the fields of the type that knows all keys, or else of the first."""
    known = [fields for kind in _members(annotation) if (fields := _fields_of(kind))]
    for fields in known:
        keys = {key for key, _ in fields.values()}
        if value.keys() <= fields.keys() | keys:
            return fields
    return known[0] if known else None


def _argument_of(annotation: Any, *, at: int) -> Any:
    """Return what a container is of; `None` when nothing is said of that."""
    for kind in _members(annotation):
        if inner := typing.get_args(kind):
            return inner[at]
    return None


def _members(annotation: Any) -> list[Any]:
    """Return the types of a union; of any other type, that one alone."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _members(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [one for part in typing.get_args(annotation) for one in _members(part)]
    if inspect.isclass(annotation) and issubclass(annotation, RootModel):
        return _members(annotation.model_fields["root"].annotation)
    return [annotation]


def _fields_of(kind: Any) -> Fields:
    try:
        return _cached_fields(kind)
    except TypeError:
        return {}  # it has no hash, so it is no class


@lru_cache(maxsize=512)
def _cached_fields(kind: Any) -> Fields:
    # A generic model is a class of its own, which has its fields.
    fields = getattr(kind, "__pydantic_fields__", None)
    if fields is None and (dataclasses.is_dataclass(kind) or _is_typed_dict(kind)):
        fields = _hinted_fields(kind)
    return {
        name: (_key_of(name, field), field.annotation)
        for name, field in (fields or {}).items()
    }


def _is_typed_dict(kind: Any) -> bool:
    # Those of `typing_extensions`, which pydantic asks for, `typing` does not know.
    return hasattr(kind, "__required_keys__")


def _hinted_fields(kind: Any) -> dict[str, FieldInfo]:
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except NameError:
        return {}  # a forward reference to what is not there
    return {name: FieldInfo.from_annotation(hint) for name, hint in hints.items()}


def _key_of(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return next((one for one in choices if isinstance(one, str)), name)


def _has_other_keys(annotation: Any) -> bool:
    try:
        return _cached_has_other_keys(annotation)
    except TypeError:
        return True  # it cannot be remembered, so each value is looked through


@lru_cache(maxsize=512)
def _cached_has_other_keys(annotation: Any) -> bool:
    """Say whether a field anywhere inside a type is read by another key."""
    pending, seen = [annotation], []
    while pending:
        kind = pending.pop()
        if kind in seen:
            continue
        seen.append(kind)
        members = _members(kind)
        pending += [one for one in members if one is not kind]
        fields = _fields_of(kind)
        if any(key != name for name, (key, _) in fields.items()):
            return True
        pending += [inner for _, inner in fields.values()]
        pending += [one for one in typing.get_args(kind) if one is not ...]
    return False
