"""Taking values out of JSON that somebody else wrote, whatever is there instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def text_of(value: object) -> str:
    """Return a text, or an empty one for anything else."""
    return value if isinstance(value, str) else ""


def count_of(value: object) -> int:
    """Return a count, or 0 for anything that cannot be one.

    Example:
        >>> [count_of(value) for value in (3, -3, True, 3.0, None)]
        [3, 0, 0, 0, 0]
    """
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return max(value, 0)


def object_of(value: object) -> Mapping[str, Any]:
    """Return an object, or an empty one for anything else."""
    return value if isinstance(value, dict) else _NOTHING


def objects_of(value: object) -> list[Mapping[str, Any]]:
    """Return the objects of a list, or an empty list for anything else."""
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]
