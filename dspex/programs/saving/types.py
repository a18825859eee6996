"""Types of fields as JSON, and back, for saved programs.

A closed list of plain types has names of its own; every other class is named as
`module:name` under the key `class`, and whoever loads the file decides whether that is
looked up.
"""

from __future__ import annotations

import collections.abc
import datetime as dt
import decimal
import enum
import inspect
import math
import pathlib
import types
import typing
import uuid
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from dspex.core.errors import DataError
from dspex.core.fields import CONSTRAINTS
from dspex.core.types.code import Code
from dspex.programs.saving.trust import name_of

Find: TypeAlias = Callable[[str], Any]
"""Returns the class of a name, or raises."""

TEXTUAL: Final[dict[str, type]] = {
    "date": dt.date,
    "datetime": dt.datetime,
    "time": dt.time,
    "timedelta": dt.timedelta,
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
    "Path": pathlib.Path,
}
"""Types of the standard library whose values are written as a text."""

PLAIN: Final[dict[str, Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "complex": complex,
    "None": type(None),
    "Any": Any,
    "object": object,
    "...": ...,
    **TEXTUAL,
}
"""Types that take no arguments."""

GENERIC: Final[dict[str, Any]] = {
    "list": list,
    "dict": dict,
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
    "Sequence": collections.abc.Sequence,
    "Mapping": collections.abc.Mapping,
    "Iterable": collections.abc.Iterable,
}
"""Types that take arguments, and may stand without them."""

CHECKS: Final = (*CONSTRAINTS, "pattern", "strict", "max_digits", "decimal_places")
"""Constraints of a field that are saved; pydantic keeps each under its own name."""

_NAMES: Final = {found: name for name, found in {**PLAIN, **GENERIC}.items()}


def type_node(annotation: Any, where: str) -> Any:
    """Return a type as JSON.

    Args:
        annotation: A type as it stands behind a field's colon.
        where: What it is the type of, for the error.

    Raises:
        DataError: When it has no name by which it could be found again.

    Example:
        >>> type_node(list[int | None], "field 'a'")
        {'list': [{'union': ['int', 'None']}]}
    """
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        inside = type_node(arguments[0], where)
        return {"annotated": inside, "checks": checks_node(arguments[1:], where)}
    if origin is Literal:
        return {"literal": [_choice_node(choice, where) for choice in arguments]}
    if origin in (typing.Union, types.UnionType):
        return {"union": [type_node(each, where) for each in arguments]}
    if origin in _NAMES:
        return {_NAMES[origin]: [type_node(each, where) for each in arguments]}
    if _is_hashable(annotation) and annotation in _NAMES:
        return _NAMES[annotation]
    return _class_node(annotation, where)


def _class_node(annotation: Any, where: str) -> dict[str, Any]:
    if inspect.isclass(annotation) and issubclass(annotation, Code):
        return {"code": annotation.language}
    made_of = getattr(annotation, "__pydantic_generic_metadata__", None) or {}
    if made_of.get("origin"):
        inside = [type_node(each, where) for each in made_of["args"]]
        return {"class": name_of(made_of["origin"]), "of": inside}
    if not inspect.isclass(annotation):
        raise DataError(
            f"{where} has the type {annotation!r}, which cannot be saved; plain "
            "types, their unions and lists, and classes can. Save the state alone, "
            "with save('program.json')."
        )
    return {"class": name_of(annotation)}


def _choice_node(choice: Any, where: str) -> Any:
    if isinstance(choice, enum.Enum):
        return {"class": name_of(type(choice)), "member": choice.name}
    if isinstance(choice, str | int | bool | None):
        return choice
    raise DataError(
        f"{where} has the choice {choice!r}, which cannot be saved; texts, numbers and "
        "members of enums can. Save the state alone, with save('program.json')."
    )


def type_of_node(node: Any, find: Find) -> Any:
    """Return the type that `type_node` wrote.

    Args:
        node: What it wrote.
        find: Returns the class of a name.

    Raises:
        DataError: When this is no type.
    """
    match node:
        case str() if node in PLAIN:
            return PLAIN[node]
        case str() if node in GENERIC:
            return GENERIC[node]
        case {"class": str(name), "of": list(arguments)}:
            return find(name)[tuple(type_of_node(each, find) for each in arguments)]
        case {"class": str(name)}:
            return find(name)
        case {"code": str(language)}:
            return Code.__class_getitem__(language)
        case {"annotated": inside, "checks": list(checks)}:
            return Annotated[(type_of_node(inside, find), *checks_of_node(checks))]
        case {"union": [_, _, *_] as members}:
            return typing.Union[tuple(type_of_node(each, find) for each in members)]  # noqa: UP007 - made of a list
        case {"literal": [_, *_] as choices}:
            return Literal[tuple(_choice(each, find) for each in choices)]
        case dict() if len(node) == 1 and next(iter(node)) in GENERIC:
            ((name, arguments),) = node.items()
            return GENERIC[name][tuple(type_of_node(each, find) for each in arguments)]
        case _:
            raise DataError(
                f"{node!r:.120} is no type in a saved program; expected what save() "
                "wrote. Save the program again."
            )


def _choice(node: Any, find: Find) -> Any:
    match node:
        case {"class": str(name), "member": str(member)}:
            return find(name)[member]
        case _:
            return node


def checks_node(metadata: Iterable[Any], where: str) -> list[list[Any]]:
    """Return constraints, as pydantic keeps them, as pairs of name and bound.

    Raises:
        DataError: When one of them is code.
    """
    checks: list[list[Any]] = []
    for each in metadata:
        bounds = [(name, getattr(each, name, None)) for name in CHECKS]
        found = [[name, bound] for name, bound in bounds if bound is not None]
        if not found or not all(_is_plain(bound) for _, bound in found):
            raise DataError(
                f"{where} is checked by {each!r}, which cannot be saved; bounds such "
                f"as {', '.join(CHECKS)} can. Save the state alone, with "
                "save('program.json')."
            )
        checks += found
    return checks


def checks_of_node(checks: Iterable[tuple[str, Any]]) -> list[Any]:
    """Return the constraints of a file as pydantic keeps them.

    Raises:
        DataError: When one of them is none.
    """
    made: list[Any] = []
    for name, bound in checks:
        if name not in CHECKS:
            raise DataError(
                f"{name!r:.120} is no constraint of a field; the known ones are "
                f"{', '.join(CHECKS)}. Save the program again."
            )
        options: dict[str, Any] = {name: bound}
        made += Field(**options).metadata
    return made


def _is_plain(bound: Any) -> bool:
    is_number = isinstance(bound, int | float) and math.isfinite(bound)
    return is_number or isinstance(bound, str)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
