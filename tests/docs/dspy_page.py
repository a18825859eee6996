"""Write the table of `docs/reference/dspy.md`: each name of DSPy and what it is here.

`python -m tests.docs.dspy_page` writes the page; a test holds that it is up to date.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import dspex
from tests.docs.dspy_table import Row, ledger, rows
from tests.docs.pages import ROOT
from tests.tools import dspy_names

PAGE = ROOT / "docs/reference/dspy.md"
BEGIN, END = "<!-- names of DSPy -->", "<!-- end of names of DSPy -->"


def written(page: str) -> str:
    """Return the page with its tables as data and code have them."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n" + "\n".join(_tables()) + f"\n{END}{after}"


def _tables() -> Iterator[str]:
    by_place = sorted(rows(), key=lambda row: (_place(row), row.name))
    for place, group in groupby(by_place, key=_place):
        yield f"### `{place}`\n"
        yield "| name | in dspex | methods | what is otherwise | shown by |"
        yield "| --- | --- | --- | --- | --- |"
        yield from map(_line, group)
        yield ""
    yield "### The settings\n"
    yield "| setting | in dspex |"
    yield "| --- | --- |"
    for key in dspy_names.read()["settings"]:
        why = ledger()["settings"].get(key)
        told = "the same" if key in dspex.settings else f"absent: {why}"
        yield f"| `{key}` | {told} |"


def _place(row: Row) -> str:
    """Return the module the name is told under: the most telling one it is in."""
    return row.homes[1] if len(row.homes) > 1 else row.homes[0]


def _line(row: Row) -> str:
    methods = ", ".join(f"`{_shown(name)}`" for name in row.has)
    lacking = "; ".join(f"no `{_item(item)}`: {why}" for item, why in _merged(row))
    note = ". ".join(text for text in (row.note.rstrip("."), lacking) if text)
    test = f"`{row.test.removeprefix('tests/')}`" if row.test else ""
    return f"| `{row.name}` | {row.status} | {methods} | {note} | {test} |"


def _merged(row: Row) -> Iterator[tuple[str, str]]:
    """Yield what is lacking, once for each reason."""
    by_reason: dict[str, list[str]] = {}
    for item, why in row.lacks.items():
        by_reason.setdefault(why, []).append(item)
    for why, items in by_reason.items():
        yield "`, `".join(map(_item, items)), why


def _item(item: str) -> str:
    """Show a parameter as an argument, a method as one."""
    return _shown(item.removeprefix(".")).replace("(", "(", 1)


def _shown(name: str) -> str:
    return name.replace("__call__", "the call")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
