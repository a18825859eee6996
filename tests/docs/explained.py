"""What docstrings say of classes and functions, as sections of a reference page."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from tests.docs.docstrings import (
    arguments,
    cell,
    described_arguments,
    fields_table,
    first_paragraph,
    is_method,
    method_summary,
    method_text,
    value_text,
)


def explained(name: str, value: Any, *, home: str) -> Iterator[str]:
    """Yield the section of a name: what it is, its arguments, fields and methods.

    Args:
        name: The name.
        value: What it names.
        home: The module people import it from.
    """
    call = f"{name}({arguments(value)})" if isinstance(value, FunctionType) else name
    yield f"### `{home}.{call}`\n"
    yield f"{first_paragraph(value.__doc__)}\n"
    yield from arguments_table(value)
    if isinstance(value, type):
        yield from fields_table(name, value)
        yield from _methods_table(value)


def arguments_table(value: Any) -> Iterator[str]:
    """Yield the table of the arguments that a docstring describes."""
    told = described_arguments(value.__doc__)
    if not told:
        return
    parameters = inspect.signature(value).parameters
    yield "| argument | what it means |"
    yield "| --- | --- |"
    for name, text in told.items():
        parameter = parameters.get(name)
        default = inspect.Parameter.empty if parameter is None else parameter.default
        is_set = default is not inspect.Parameter.empty
        shown = f" = `{value_text(default)}`" if is_set else ""
        yield f"| `{name}`{shown} | {cell(text)} |"
    yield ""


def _methods_table(owner: type[Any]) -> Iterator[str]:
    methods: dict[str, Any] = {}
    for base in owner.__mro__:
        if base.__module__.startswith("dspex."):
            for word, member in vars(base).items():
                if (word[0] != "_" or word == "__call__") and is_method(member):
                    methods.setdefault(word, member)
    if not methods:
        return
    yield "| method | what it does |"
    yield "| --- | --- |"
    for word, member in methods.items():
        text = method_text(word, member).replace("__call__", owner.__name__.lower())
        yield f"| `{text}` | {cell(method_summary(member))} |"
    yield ""
