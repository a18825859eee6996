"""`Reasoning`: a model's thoughts, usable wherever a text is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import ConfigDict

from dspex.core.types.base import Type


class Reasoning(Type):
    """Text that a model may give beside its answer, as reasoning models do.

    It compares, joins and slices like the text it holds, and has the methods of `str`.
    It is no `str` for `isinstance`; `str(reasoning)` is.

    Example:
        >>> thought = Reasoning(content="so it is 4")
        >>> thought == "so it is 4", thought.upper(), thought + "."
        (True, 'SO IT IS 4', 'so it is 4.')
    """

    model_config = ConfigDict(frozen=True)
    shown_type: ClassVar[str] = "str"
    """A model is asked for text, whatever it becomes here."""

    content: str
    """The text."""

    def format(self) -> str:
        """Return the text."""
        return self.content

    @classmethod
    def read_value(cls, value: Any) -> Any:
        """Take a text, or a mapping with `content`."""
        match value:
            case {"content": str()}:
                return value
            case str():
                return {"content": value}
        message = "reasoning is a text, or a mapping with the text under 'content'"
        raise ValueError(message)

    def __repr__(self) -> str:
        return repr(self.content)

    def __str__(self) -> str:
        return self.content

    def __eq__(self, other: object) -> bool:
        return self.content == (
            other.content if isinstance(other, Reasoning) else other
        )

    def __hash__(self) -> int:
        return hash(self.content)

    def __len__(self) -> int:
        return len(self.content)

    def __getitem__(self, key: int | slice) -> str:
        return self.content[key]

    def __contains__(self, part: object) -> bool:
        return str(part) in self.content

    def __iter__(self) -> Iterator[str]:  # type: ignore[override] # as a text does
        return iter(self.content)

    def __add__(self, other: object) -> Any:
        if isinstance(other, Reasoning):
            return Reasoning(content=self.content + other.content)
        return self.content + other if isinstance(other, str) else NotImplemented

    def __radd__(self, other: object) -> Any:
        return other + self.content if isinstance(other, str) else NotImplemented

    def __getattr__(self, name: str) -> Any:
        """Return a method of the text."""
        if hasattr(str, name) and not name.startswith("__"):
            return getattr(self.content, name)
        message = (
            f"a Reasoning has no attribute {name!r}; it has those of a text, and "
            "the text itself. Write reasoning.content or str(reasoning)."
        )
        raise AttributeError(message)
