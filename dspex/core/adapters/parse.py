"""Values to text and back, for every adapter.

Total: any text gives a value or a `ValueError`, also nesting without end, numbers
without end, and halves of characters.
"""

from __future__ import annotations

import ast
import enum
import inspect
import json
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

import json_repair
from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticUserError

from dspex.core.errors import AdapterError

MAX_DEPTH: Final = 100
"""Deeper nesting than this is not read as JSON."""

MAX_REPAIR: Final = 50_000
"""Longer texts than this are not repaired, because that is slow."""

SCALARS: Final = (int, float, bool, complex, bytes)
"""Types whose text is the value; no JSON is looked for."""

NONE_WORDS: Final = frozenset({"None", "null"})
"""How a model writes that there is no value."""


def parse_value(text: Any, annotation: Any, metadata: tuple[Any, ...] = ()) -> Any:
    """Return the value a text stands for.

    JSON is tried first, then a Python literal, then JSON with its mistakes repaired,
    then the text itself. A type that takes text (`str`, `str | None`) gets the text
    as it is.

    Args:
        text: What the model wrote; something else than a text is only checked.
        annotation: The type the value must have.
        metadata: Constraints of the field, as pydantic keeps them.

    Raises:
        ValueError: When the text is no such value.
        AdapterError: When pydantic cannot handle the type at all.

    Example:
        >>> parse_value("[1, 2,", list[int]), parse_value("'yes'", Literal["yes", "no"])
        ([1, 2], 'yes')
    """
    checker = _checker(annotation, metadata)
    if not isinstance(text, str):
        return checker.validate_python(str(text) if annotation is str else text)
    first: ValueError | None = None
    for candidate in _candidates(well_formed(text), annotation):
        try:
            return _finite(checker.validate_python(candidate))
        except ValueError as error:
            first = first or error
    raise first or ValueError(f"is no {type_name(annotation)}")


def well_formed(text: str) -> str:
    """Return a text that can be encoded: halves of characters are replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _candidates(text: str, annotation: Any) -> Iterator[Any]:
    """Yield what a text may mean, the likeliest first."""
    members = _members(annotation)
    if type(None) in members and text.strip() in NONE_WORDS:
        yield None
    if choices := _choices(annotation):
        yield _chosen(text, choices)
    elif members - {type(None)} == {str}:
        yield text
    elif annotation in SCALARS:
        yield _unquoted(text.strip())
    else:
        yield from _structures(text, loose=not members & {str, Any, object})
        yield text


def _structures(text: str, *, loose: bool) -> Iterator[Any]:
    if _depth(text) > MAX_DEPTH:
        return
    readers: list[Any] = [json.loads]
    if loose:
        # A model's `{'a': None}` is Python, and read exactly; what is neither JSON
        # nor Python is repaired. A field that also takes text gets neither: there the
        # text itself is the better reading.
        readers += [ast.literal_eval, _repaired]
    for read in readers:
        try:
            yield read(text.strip())
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue


def _repaired(text: str) -> Any:
    if not re.search(r"[\[{(]", text) or len(text) > MAX_REPAIR:
        message = "nothing to repair"
        raise ValueError(message)
    return json_repair.loads(text)


def _depth(text: str) -> int:
    deepest = depth = 0
    for bracket in re.findall(r"[\[\](){}]", text):
        depth += 1 if bracket in "[({" else -1
        deepest = max(deepest, depth)
    return deepest


def _finite(value: Any) -> Any:
    """Refuse NaN and infinities, which no JSON file and no score can hold."""
    pending = [value]
    while pending:
        match pending.pop():
            case float() as number if not math.isfinite(number):
                raise ValueError(f"holds {number}, which is no finite number")
            case Mapping() as mapping:
                pending.extend(mapping.values())
            case list() | tuple() | set() | frozenset() as items:
                pending.extend(items)
    return value


def _members(annotation: Any) -> set[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return {
            typing.get_origin(member) or member
            for member in typing.get_args(annotation)
        }
    return {typing.get_origin(annotation) or annotation}


def _choices(annotation: Any) -> dict[str, Any]:
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


def _chosen(text: str, choices: dict[str, Any]) -> Any:
    word = text.strip()
    wrapped = re.fullmatch(r"(?:Literal|str)\[(.*)\]", word, re.DOTALL)
    for reading in (
        text,
        word,
        _unquoted(word),
        _unquoted(wrapped[1]) if wrapped else "",
    ):
        if reading in choices:
            return choices[reading]
    raise ValueError(f"is none of: {'; '.join(choices)}")


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"`":
        return text[1:-1]
    return text


def _checker(annotation: Any, metadata: tuple[Any, ...]) -> TypeAdapter[Any]:
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


def render_value(value: Any, annotation: Any = None) -> str:
    """Return the text of a value, such that `parse_value` reads it back.

    Args:
        value: Any value; what pydantic does not know is written by `str()`.
        annotation: The field's type. A list given to a `str` field is numbered.

    Raises:
        AdapterError: When the value holds itself, or bytes that are no text.
    """
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
            return well_formed(_as_json(value))


def _numbered(items: list[Any]) -> str:
    texts = [f"«{render_value(item)}»" for item in items]
    if len(texts) < 2:
        return "".join(texts) or "(none)"
    return "\n".join(f"[{number}] {text}" for number, text in enumerate(texts, 1))


def _as_json(value: Any) -> str:
    try:
        plain = plain_value(value)
    except ValueError as error:
        raise AdapterError(
            f"a value of type {type(value).__name__} cannot be written as text: "
            f"{error}; expected what JSON can hold. Convert it before the call."
        ) from error
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def plain_value(value: Any, *, fallback: Any = str) -> Any:
    """Return a value as JSON's own types; models, dates, sets and enums included.

    Args:
        value: Any value.
        fallback: What turns an object pydantic does not know into one it does.

    Raises:
        ValueError: When the value holds itself, or bytes that are no text.
    """
    return _anything().dump_python(
        value, mode="json", fallback=fallback, warnings=False
    )


@lru_cache(maxsize=1)
def _anything() -> TypeAdapter[Any]:
    return TypeAdapter(Any)


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
    if _members(annotation) - {type(None)} <= {str, Any, object}:
        return ""
    return f"JSON that fits the schema {_schema(annotation)}"


def _choices_shown(annotation: Any) -> list[str]:
    if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        return [str(member.value) for member in annotation]
    return list(_choices(annotation))


def _schema(annotation: Any) -> str:
    try:
        schema = _checker(annotation, ()).json_schema()
    except (PydanticUserError, AdapterError):
        return type_name(annotation)
    # The type first: small models read the beginning best.
    ordered = {"type": schema.pop("type", None), **schema}
    return json.dumps(
        {key: value for key, value in ordered.items() if value is not None},
        ensure_ascii=False,
    )
