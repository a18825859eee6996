"""Which worked examples are shown to a model, and in which order."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic.fields import FieldInfo

from dspex.core.example import Example
from dspex.core.signature import Signature

Row = Example | Mapping[str, Any]
"""A demo or a call's inputs: fields by name."""


def usable_demos(signature: type[Signature], demos: Sequence[Row]) -> list[Row]:
    """Return the demos worth showing: incomplete ones first, then complete ones.

    Those that lack every input or every output are left out.
    """
    inputs, outputs = signature.input_fields, signature.output_fields
    if not (demos and outputs):
        return []
    fields = {**inputs, **outputs}
    incomplete, complete = [], []
    for demo in demos:
        if has_all(demo, fields):
            complete.append(demo)
        elif (not inputs or _has_any(demo, inputs)) and _has_any(demo, outputs):
            incomplete.append(demo)
    # The last demos weigh most, so the complete ones stand there.
    return incomplete + complete


def is_complete(signature: type[Signature], demo: Row) -> bool:
    """Say whether a demo gives every field of the signature."""
    return has_all(demo, signature.fields)


def has_all(row: Row, fields: Mapping[str, FieldInfo]) -> bool:
    """Say whether a row has each of some fields."""
    return all(is_given(row, name, field) for name, field in fields.items())


def is_given(row: Row, name: str, field: FieldInfo) -> bool:
    """Say whether a row has a field; `None` counts only where the type allows it."""
    return name in row and (row[name] is not None or allows_none(field.annotation))


def allows_none(annotation: Any) -> bool:
    """Say whether a type is `Optional`."""
    if typing.get_origin(annotation) is Annotated:
        return allows_none(typing.get_args(annotation)[0])
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return union and any(map(_is_none, typing.get_args(annotation)))


def _is_none(annotation: Any) -> bool:
    return annotation is type(None) or allows_none(annotation)


def _has_any(demo: Row, fields: Mapping[str, FieldInfo]) -> bool:
    return any(is_given(demo, name, field) for name, field in fields.items())
