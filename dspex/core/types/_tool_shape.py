"""What a function is as a tool: its name, its arguments, their types and schemas."""

from __future__ import annotations

import builtins
import functools
import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

from dspex.core._caller_types import type_in_sight
from dspex.core.docstrings import are_dropped, written_docstring

JSON_TYPES: Final[Mapping[str, Any]] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}
"""What stands for JSON schema's types here."""

_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolShape:
    """What a function says about itself."""

    name: str
    """The name of the function, or of an object's class."""
    description: str
    """Its docstring, without the indentation; empty when it has none."""
    schemas: dict[str, dict[str, Any]]
    """For each argument its JSON schema, without references."""
    types: dict[str, Any]
    """For each argument its type; `Any` where none is written."""
    required: tuple[str, ...]
    """Arguments without a default."""
    takes_more: bool
    """Whether it has `**kwargs`."""


def shape_of(function: Any) -> ToolShape:
    """Read a function, a method, a `partial` or an object that can be called.

    Raises:
        TypeError: When it cannot be called, or its arguments cannot be read.
    """
    if not callable(function):
        message = f"{function!r} is no function; a tool is made of one. Pass it first."
        raise TypeError(message)
    written = _written(function)
    parameters = inspect.signature(function).parameters
    hints = _hints(written)
    named = {name: one for name, one in parameters.items() if one.kind not in _VARIADIC}
    types = {name: hints.get(name, Any) for name in named}
    text = getattr(_core(function), "__doc__", None) or written.__doc__
    if text is None and are_dropped() and hasattr(_core(function), "__qualname__"):
        text = written_docstring(_core(function))
    return ToolShape(
        name=getattr(_core(function), "__name__", type(function).__name__),
        description=inspect.cleandoc(text or ""),
        schemas={name: _schema(types[name], one) for name, one in named.items()},
        types=types,
        required=tuple(
            name
            for name, one in named.items()
            if one.default is inspect.Parameter.empty
        ),
        takes_more=any(one.kind is one.VAR_KEYWORD for one in parameters.values()),
    )


def _core(function: Any) -> Any:
    """Return the function inside of `partial` objects."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _written(function: Any) -> Any:
    """Return the function whose text has the annotations."""
    core = _core(function)
    if inspect.isclass(core):
        return core.__init__
    return core if inspect.isroutine(core) else core.__call__


def _hints(written: Any) -> dict[str, Any]:
    try:
        sight = _Sight(getattr(written, "__globals__", {}))
        return typing.get_type_hints(written, localns=sight, include_extras=True)
    except NameError:
        # A name that exists for type checkers only. The arguments are still known.
        return {}


class _Sight(dict[str, Any]):
    """Finds classes of the function that a tool is defined in.

    Under `from __future__ import annotations` nothing else remembers them.
    """

    def __init__(self, known: Mapping[str, Any]) -> None:
        super().__init__()
        self._known = known

    def __missing__(self, name: str) -> Any:
        found = None
        if name not in self._known and not hasattr(builtins, name):
            found = type_in_sight(name)
        if found is None:
            raise KeyError(name)
        return found


def _schema(annotation: Any, parameter: inspect.Parameter) -> dict[str, Any]:
    schema = _schema_of(annotation)
    if parameter.default is not inspect.Parameter.empty:
        schema["default"] = _as_json(parameter.default)
    return schema


def _schema_of(annotation: Any) -> dict[str, Any]:
    try:
        return inlined(checker_of(annotation).json_schema())
    except PydanticInvalidForJsonSchema:
        # Such as a function: no model can give one, but there may be a default.
        return {}


def _as_json(value: Any) -> Any:
    if isinstance(value, Decimal):
        # Pydantic would write a text, which is no number for the model.
        return float(value)
    return TypeAdapter(Any).dump_python(value, mode="json", fallback=repr)


def checker_of(annotation: Any) -> TypeAdapter[Any]:
    """Return what checks and converts values of an argument's type.

    Raises:
        TypeError: When pydantic cannot handle the type at all.
    """
    try:
        return TypeAdapter(annotation)
    except PydanticUserError as error:
        # The second attempt fails for other reasons, which help nobody.
        reason = error
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:
        message = f"{annotation!r} cannot be the type of a tool's argument: {reason}"
        raise TypeError(message) from reason


def inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON schema with its references replaced by what they name.

    A type that contains itself keeps `{"type": "object"}` where it comes again.
    """
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    plain = _without_references(schema, definitions, ())
    return {
        key: value
        for key, value in plain.items()
        if key not in {"$defs", "definitions"}
    }


def _without_references(
    node: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]
) -> Any:
    if isinstance(node, list):
        return [_without_references(one, definitions, inside) for one in node]
    if not isinstance(node, Mapping):
        return node
    if isinstance(reference := node.get("$ref"), str):
        name = reference.rpartition("/")[2]
        if name in inside or name not in definitions:
            return {"type": "object"}
        beside = {key: value for key, value in node.items() if key != "$ref"}
        target = _without_references(definitions[name], definitions, (*inside, name))
        return {**target, **_without_references(beside, definitions, inside)}
    return {
        key: _without_references(value, definitions, inside)
        for key, value in node.items()
        if key != "$defs"
    }


def type_of_schema(schema: Mapping[str, Any]) -> Any:
    """Return the Python type of a JSON schema, as far as one line tells it."""
    if choices := schema.get("enum"):
        return Literal[tuple(choices)] if _hashable(choices) else Any
    named = schema.get("type")
    return JSON_TYPES.get(named, Any) if isinstance(named, str) else Any


def _hashable(values: Any) -> bool:
    return all(isinstance(one, str | int | bool | None) for one in values)


def convert_input_schema_to_tool_args(
    schema: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """Return what `Tool` takes for the JSON schema of an object.

    Args:
        schema: Such as an MCP server or LangChain gives for a tool's input.

    Returns:
        `args` (a schema for each argument), `arg_types`, and `arg_desc`.
    """
    whole = inlined(schema)
    required = whole.get("required", ())
    args: dict[str, Any] = whole.get("properties") or {}
    types = {
        name: JSON_TYPES.get(one.get("type"), Any)
        if isinstance(one.get("type"), str)
        else Any
        for name, one in args.items()
    }
    descriptions = {
        name: one.get("description", "No description provided.")
        + (" (Required)" if name in required else "")
        for name, one in args.items()
    }
    return args, types, descriptions
