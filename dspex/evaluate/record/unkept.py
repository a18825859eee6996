"""What stands in a record for a value that JSON cannot hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Unkept:
    """A value that a record kept in part: the name of its type, and what it held.

    Its fields read as attributes and items, so most metrics work on it as they did on
    the value itself; but it is none of its type, and it says so when it is shown.

    Example:
        >>> city = Unkept(type_name="shop.City", value={"name": "Lima"})
        >>> city.name, city["name"]
        ('Lima', 'Lima')
        >>> city
        <shop.City as recorded: {'name': 'Lima'}>
    """

    type_name: str
    """Module and name of its type."""
    value: Any = None
    """What it held, in plain values: of an object its fields by name."""
    text: str = ""
    """How it showed itself, at most 1,000 characters; empty where `value` says it."""
    why: str = ""
    """Why not all of it was kept, such as `too large`; empty when only its type is
    missing."""

    def __getattr__(self, name: str) -> Any:
        # Dunders are asked for on half-built objects (copying, debuggers).
        if not name.startswith("__"):
            fields = self.value
            if isinstance(fields, Mapping) and name in fields:
                return fields[name]
        raise AttributeError(
            f"no field {name!r} in {self!r}; a record keeps the fields of a value and "
            "not its methods. Evaluate again without persist to have the value itself.",
            name=name,
            obj=self,
        )

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __str__(self) -> str:
        return self.text or repr(self)

    def __repr__(self) -> str:
        shown = self.text or f"{self.value!r:.1000}"
        because = f", {self.why}" if self.why else ""
        return f"<{self.type_name} as recorded{because}: {shown}>"
