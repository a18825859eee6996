"""What an object of an unknown type holds, as far as that can be read safely."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections import deque
from collections.abc import Mapping
from types import FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, Final

LONGEST_TEXT: Final = 1_000
"""Characters of how a value shows itself that are kept."""
MASK: Final = "***"
"""What stands where a secret would be."""

_SECRET: Final = re.compile(r"api_?key|secret|password|authorization", re.IGNORECASE)
"""Names of fields that hold what must never be written to a file."""
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")
_PLAIN: Final = (str, int, float, bytes, bytearray)
_NAMED: Final = (type, FunctionType, MethodType, ModuleType)


def name_of_type(kind: type) -> str:
    """Return module and name of a type."""
    try:
        text = f"{kind.__module__}.{kind.__qualname__}"
    except Exception:  # noqa: BLE001 - a metaclass may do anything
        return "a type without a name"
    return text.removeprefix("builtins.").encode("ascii", "replace").decode()


def shown(value: Any) -> str:
    """Return how a value shows itself, at most 1,000 characters, the same each time."""
    try:
        return without_addresses(_shown(value))[:LONGEST_TEXT]
    except Exception as error:  # noqa: BLE001 - a value's own code may do anything
        return f"(it cannot be shown: {type(error).__name__})"


def _shown(value: Any) -> str:
    if isinstance(value, str | bytes | bytearray):
        return repr(value[:LONGEST_TEXT])
    if isinstance(value, _NAMED):
        return name_of_named(value)
    if isinstance(value, dict | list | tuple | set | frozenset):
        # Its own text could be of any length, or never end.
        return f"{len(value)} items"
    return repr(value)


def without_addresses(text: str) -> str:
    """Return a text without where in memory something lies.

    Example:
        >>> without_addresses("<shop.City object at 0x7f5e>")
        '<shop.City object>'
    """
    return _ADDRESS.sub("", text)


def name_of_named(value: Any) -> str:
    """Return the full name of a class, a function or a module."""
    if isinstance(value, ModuleType):
        return value.__name__
    return f"{value.__module__}.{value.__qualname__}"


def held_by(value: Any) -> tuple[bool, Any]:
    """Return whether it is known what an object holds, and what that is.

    Of an object with fields that is a dict of them. No method of it is called but what
    reads its fields. Secrets are masked.
    """
    if isinstance(value, enum.Enum):
        return True, value.value
    if isinstance(value, _NAMED) or _hides_something(value):
        return False, None
    fields = _fields_of(value)
    if fields is not None:
        return True, {name: _masked(name, each) for name, each in fields.items()}
    return _plain_form(value)


def _hides_something(value: Any) -> bool:
    kind = type(value)
    return hasattr(kind, "get_secret_value") or hasattr(kind, "reveal")


def _masked(name: str, value: Any) -> Any:
    return MASK if value is not None and _SECRET.search(name) else value


def _fields_of(value: Any) -> dict[str, Any] | None:
    """Return an object's fields by name; `None` when it has none to speak of."""
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
        return {name: getattr(value, name) for name in names if hasattr(value, name)}
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return dict(zip(kind._fields, value, strict=True))
    if hasattr(kind, "__pydantic_fields__"):
        extra = getattr(value, "__pydantic_extra__", None) or {}
        return {**vars(value), **extra}
    if isinstance(value, (*_PLAIN, list, tuple, set, frozenset, deque, Mapping)):
        return None
    if hasattr(kind, "__attrs_attrs__"):
        names = [each.name for each in kind.__attrs_attrs__]
        return {name: getattr(value, name) for name in names if hasattr(value, name)}
    public = {
        name: each
        for name, each in attributes_of(value).items()
        if not name.startswith("_")
    }
    return public or None


def attributes_of(value: Any) -> dict[str, Any]:
    """Return an object's own attributes by name, those in slots included."""
    slots = {
        name: getattr(value, name)
        for each in type(value).__mro__
        if "__slots__" in vars(each)
        for name, member in vars(each).items()
        if isinstance(member, MemberDescriptorType) and hasattr(value, name)
    }
    return {**slots, **getattr(value, "__dict__", {})}


def _plain_form(value: Any) -> tuple[bool, Any]:
    """Return a value of a subclass or a like of a plain type as that type's."""
    for plain in _PLAIN:
        if isinstance(value, plain):
            return True, plain(value)  # type: ignore[arg-type] # it is one of them
    if isinstance(value, Mapping):
        return True, dict(value.items())
    if isinstance(value, list | tuple | set | frozenset | deque):
        return True, list(value)
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return True, value.tolist()
    return False, None
