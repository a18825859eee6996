"""The same for notebooks: each cell of Python is changed, the rest stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from dspex.migrate.edits import Places
from dspex.migrate.imports import changes_of
from dspex.migrate.source import Migrated, Note, migrate_source, parsed

_TRANSPARENT: Final = frozenset({"%%time", "%%timeit", "%%capture"})
"""Magics of a whole cell below which there is still Python."""


def migrate_notebook(text: str) -> Migrated:
    """Return a notebook's JSON with DSPy's names replaced by dspex's.

    What one cell imports holds in all cells. A note says its cell and the line in it.

    Raises:
        ValueError: When the text is no notebook.
        SyntaxError: When a cell is no Python.
    """
    notebook = json.loads(text)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("there is no list of cells in it")  # noqa: TRY004 - of the file
    cells = [
        (number, cell)
        for number, cell in enumerate(notebook["cells"], start=1)
        if cell.get("cell_type") == "code" and _is_python(_source(cell))
    ]
    bound: dict[str, str] = {}
    for number, cell in cells:
        bound |= _bound_in(_masked(_source(cell)), number)
    notes: list[Note] = []
    changed = False
    for number, cell in cells:
        before = _source(cell)
        done = migrate_source(_masked(before), bound)
        notes += [replace(note, cell=number) for note in done.notes]
        after = _unmasked(done.text)
        if after != before:
            changed = True
            cell["source"] = (
                after.splitlines(keepends=True)
                if isinstance(cell["source"], list)
                else after
            )
    return Migrated(
        text=_written(notebook, text) if changed else text, notes=tuple(notes)
    )


def _bound_in(text: str, number: int) -> dict[str, str]:
    try:
        tree = parsed(text)
    except SyntaxError as error:
        where = f"cell {number}, line {error.lineno}"
        raise SyntaxError(f"{where}: {error.msg}") from error
    return changes_of(text, tree, Places(text)).bound


def _source(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


_MASK: Final = "pass  # \N{INFORMATION SEPARATOR ONE}"


def _is_python(source: str) -> bool:
    """Say whether a cell is Python, and not what a magic of the whole cell makes it."""
    first = source.split(maxsplit=1)[:1]
    return not first or not first[0].startswith("%%") or first[0] in _TRANSPARENT


def _masked(source: str) -> str:
    """Make IPython's own lines Python that does nothing."""
    return re.sub(r"^([ \t]*)(?=[%!?])", rf"\1{_MASK}", source, flags=re.MULTILINE)


def _unmasked(source: str) -> str:
    return source.replace(_MASK, "")


def _written(notebook: Mapping[str, Any], like: str) -> str:
    """Write JSON with the indentation and the end that the file had."""
    found = re.match(r"\{\r?\n([ \t]+)", like)
    text = json.dumps(
        notebook, indent=found.group(1) if found else None, ensure_ascii=False
    )
    return text + "\n" if like.endswith("\n") else text
