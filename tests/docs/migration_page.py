"""Write the programs of `docs/how-to/migrate-from-dspy.md`, before and after.

`python -m tests.docs.migration_page` migrates `examples/from_dspy/before/` anew and
writes each program's change into the page; a test holds that both are up to date.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from dspex.migrate.source import migrate_source
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/how-to/migrate-from-dspy.md"
AFTER = ROOT / "examples/from_dspy"
BEFORE = AFTER / "before"

_PLACE = re.compile(r"<!-- program: (\w+) -->\n```diff\n.*?```\n", re.DOTALL)


def programs() -> Iterator[Path]:
    """Yield the programs as they were written for DSPy."""
    yield from sorted(BEFORE.glob("*.py"))


def after(program: Path) -> str:
    """Return what `dspex migrate` makes of a program."""
    return migrate_source(program.read_text(encoding="utf-8")).text


def written(page: str) -> str:
    """Return the page with each program as a change with all its lines."""
    return _PLACE.sub(_block, page)


def _block(found: re.Match[str]) -> str:
    program = BEFORE / f"{found[1]}.py"
    old = program.read_text(encoding="utf-8").splitlines()
    new = after(program).splitlines()
    lines = list(difflib.unified_diff(old, new, n=len(old), lineterm=""))[3:]
    text = "\n".join(line.rstrip() for line in lines)
    return f"<!-- program: {found[1]} -->\n```diff\n{text}\n```\n"


def main() -> None:
    """Write the programs and the page."""
    for program in programs():
        (AFTER / program.name).write_text(after(program), encoding="utf-8")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
