"""What a field's type means for text: its name, its legal words, its checker."""

from __future__ import annotations

import enum
import inspect
import json
import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from dspex.core.errors import AdapterError
from dspex.core.type_names import type_name
from dspex.core.types.base import Type
from dspex.core.types.code import Code
from dspex.core.types.reasoning import Reasoning
from dspex.core.types.tool_calls import ToolCalls

PLAIN_NOTES: Final[Mapping[Any, str]] = types.MappingProxyType(
    {bool: "True or False", int: "a whole number", float: "a number"}
)
"""What a model must know to write a value of a plain type."""


def type_note(annotation: Any) -> str:
    """Return what a model must know to write a value; empty for plain text.

    Empty also for types whose own description tells their form.
    """
    if not _is_json(annotation):
        return short_note(annotation)
    return f"JSON that fits the schema {_schema(annotation)}"


def short_note(annotation: Any) -> str:
    """Return the same in a few words, for a reminder: the schema was told before."""
    if annotation in PLAIN_NOTES:
        return PLAIN_NOTES[annotation]
    if choices := _choices_shown(annotation):
        return f"one of: {'; '.join(choices)}"
    return f"JSON, {type_name(annotation)}" if _is_json(annotation) else ""


def type_descriptions(annotation: Any) -> list[str]:
    """Return what the custom types in an annotation say of themselves."""
    kinds = dict.fromkeys(Type.extract_custom_type_from_annotation(annotation))
    return [
        f"{type_name(kind)}: {said}" for kind in kinds if (said := kind.description())
    ]


def _is_json(annotation: Any) -> bool:
    if annotation in PLAIN_NOTES or _choices_shown(annotation):
        return False
    members = members_of(annotation) - {type(None)}
    return not (members <= {str, Any, object} or all(map(_tells_its_form, members)))


def is_custom(annotation: Any) -> bool:
    """Say whether a type is one of those that read their values themselves."""
    return inspect.isclass(annotation) and issubclass(annotation, Type)


def is_text_type(annotation: Any) -> bool:
    """Say whether a type's values are texts with a meaning of their own."""
    return inspect.isclass(annotation) and issubclass(annotation, Code | Reasoning)


def _tells_its_form(annotation: Any) -> bool:
    """Say whether a type's description says all of how a value is written."""
    return is_text_type(annotation) or annotation is ToolCalls


class _SchemaWithoutTitles(GenerateJsonSchema):
    """Makes schemas whose fields have no title, which only repeats their name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - theirs
        return False


def _choices_shown(annotation: Any) -> list[str]:
    if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        return [str(member.value) for member in annotation]
    return list(choices_of(annotation))


def _schema(annotation: Any) -> str:
    try:
        schema = checker_of(annotation, ()).json_schema(
            schema_generator=_SchemaWithoutTitles
        )
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
