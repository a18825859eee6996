"""The rows of a file that cannot be used, told all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dspex.core.errors import DataError

MOST_TOLD: Final = 20
"""Rows that the error names; of more it says how many there are."""


class Faults:
    """Collects what is wrong with the rows of a file, in their order.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: list[DataError] = []
        self._count = 0

    def add(self, error: DataError) -> None:
        """Note that a row cannot be used."""
        self._count += 1
        if len(self._first) < MOST_TOLD:
            self._first.append(error)

    def check(self) -> None:
        """Raise when a row could not be used.

        Raises:
            DataError: Then; the only error itself, or one that names all rows.
        """
        if not self._count:
            return
        if self._count == 1:
            raise self._first[0]
        left = self._count - len(self._first)
        lines = [error.message for error in self._first]
        lines += [f"and {left:,} more"] if left else []
        told = "\n  ".join(lines)
        raise DataError(
            f"{self._path}: {self._count:,} rows cannot be used; every row was to be "
            f"read. Correct or remove them:\n  {told}",
            path=self._path,
            line=self._first[0].line,
            rows=self._first,
        )
