"""Types as a person writes them, for prompts and for errors."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal


def type_name(annotation: Any) -> str:
    """Return a type as a person writes it.

    Example:
        >>> type_name(dict[str, list[int]]), type_name(int | None)
        ('dict[str, list[int]]', 'int | None')
    """
    if isinstance(shown := getattr(annotation, "shown_type", None), str):
        return shown
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
