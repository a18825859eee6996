"""Types that a signature's text names and its caller can see.

DSPy's users write `Signature("report: Report -> risk: Risk")` beside their classes.
Names are looked up, outward from the caller, in the variables of functions and modules;
nothing is evaluated or imported, and only types are taken.
"""

from __future__ import annotations

import enum
import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, Final, NewType

OWN_TYPES: Final = {
    "Type": "base",
    "Image": "image",
    "File": "file",
    "Audio": "audio",
    "History": "history",
    "Code": "code",
    "Tool": "tool",
    "ToolCalls": "tool_calls",
    "ToolCallResults": "tool_calls",
    "Reasoning": "reasoning",
}
"""Types of dspex that a text may name as `dspex.Image` or `dspy.Image`, imported or
not, and the module of each."""

_OWN_PACKAGE: Final = "dspex"


# The kinds of `list[int]`, `int | str`, `List[int]`, `Optional[int]`,
# `Annotated[int, 0]`, `NewType(...)`, and from Python 3.12 on of `type X = ...`.
_TYPE_FORMS: Final[tuple[Any, ...]] = (
    types.GenericAlias,
    types.UnionType,
    type(typing.Sequence[int]),
    type(typing.Union[int, str]),  # noqa: UP007 - the old form is what is meant
    type(typing.Annotated[int, 0]),
    NewType,
    getattr(typing, "TypeAliasType", NewType),
)


def own_type(name: str) -> Any:
    """Return a type of dspex by its dotted name, or `None`."""
    package, _, kind = name.partition(".")
    if package not in {"dspex", "dspy"} or kind not in OWN_TYPES:
        return None
    from importlib import import_module  # not needed by most signatures

    return getattr(import_module(f"dspex.core.types.{OWN_TYPES[kind]}"), kind)


def type_in_sight(name: str) -> Any:
    """Return the type that a name means where dspex was called, or `None`.

    The nearest variable that holds a type wins. Frames of dspex itself are skipped.
    Behind them come the modules that are loaded.

    Args:
        name: An identifier, or identifiers joined by dots: a type inside of a class or
            a module.
    """
    path = name.split(".")
    found = next(filter(is_type, (_at(path, scope) for scope in _scopes())), None)
    if found is None and len(path) > 1:
        # `datetime.date` without an import; what is not loaded yet stays unloaded.
        found = _at(path, sys.modules)
    return found if is_type(found) else None


def is_type(value: Any) -> bool:
    """Say whether a value can stand as an annotation: a class, a generic, a union."""
    return inspect.isclass(value) or isinstance(value, _TYPE_FORMS)


def _scopes() -> Iterator[dict[str, Any]]:
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - there is no other way to the caller's names
    while frame is not None:
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if module != _OWN_PACKAGE:
            yield frame.f_locals
            yield frame.f_globals
        frame = frame.f_back


def _at(path: list[str], scope: Mapping[str, Any]) -> Any:
    first, *rest = path
    return reduce(_inside, rest, scope.get(first))


def _inside(owner: Any, name: str) -> Any:
    """Return what a class or a module has under a public name, or `None`."""
    is_owner = inspect.isclass(owner) or inspect.ismodule(owner)
    if not is_owner or name.startswith("_") or isinstance(owner, enum.EnumType):
        return None
    return getattr(owner, name, None)
