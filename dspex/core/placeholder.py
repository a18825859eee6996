"""Values that stand in for a model's answer, by their type, when nobody is asked."""

from __future__ import annotations

import enum
import inspect
import types
import typing
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dspex.core.signature import Signature

TEXT: Final = "placeholder"
"""What stands in for a text, and for a value of a type that is not known here."""

_DEEPEST: Final = 4
"""Levels of models within models; below them, lists are empty and options `None`."""

_PLAIN: Final[dict[Any, Any]] = {
    str: TEXT,
    bool: False,
    # Not zero, because programs divide by what they count.
    int: 1,
    float: 1.0,
    bytes: b"",
    type(None): None,
}


def placeholder_outputs(signature: type[Signature]) -> dict[str, Any]:
    """Return a value of the right type for each output.

    Defaults are used where there are some. Constraints such as `ge=` are not looked at.

    Example:
        >>> placeholder_outputs(Signature("text -> words: list[str], good: bool"))
        {'words': ['placeholder'], 'good': False}
    """
    return {
        name: _of_field(field, 0) for name, field in signature.output_fields.items()
    }


def _of_field(field: FieldInfo, depth: int) -> Any:
    if not field.is_required():
        return field.get_default(call_default_factory=True, validated_data={})
    return _of_type(field.annotation, depth)


def _of_type(annotation: Any, depth: int) -> Any:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return arguments[0]
    if origin is Annotated:
        return _of_type(arguments[0], depth)
    if origin in (typing.Union, types.UnionType):
        return _of_union(arguments, depth)
    kind = origin or annotation
    if inspect.isclass(kind):
        return _of_class(kind, arguments, depth)
    return TEXT


def _of_union(members: tuple[Any, ...], depth: int) -> Any:
    if type(None) in members and depth >= _DEEPEST:
        return None
    return _of_type(next(one for one in members if one is not type(None)), depth)


def _of_class(kind: type, arguments: tuple[Any, ...], depth: int) -> Any:
    if kind in _PLAIN:
        return _PLAIN[kind]
    if issubclass(kind, enum.Enum):
        return next(iter(kind))
    if issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        values = {name: _of_field(field, depth + 1) for name, field in fields}
        # Not validated: a constraint that a stand-in does not meet is no error.
        return kind.model_construct(**values)
    if issubclass(kind, list | tuple | set | frozenset | dict):
        return _of_container(kind, arguments, depth + 1)
    return TEXT


def _of_container(kind: type, arguments: tuple[Any, ...], depth: int) -> Any:
    if not arguments or depth > _DEEPEST:
        return kind()
    inside = [_of_type(one, depth) for one in arguments if one is not ...]
    return kind([tuple(inside)] if issubclass(kind, dict) else inside)
