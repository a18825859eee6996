"""The pages of the documentation, and the code blocks in them.

A comment above a block says how it is treated:

- `<!-- no-run: REASON -->`: the code is not run.
- `<!-- raises: NAME -->`: it ends with this exception.
- `<!-- output -->`, above a `text` block: exactly this was printed by the code above.

A page with the comment `<!-- model -->` in it needs the embedded model; the others run
against a fake provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

NEEDS_MODEL = "<!-- model -->"

FEW_ROWS = 60
"""Rows of data where a page runs on the model: 40 to learn from, 20 to measure on."""

_COMMENT = re.compile(r"<!-- ([\w-]+)(?:: (.*))? -->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block."""

    page: Path
    """Where it stands."""
    line: int
    """The line of its first line of text, from 1."""
    language: str
    """What follows the fence: python, text, console, sh, ..."""
    text: str
    """What is in it."""
    notes: dict[str, str]
    """The comment above, by its word."""

    @property
    def where(self) -> str:
        """The block's place, for messages."""
        return f"{name_of(self.page)}:{self.line}"


def copy_data(folder: Path, rows: int | None = None) -> None:
    """Copy the data of the examples, or its first `rows` rows, into a folder."""
    lines = (ROOT / "examples/capitals.csv").read_text("utf-8").splitlines()
    kept = lines if rows is None else lines[: rows + 1]
    (folder / "capitals.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")


def name_of(page: Path) -> str:
    """Return a page's path inside the project."""
    return page.relative_to(ROOT).as_posix()


def pages() -> list[Path]:
    """Return every page that a user may read."""
    tops = (
        "README.md",
        "CONTRIBUTING.md",
        "examples/README.md",
        "supervisors/README.md",
    )
    return [*map(ROOT.joinpath, tops), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start: int | None = None
    language = ""
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start, language = number + 1, line.removeprefix("```").strip()
            continue
        yield Block(
            page=page,
            line=start + 1,
            language=language,
            text="\n".join(lines[start:number]) + "\n",
            notes=_notes(lines[: start - 1]),
        )
        start = None
    if start is not None:
        msg = f"{name_of(page)}:{start}: this block is never closed"
        raise ValueError(msg)


def _notes(above: list[str]) -> dict[str, str]:
    """Read the comments directly above a block, blank lines between allowed."""
    notes: dict[str, str] = {}
    for line in reversed(above):
        found = _COMMENT.fullmatch(line.strip())
        if found:
            notes[found[1]] = found[2] or ""
        elif line.strip():
            break
    return notes


def prose(page: Path) -> str:
    """Return a page without its fenced blocks and code spans."""
    text = page.read_text(encoding="utf-8")
    without_blocks = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "``", without_blocks)
