"""Writes the tables of events in the reference from the constants.

Run `python -m tests.docs.events_page` after a change of `supervisors/events.py` or of
`dspex/core/events.py`.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import ROOT

PAGE = ROOT / "docs/reference/supervisors-events.md"
SOURCE = ROOT / "supervisors/events.py"
DSPEX_PAGE = ROOT / "docs/reference/events.md"
DSPEX_SOURCE = ROOT / "dspex/core/events.py"
BEGIN, END = "<!-- events -->", "<!-- end of events -->"


def rows(source: Path = SOURCE) -> Iterator[str]:
    """A row for each constant that is an event's name, with its docstring."""
    body = ast.parse(source.read_text("utf-8")).body
    for node, after in itertools.pairwise(body):
        match node, after:
            case (
                (
                    ast.Assign(targets=[ast.Name(constant)], value=ast.Tuple() as words)
                    | ast.AnnAssign(
                        target=ast.Name(constant), value=ast.Tuple() as words
                    )
                ),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                name = " ".join(ast.literal_eval(words))
                yield f"| `{constant}` | `{name}` | {' '.join(text.split())} |\n"


def written(page: str, source: Path = SOURCE) -> str:
    """The page with its table as it should be."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    head = "| constant | name | what happened, and what comes with it |\n"
    table = head + "| --- | --- | --- |\n" + "".join(rows(source))
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


if __name__ == "__main__":
    for page, source in ((PAGE, SOURCE), (DSPEX_PAGE, DSPEX_SOURCE)):
        told = written(page.read_text("utf-8"), source)
        page.write_text(told, encoding="utf-8")
