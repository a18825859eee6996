"""A signature's outputs as a JSON schema, for models that write by one.

There are two kinds. The *strict* one keeps to what every provider takes: objects whose
keys are all listed and all required, and no other constraint. The *bounded* one is for
a server that turns any schema into a grammar, such as the local one: it also holds open
objects and limits how long texts and lists get, because a small model that may go on
does go on. What a schema cannot say is still checked when the reply is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from dspex.core.adapters.annotations import checker_of, is_text_type
from dspex.core.errors import AdapterError
from dspex.core.fields import description_of
from dspex.core.signature import Signature

Schema = Mapping[str, Any]
"""A JSON schema, or a part of one."""

_TYPE_NAMES: Final = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
_STRICT_KEYS: Final = frozenset(
    {"type", "properties", "items", "anyOf", "enum", "const", "description", "$defs"}
)
"""What every provider knows; `required` and `additionalProperties` are written anew."""
_BOUNDED_KEYS: Final = _STRICT_KEYS | {
    *("prefixItems", "minItems", "maxItems", "minLength", "maxLength"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
_FORMATS: Final = frozenset({"date", "time", "date-time", "uuid"})
"""Formats a grammar can be made of, and which end by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long the parts of an answer may get."""

    text: int
    """Characters of a text."""
    items: int
    """Items of a list."""


class OpenTypeError(ValueError):
    """A type has keys or values that a strict schema cannot list."""


@lru_cache(maxsize=256)
def output_schema(
    signature: type[Signature], bounds: Bounds | None = None
) -> Schema | None:
    """Return the schema of an object that holds all outputs.

    Args:
        signature: Whose outputs.
        bounds: Lengths for the bounded kind; `None` for the strict kind.

    Returns:
        The schema, or `None` when there is none of this kind: some output is of an open
        or recursive type, or of one that no schema describes.

    Example:
        >>> from dspex.core.signature import Signature
        >>> schema = output_schema(Signature("country -> capital"))
        >>> schema["properties"], schema["required"], schema["additionalProperties"]
        ({'capital': {'type': 'string'}}, ['capital'], False)
    """
    try:
        whole = _described(signature)
        if bounds is not None:
            return _bounded(whole, bounds)
        _refuse_recursion(whole.get("$defs", {}))
        return _strict(whole)
    except (AdapterError, OpenTypeError, PydanticUserError):
        return None


def _described(signature: type[Signature]) -> dict[str, Any]:
    """Return pydantic's schema of each output, as parts of one."""
    fields = signature.output_fields
    mapped, shared = TypeAdapter.json_schemas(
        [(name, "validation", _checker(field)) for name, field in fields.items()]
    )
    properties = {}
    for name, field in fields.items():
        said = description_of(name, field)
        schema: Schema = mapped[name, "validation"]
        properties[name] = {**schema, "description": said} if said else schema
    definitions = {"$defs": shared["$defs"]} if "$defs" in shared else {}
    return {"type": "object", "properties": properties, **definitions}


def _checker(field: FieldInfo) -> TypeAdapter[Any]:
    """Return what knows a field's schema; code and reasoning are written as text."""
    kind = str if is_text_type(field.annotation) else field.annotation
    return checker_of(kind, tuple(field.metadata))


def _strict(schema: Schema) -> dict[str, Any]:
    """Return a schema in the words that every provider has.

    Raises:
        OpenTypeError: When they do not suffice.
    """
    if "$ref" in schema:
        # A reference stands alone: some refuse a description beside it.
        return {"$ref": schema["$ref"]}
    kept = _kept(schema, _STRICT_KEYS)
    if "enum" in kept and "type" not in kept:
        return _typed_choices(kept)
    if not kept.keys() & {"type", "anyOf", "const"}:
        raise OpenTypeError("any value fits")
    if kept.get("type") == "object":
        if schema.get("additionalProperties") or "properties" not in kept:
            raise OpenTypeError("an object's keys are not known")
        kept |= _closed(kept)
    if kept.get("type") == "array" and "items" not in kept:
        raise OpenTypeError("a list's items are not all of one type")
    return _with_parts(kept, _strict)


def _bounded(schema: Schema, bounds: Bounds) -> dict[str, Any]:
    """Return a schema in which texts and lists end."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    kept = _kept(schema, _BOUNDED_KEYS)
    match kept.get("type"):
        case "object" if "properties" in kept:
            kept |= _closed(kept)
        case "object":
            kept["additionalProperties"] = schema.get("additionalProperties", True)
        case "array":
            kept["maxItems"] = _limit(kept, "Items", bounds.items)
        case "string" if schema.get("format") in _FORMATS:
            kept["format"] = schema["format"]
        case "string" if not kept.keys() & {"enum", "const"}:
            kept["maxLength"] = _limit(kept, "Length", bounds.text)
    return _with_parts(kept, lambda part: _bounded(part, bounds))


def _kept(schema: Schema, keys: frozenset[str]) -> dict[str, Any]:
    # Where one of several fits, any of them may be written.
    known = {**schema, "anyOf": schema["oneOf"]} if "oneOf" in schema else schema
    return {key: value for key, value in known.items() if key in keys}


def _limit(schema: Mapping[str, int], of: str, bound: int) -> int:
    """Return the user's own limit where it is lower, and never less than the least."""
    most, least = schema.get(f"max{of}", bound), schema.get(f"min{of}", 0)
    return max(least, min(most, bound))


def _closed(schema: Schema) -> dict[str, Any]:
    return {"required": list(schema["properties"]), "additionalProperties": False}


def _typed_choices(schema: Schema) -> dict[str, Any]:
    """Return choices of several types as choices of one type each."""
    by_type: dict[str, list[Any]] = {}
    for choice in schema["enum"]:
        if type(choice) not in _TYPE_NAMES:
            raise OpenTypeError("a choice is no plain value")
        by_type.setdefault(_TYPE_NAMES[type(choice)], []).append(choice)
    kept = {key: value for key, value in schema.items() if key != "enum"}
    return {
        **kept,
        "anyOf": [{"type": name, "enum": some} for name, some in by_type.items()],
    }


def _with_parts(
    schema: dict[str, Any], change: Callable[[Schema], dict[str, Any]]
) -> dict[str, Any]:
    """Return a schema in which each schema inside it is changed."""
    changed = dict(schema)
    for key in schema.keys() & {"properties", "$defs"}:
        changed[key] = {name: change(part) for name, part in schema[key].items()}
    for key in schema.keys() & {"anyOf", "prefixItems"}:
        changed[key] = [change(part) for part in schema[key]]
    for key in schema.keys() & {"items", "additionalProperties"}:
        if isinstance(schema[key], Mapping):
            changed[key] = change(schema[key])
    return changed


def _refuse_recursion(definitions: Mapping[str, Schema]) -> None:
    graph = {name: set(_references(part)) for name, part in definitions.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise OpenTypeError("a type holds itself") from error


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        for inside in part.values():
            yield from _references(inside)
    elif isinstance(part, list):
        for inside in part:
            yield from _references(inside)
