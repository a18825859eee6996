"""Changes at places of a text, which leave everything else as it was written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Write `text` over what stands from `start` to `end`."""

    start: int
    """The index of the first character to go."""
    end: int
    """The index behind the last one."""
    text: str
    """What stands there afterwards."""


def applied(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with all changes made; they must not overlap.

    Example:
        >>> applied("import dspy", [Edit(7, 11, "dspex")])
        'import dspex'
    """
    parts: list[str] = []
    at = 0
    for edit in sorted(set(edits)):
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join((*parts, text[at:]))


def lines_of(text: str) -> list[str]:
    r"""Split a text into lines where Python does, and leave their ends on them.

    Example:
        >>> lines_of("a\x0cb\r\nc")
        ['a\x0cb\r\n', 'c']
    """
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", text)


class Places:
    """Finds where a node of the syntax tree stands in its text.

    The tree counts bytes of UTF-8 in lines that end as Python's do, which is neither
    how a text is indexed nor what `str.splitlines` calls a line.
    """

    def __init__(self, text: str) -> None:
        self._lines = lines_of(text)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def index(self, line: int, column: int) -> int:
        """Return the index of a line, from 1, and a column, in bytes from 0."""
        if line > len(self._lines):
            return self._starts[-1]
        before = self._lines[line - 1].encode()[:column]
        return self._starts[line - 1] + len(before.decode())

    def start(self, node: ast.expr | ast.stmt | ast.alias) -> int:
        """Return where a node begins."""
        return self.index(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.alias) -> int:
        """Return where a node has ended."""
        return self.index(node.end_lineno or 0, node.end_col_offset or 0)
