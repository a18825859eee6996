"""Nodes of a saved program as its parts again; the reverse of `parts`.

Whatever a node names is looked up through the reader's `Trust`, and nowhere else.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, Field, TypeAdapter

from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.core.signature import make_signature
from dspex.core.types.tool import Tool
from dspex.programs.known_signatures import known_or
from dspex.programs.saving.state import restored_lm
from dspex.programs.saving.types import TEXTUAL, checks_of_node, type_of_node

Kind = TypeVar("Kind", bound=type)


def names_in(node: Any) -> set[str]:
    """Return every class and function that a node names, at any depth."""
    names: set[str] = set()
    pending = [node]
    while pending:
        match pending.pop():
            case dict() as found:
                named = (found.get("class"), found.get("function"))
                names.update(name for name in named if isinstance(name, str))
                pending.extend(found.values())
            case list() as found:
                pending.extend(found)
    return names


class Names(Protocol):
    """Who knows what names in nodes stand for; `Trust` does."""

    def find(self, name: str) -> Any:
        """Return the class or function of a name.

        Raises:
            DataError: When there is none.
        """


class PartsReader:
    """Makes a program of nodes. One reader reads one file.

    Args:
        trust: What the file may name.
        allow_unsafe_lm_state: Whether addresses of models are taken as well.
        model_of: Makes a language model of what was written of it; by default of its
            saved state.
    """

    def __init__(
        self,
        trust: Names,
        *,
        allow_unsafe_lm_state: bool = False,
        model_of: Callable[[Any], Any] | None = None,
    ) -> None:
        self._trust = trust
        self._takes_addresses = allow_unsafe_lm_state
        self._model_of = self._restored_model if model_of is None else model_of
        self._numbered: dict[int, Any] = {}

    def part(self, node: Any) -> Any:
        """Return what a node stands for.

        Raises:
            DataError: When it is no node, or names what is not there.
        """
        match node:
            case str() | bool() | int() | float() | None:
                return node
            case list():
                return [self.part(each) for each in node]
            case {"same": int(number)} if number in self._numbered:
                return self._numbered[number]
            case {"class": str(name)}:
                return self._of_class(self._trust.find(name), node)
            case dict():
                return self._other(node)
            case _:
                raise _no_node(node)

    def _other(self, node: dict[str, Any]) -> Any:
        match node:
            case {"tuple": list(nodes)}:
                return tuple(self.part(nodes))
            case {"set": list(nodes)}:
                return set(self.part(nodes))
            case {"frozenset": list(nodes)}:
                return frozenset(self.part(nodes))
            case {"dict": list(pairs)}:
                return self._mapping(pairs)
            case {"float": "nan" | "inf" | "-inf" as word}:
                return float(word)
            case {"bytes": str(text)}:
                return base64.b64decode(text, validate=True)
            case {"text": text, "of": str(name)} if name in TEXTUAL:
                return TypeAdapter(TEXTUAL[name]).validate_python(text)
            case _:
                return self._code(node)

    def _code(self, node: dict[str, Any]) -> Any:
        match node:
            case {"type": kind}:
                return type_of_node(kind, self._trust.find)
            case {"function": str(name)}:
                return self._trust.find(name)
            case {"signature": str(name), "instructions": str(text), "fields": fields}:
                made = [self._field(each) for each in fields]
                return known_or(node, make_signature(dict(made), text, name))
            case {"lm": state, "id": int(number)}:
                return self._keep(number, self._model_of(self.part(state)))
            case {"partial": func, "args": list(args), "keywords": list(pairs)}:
                given = self._fields(pairs)
                return functools.partial(self.part(func), *self.part(args), **given)
            case {"tool": list(pairs)}:
                return Tool(**self._fields(pairs))
            case {"model": kind, "fields": list(pairs)}:
                found = _checked(type_of_node(kind, self._trust.find), BaseModel)
                return _made_model(found, self._fields(pairs))
            case _:
                raise _no_node(node)

    def _of_class(self, found: Any, node: dict[str, Any]) -> Any:
        match node:
            case {"member": str(member)}:
                return _checked(found, enum.Enum)[member]
            case {"example": list(pairs), "inputs": inputs}:
                example = _checked(found, Example)(self._mapping(pairs))
                return example if inputs is None else example.with_inputs(*inputs)
            case {"values": list(pairs)} if dataclasses.is_dataclass(found):
                return _checked(found, object)(**self._fields(pairs))
            case {"attributes": list(pairs), "id": int(number)}:
                kind = _checked(found, object)
                # Known before its attributes, which may point back to it.
                made = self._keep(number, kind.__new__(kind))
                vars(made).update(self._fields(pairs))
                return made
            case _:
                raise _no_node(node)

    def _keep(self, number: int, part: Any) -> Any:
        self._numbered[number] = part
        return part

    def _restored_model(self, state: Any) -> Any:
        return restored_lm(state, allow_unsafe_lm_state=self._takes_addresses)

    def _mapping(self, pairs: list[Any]) -> dict[Any, Any]:
        return {self.part(key): self.part(value) for key, value in pairs}

    def _fields(self, pairs: list[Any]) -> dict[str, Any]:
        fields = self._mapping(pairs)
        if not all(isinstance(name, str) and name.isidentifier() for name in fields):
            raise _no_node(pairs)
        return fields

    def _field(self, node: Mapping[str, Any]) -> tuple[str, tuple[Any, Any]]:
        made: Any = Field(
            json_schema_extra=self.part(node["extra"]),
            **({"default": self.part(node["default"])} if "default" in node else {}),
        )
        made.metadata = checks_of_node(node["checks"])
        return node["name"], (type_of_node(node["type"], self._trust.find), made)


def _made_model(kind: type[BaseModel], fields: Mapping[str, Any]) -> BaseModel:
    """Make a model of its fields' own names, whatever its input calls them."""
    aliases = {
        name: field.validation_alias
        for name, field in kind.model_fields.items()
        if isinstance(field.validation_alias, str)
    }
    return kind(**{aliases.get(name, name): value for name, value in fields.items()})


def _checked(found: Any, kind: Kind) -> Kind:
    """Return a class when it is one of that kind."""
    if not (inspect.isclass(found) and issubclass(found, kind)):
        raise DataError(
            f"{found!r} is no {kind.__name__}; the file says it is one. Save the "
            "program again."
        )
    return found  # type: ignore[return-value] # issubclass does not narrow a TypeVar


def _no_node(node: Any) -> DataError:
    return DataError(
        f"{node!r:.120} is nothing that a saved program holds; expected what save() "
        "wrote. Save the program again."
    )
