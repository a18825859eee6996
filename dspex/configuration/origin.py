"""Where a value comes from: a flag, a variable, a line of a file, or nobody."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Self


class Source(IntEnum):
    """Who says a value; the higher one wins."""

    DEFAULT = 0
    """Nobody."""
    USER = 1
    """The user's own file."""
    PROJECT = 2
    """The file of the project: `dspex.toml`, or `[tool.dspex]` in `pyproject.toml`."""
    ENVIRONMENT = 3
    """A variable of the environment."""
    FLAG = 4
    """The command line, or an argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where one value comes from."""

    source: Source
    """Who says it."""
    place: str = ""
    """The flag, the variable or the path of the file."""
    line: int | None = None
    """The line of the file, counted from 1."""

    @classmethod
    def of_file(cls, source: Source, file: Path, line: int | None = None) -> Self:
        """A line of a file, or the file as a whole."""
        return cls(source=source, place=str(file), line=line)

    def __str__(self) -> str:
        """As people read it.

        Example:
            >>> print(Origin(source=Source.PROJECT, place="dspex.toml", line=3))
            dspex.toml:3
            >>> print(Origin(source=Source.DEFAULT))
            default
        """
        if self.source is Source.DEFAULT:
            return "default"
        return self.place if self.line is None else f"{self.place}:{self.line}"


NOBODY = Origin(source=Source.DEFAULT)
"""The origin of a default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value and who says it."""

    value: Any
    """The value, checked and of its key's type."""
    origin: Origin = NOBODY
    """Where it comes from."""
