"""What docstrings and signatures say, for the pages that are written from them."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from types import FunctionType
from typing import Any

import supervisors


def fields_table(name: str, owner: type[Any]) -> Iterator[str]:
    """Yield the table of what a value holds: its fields, or an enum's members."""
    if issubclass(owner, Enum):
        members = [f"`{name}.{member}`" for member in owner.__members__]
    elif dataclasses.is_dataclass(owner):
        members = [f"`{field.name}`{_default(field)}" for field in _own_fields(owner)]
    else:
        return
    if not members:
        return
    docs: dict[str, str] = {}
    for base in reversed(owner.__mro__):
        if base.__module__.startswith(("dspex.", "supervisors.")):
            docs |= docs_below(ast.parse(inspect.getsource(base)).body[0])
    yield f"`{name}` {'is one of' if issubclass(owner, Enum) else 'holds'}:\n"
    yield "| field | what it means |"
    yield "| --- | --- |"
    for member in members:
        word = member.split("`")[1].rpartition(".")[2]
        yield f"| {member} | {cell(docs.get(word, ''))} |"
    yield ""


def _own_fields(owner: Any) -> tuple[dataclasses.Field[Any], ...]:
    return tuple(
        field for field in dataclasses.fields(owner) if not field.name.startswith("_")
    )


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f" = `{value_text(field.default)}`"
    if field.default_factory is not dataclasses.MISSING:
        return f" = `{value_text(field.default_factory())}`"
    return ""


def arguments(function: Any, *, bound: bool = False) -> str:
    """Write the arguments of a function with their defaults and without types."""
    parameters = list(inspect.signature(function).parameters.values())[bound:]
    words = []
    starred = False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            starred = True
        elif parameter.kind is parameter.KEYWORD_ONLY and not starred:
            words.append("*")
            starred = True
        words.append(_argument(parameter))
    return ", ".join(words)


def _argument(parameter: inspect.Parameter) -> str:
    word = str(parameter).partition(":")[0].partition("=")[0].strip()
    if parameter.default is parameter.empty:
        return word
    return f"{word}={value_text(parameter.default)}"


def value_text(value: Any) -> str:
    """Write a default as one would write it in code."""
    for name in supervisors.__all__:
        if getattr(supervisors, name) is value:
            return name
    if isinstance(value, Enum):
        return str(value)
    if dataclasses.is_dataclass(value) and not dataclasses.fields(value):
        return f"{type(value).__name__}()"
    if isinstance(value, Mapping):
        return repr(dict(value))
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    return repr(value)


def docs_below(scope: Any) -> dict[str, str]:
    """Read the docstrings that stand below the assignments of a module or a class."""
    docs = {}
    for statement, below in zip(scope.body, scope.body[1:], strict=False):
        match below:
            case ast.Expr(value=ast.Constant(value=str(text))):
                for target in targets(statement):
                    docs[target] = first_paragraph(text)
    return docs


def targets(statement: ast.stmt) -> list[str]:
    """Return the names that a statement assigns."""
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case _:
            return []


def first_paragraph(doc: str | None) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(doc or "").split("\n\n")[0].split())


def cell(text: str) -> str:
    """Make a text fit for a cell of a table."""
    return text.replace("|", "\\|")


def is_method(member: Any) -> bool:
    """Whether a member of a class is a method or a property."""
    function = getattr(member, "__func__", member)
    return isinstance(function, FunctionType | property)


def method_text(word: str, member: Any) -> str:
    """Write a method as it is called, a property as it is read."""
    if isinstance(member, property):
        return word
    function = getattr(member, "__func__", member)
    bound = not isinstance(member, staticmethod)
    return f"{word}({arguments(function, bound=bound)})"


def method_summary(member: Any) -> str:
    """Return what a method does, in its own first words."""
    return first_paragraph(getattr(member, "fget", member).__doc__)


def described_arguments(doc: str | None) -> dict[str, str]:
    """Read the section `Args` of a docstring: what stands of each argument."""
    section = re.search(
        r"^Args:\n((?: +.*\n|\n)+)", inspect.cleandoc(doc or "") + "\n", re.MULTILINE
    )
    entries = re.split(
        r"^    (?=\w)", section[1] if section else "", flags=re.MULTILINE
    )
    pairs = (entry.partition(":") for entry in entries if entry.strip())
    return {name: " ".join(text.split()) for name, _, text in pairs}
