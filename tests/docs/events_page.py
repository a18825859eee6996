"""Writes the table of docs/reference/supervisors-events.md from the constants.

Run `python -m tests.docs.events_page` after a change of `supervisors/events.py`.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from tests.docs.pages import ROOT

PAGE = ROOT / "docs/reference/supervisors-events.md"
SOURCE = ROOT / "supervisors/events.py"
BEGIN, END = "<!-- events -->", "<!-- end of events -->"


def rows() -> Iterator[str]:
    """A row for each constant that is an event's name, with its docstring."""
    body = ast.parse(SOURCE.read_text("utf-8")).body
    for node, after in itertools.pairwise(body):
        match node, after:
            case (
                ast.Assign(targets=[ast.Name(constant)], value=ast.Tuple() as words),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                name = " ".join(ast.literal_eval(words))
                yield f"| `{constant}` | `{name}` | {' '.join(text.split())} |\n"


def written(page: str) -> str:
    """The page with its table as it should be."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    head = "| constant | name | what happened, and what comes with it |\n"
    table = head + "| --- | --- | --- |\n" + "".join(rows())
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), encoding="utf-8")
