"""What a field's type means for text: its name, its legal words, its checker."""

from __future__ import annotations

import enum
import inspect
import json
import types
import typing
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticUserError

from dspex.core.errors import AdapterError


def type_name(annotation: Any) -> str:
    """Return a type as a person writes it.

    Example:
        >>> type_name(dict[str, list[int]]), type_name(int | None)
        ('dict[str, list[int]]', 'int | None')
    """
    if annotation is type(None) or annotation is None:
        return "None"
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(type_name, arguments))
    if arguments:
        inside = ", ".join("..." if a is ... else type_name(a) for a in arguments)
        return f"{type_name(origin)}[{inside}]"
    return str(getattr(annotation, "__name__", annotation))


def type_note(annotation: Any) -> str:
    """Return what a model must know to write a value; empty for plain text."""
    plain = {bool: "True or False", int: "a whole number", float: "a number"}
    if annotation in plain:
        return plain[annotation]
    if choices := _choices_shown(annotation):
        return f"one of: {'; '.join(choices)}"
    if members_of(annotation) - {type(None)} <= {str, Any, object}:
        return ""
    return f"JSON that fits the schema {_schema(annotation)}"


def _choices_shown(annotation: Any) -> list[str]:
    if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        return [str(member.value) for member in annotation]
    return list(choices_of(annotation))


def _schema(annotation: Any) -> str:
    try:
        schema = checker_of(annotation, ()).json_schema()
    except (PydanticUserError, AdapterError):
        return type_name(annotation)
    # The type first: small models read the beginning best.
    ordered = {"type": schema.pop("type", None), **schema}
    return json.dumps(
        {key: value for key, value in ordered.items() if value is not None},
        ensure_ascii=False,
    )


def members_of(annotation: Any) -> set[Any]:
    """Return the plain types of a union; of any other type, that one alone."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return {
            typing.get_origin(member) or member
            for member in typing.get_args(annotation)
        }
    return {typing.get_origin(annotation) or annotation}


def choices_of(annotation: Any) -> dict[str, Any]:
    """Return the legal words of a Literal or an Enum, and what each stands for."""
    if typing.get_origin(annotation) is Literal:
        return {str(value): value for value in typing.get_args(annotation)}
    if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        names = {
            key: member
            for member in annotation
            for key in (member.name, f"{annotation.__name__}.{member.name}")
        }
        # A member's value wins over another member's name.
        return {**names, **{str(member.value): member for member in annotation}}
    return {}


def checker_of(annotation: Any, metadata: tuple[Any, ...]) -> TypeAdapter[Any]:
    """Return what checks values of a type and its constraints.

    Raises:
        AdapterError: When pydantic cannot handle the type at all.
    """
    try:
        return _cached_checker(annotation, metadata)
    except TypeError:
        # A type or a constraint that cannot be hashed.
        return _made_checker(annotation, metadata)


@lru_cache(maxsize=512)
def _cached_checker(annotation: Any, metadata: tuple[Any, ...]) -> TypeAdapter[Any]:
    return _made_checker(annotation, metadata)


def _made_checker(annotation: Any, metadata: tuple[Any, ...]) -> TypeAdapter[Any]:
    constrained: Any = Annotated[(annotation, *metadata)] if metadata else annotation
    try:
        return TypeAdapter(constrained)
    except PydanticUserError:
        pass
    try:
        return TypeAdapter(constrained, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError as error:
        raise AdapterError(
            f"a value of type {type_name(annotation)} cannot be read from text: "
            f"{error.message}; types that pydantic knows can. Change the field's type."
        ) from error
