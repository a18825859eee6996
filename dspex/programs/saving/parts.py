"""The parts of a program as JSON nodes: what a whole saved program is written of.

Texts, numbers, `true`, `false`, `null` and lists stand for themselves. Everything else
is an object whose keys say what it is, mappings included, so that nothing a program
holds can pass for a node. Only the keys `class` and `function` name code.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
import inspect
import math
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dspex.core.adapters.render import plain_value
from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.core.fields import extra_of
from dspex.core.signature import SignatureMeta
from dspex.core.types.tool import Tool
from dspex.programs.known_signatures import remember
from dspex.programs.saving.trust import is_own, name_of
from dspex.programs.saving.types import TEXTUAL, checks_node, type_node
from dspex.programs.settings import is_language_model
from dspex.programs.walk import Walkable


class PartsWriter:
    """Turns a program into nodes. One writer writes one program.

    Args:
        state_of: What is written of a language model; its `dump_state()` by default.

    Attributes:
        code: The classes of objects and the functions that the nodes name, by name;
            dspex's own are left out.
    """

    def __init__(self, state_of: Callable[[Any], Any] | None = None) -> None:
        self.code: dict[str, Any] = {}
        self._state_of = _dumped if state_of is None else state_of
        self._numbers: dict[int, int] = {}
        # Whatever has a number is kept alive, so that no id() is used twice.
        self._kept: list[Any] = []
        self._open: set[int] = set()

    def node(self, value: Any, where: str) -> Any:
        """Return the node of a value.

        Args:
            value: The program, or something inside of it.
            where: How it is reached, for errors: `program.find.demos[0]`.

        Raises:
            DataError: When a file cannot hold it; it says where it stands.
        """
        if isinstance(value, str | bool | int | None) and not isinstance(
            value, enum.Enum
        ):
            return value
        if id(value) in self._numbers:
            return {"same": self._numbers[id(value)]}
        if id(value) in self._open:
            raise DataError(
                f"{where} holds itself, which a file cannot; expected values without "
                "a loop. Break it, or keep the value out of the program's attributes."
            )
        self._open.add(id(value))
        try:
            return self._container(value, where)
        finally:
            self._open.discard(id(value))

    def _container(self, value: Any, where: str) -> Any:
        match value:
            case list():
                return self._nodes(value, where)
            case tuple() if type(value) is tuple:
                return {"tuple": self._nodes(value, where)}
            case frozenset():
                return {"frozenset": self._nodes(value, where)}
            case set():
                return {"set": self._nodes(value, where)}
            case dict():
                return {"dict": self._pairs(value, where)}
            case Example():
                return self._example(value, where)
            case _:
                return self._scalar(value, where)

    def _nodes(self, values: Any, where: str) -> list[Any]:
        return [self.node(each, f"{where}[{at}]") for at, each in enumerate(values)]

    def _pairs(self, values: Mapping[Any, Any], where: str) -> list[Any]:
        return [
            [self.node(key, where), self.node(each, f"{where}[{key!r}]")]
            for key, each in values.items()
        ]

    def _example(self, value: Example, where: str) -> dict[str, Any]:
        fields = dict(value.items(include_dspy=True))
        inputs = value._input_keys  # noqa: SLF001 - it has no other way to ask
        return {
            "class": name_of(type(value)),
            "example": self._pairs(fields, where),
            "inputs": None if inputs is None else sorted(inputs),
        }

    def _scalar(self, value: Any, where: str) -> Any:
        match value:
            case float():
                return value if math.isfinite(value) else {"float": repr(value)}
            case bytes():
                return {"bytes": base64.b64encode(value).decode("ascii")}
            case enum.Enum():
                return {"class": name_of(type(value)), "member": value.name}
        for name, kind in TEXTUAL.items():
            # A path is of a class of its own on each system.
            if type(value) is kind or (name == "Path" and isinstance(value, kind)):
                text = plain_value(value)
                return {"text": text, "of": name}
        return self._code_or_object(value, where)

    def _code_or_object(self, value: Any, where: str) -> Any:
        if isinstance(value, SignatureMeta):
            return self._signature(value, where)
        if inspect.isclass(value) or typing.get_origin(value) is not None:
            return {"type": type_node(value, where)}
        if inspect.isfunction(value):
            return self._function(value, where)
        if isinstance(value, functools.partial):
            return {
                "partial": self.node(value.func, where),
                "args": self._nodes(value.args, where),
                "keywords": self._pairs(value.keywords, where),
            }
        if is_language_model(value):
            return self._numbered(
                value, {"lm": self.node(self._state_of(value), where)}
            )
        if isinstance(value, Tool):
            return self._tool(value, where)
        if isinstance(value, Walkable):
            return self._object(value, where)
        if isinstance(value, BaseModel):
            return self._model(value, where)
        if dataclasses.is_dataclass(value):
            return self._dataclass(value, where)
        return self._object(value, where)

    def _function(self, value: Any, where: str) -> dict[str, Any]:
        if "<lambda>" in value.__qualname__:
            raise DataError(
                f"{where} is a lambda, which has no name to be found by; a function "
                "of a module was expected. Write it as a def."
            )
        return {"function": self._named(value)}

    def _named(self, code: Any) -> str:
        name = name_of(code)
        if not is_own(name):
            self.code[name] = code
        return name

    def _numbered(self, value: Any, node: dict[str, Any]) -> dict[str, Any]:
        self._kept.append(value)
        self._numbers[id(value)] = len(self._kept)
        return {**node, "id": len(self._kept)}

    def _tool(self, value: Tool, where: str) -> dict[str, Any]:
        given = ("func", "name", "desc", "args", "arg_desc", "retry")
        settings = {name: getattr(value, name) for name in given}
        return {"tool": self._pairs(settings, where)}

    def _model(self, value: BaseModel, where: str) -> dict[str, Any]:
        fields = {**dict(value), **(value.model_extra or {})}
        return {
            "model": type_node(type(value), where),
            "fields": self._pairs(fields, where),
        }

    def _dataclass(self, value: Any, where: str) -> dict[str, Any]:
        fields = {
            each.name: getattr(value, each.name)
            for each in dataclasses.fields(value)
            if each.init
        }
        return {"class": name_of(type(value)), "values": self._pairs(fields, where)}

    def _object(self, value: Any, where: str) -> dict[str, Any]:
        kind = type(value)
        if not _is_its_attributes(value):
            raise DataError(
                f"{where} is a {kind.__module__}.{kind.__qualname__}, which a file "
                "cannot hold; values, functions of modules, programs and plain objects "
                "can be saved. Make it where it is used, or save the state alone, "
                "with save('program.json')."
            )
        number = self._numbered(value, {})
        # A program says itself what a copy takes over: no history and no callbacks.
        is_program = isinstance(value, Walkable)
        held: dict[str, Any] = value.__getstate__() if is_program else vars(value)
        attributes = [
            [name, self.node(each, f"{where}.{name}")] for name, each in held.items()
        ]
        return {"class": self._named(kind), "attributes": attributes, **number}

    def _signature(self, value: Any, where: str) -> dict[str, Any]:
        node = {
            "signature": value.__name__,
            "instructions": value.instructions,
            "fields": [
                self._field(name, field, f"{where}, field {name!r}")
                for name, field in value.fields.items()
            ],
        }
        remember(node, value)
        return node

    def _field(self, name: str, field: FieldInfo, where: str) -> dict[str, Any]:
        if field.default_factory is not None:
            raise DataError(
                f"{where} makes its default with a function, which cannot be saved; a "
                "plain default can. Save the state alone, with save('program.json')."
            )
        default = (
            {} if field.is_required() else {"default": self.node(field.default, where)}
        )
        return {
            "name": name,
            "type": type_node(field.annotation, where),
            "checks": checks_node(field.metadata, where),
            "extra": self.node(dict(extra_of(field)), where),
            **default,
        }


def _dumped(lm: Any) -> Any:
    return lm.dump_state()


def _is_its_attributes(value: Any) -> bool:
    """Say whether an object is nothing but what `vars()` of it shows."""
    if isinstance(value, Walkable):
        return True
    if inspect.ismodule(value) or not hasattr(value, "__dict__"):
        return False
    # A class that says how it is copied or pickled holds more than its attributes do.
    own = {"__reduce__", "__reduce_ex__", "__getstate__"}
    bases = [vars(base) for base in type(value).__mro__ if base is not object]
    return not any(own.intersection(base) or base.get("__slots__") for base in bases)
