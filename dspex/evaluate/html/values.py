"""Values of users as elements: whole where they are short, else cut, and said so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from xml.etree.ElementTree import Element

from dspex.core.elements import element
from dspex.evaluate.results.cells import text_of

LONGEST_VALUE: Final = 4_000
"""Characters of a value that a page shows."""
LONGEST_LINE: Final = 160
"""Characters of a value in one line."""


def fields(title: str, given: Mapping[str, Any]) -> Element | None:
    """Show fields by name; nothing of none."""
    if not given:
        return None
    pairs = [
        (element("dt", name), element("dd", block(text_of(value))))
        for name, value in given.items()
    ]
    listed = element("dl", *(one for pair in pairs for one in pair), class_="fields")
    return element("section", element("h3", title), listed)


def block(text: str, look: str | None = None) -> Element:
    """Show a text with its lines, cut where it is long."""
    left = len(text) - LONGEST_VALUE
    if left <= 0:
        return element("pre", text, class_=look)
    cut = element("em", f"\n… {left:,} more characters", class_="faint")
    return element("pre", text[:LONGEST_VALUE], cut, class_=look)


def line(text: str) -> str:
    """Return a text as one line, cut where it is long."""
    # Cut first: a value may be a book.
    words = " ".join(text[: 2 * LONGEST_LINE].split())
    is_long = len(words) > LONGEST_LINE or len(text) > 2 * LONGEST_LINE
    return f"{words[:LONGEST_LINE]}…" if is_long else words


def table(
    heading: Iterable[str], lines: Iterable[Iterable[str]], numbers: Iterable[int] = ()
) -> Element:
    """Show lines of cells.

    Args:
        heading: The names of the columns.
        lines: The cells.
        numbers: The places of columns that hold numbers.
    """
    right = frozenset(numbers)

    def cells(tag: str, texts: Iterable[str]) -> Iterator[Element]:
        for place, text in enumerate(texts):
            scope = "col" if tag == "th" else None
            look = "number" if place in right else None
            yield element(tag, text, class_=look, scope=scope)

    body = element("tbody", (element("tr", cells("td", one)) for one in lines))
    head = element("thead", element("tr", cells("th", heading)))
    return element("div", element("table", head, body), class_="scroll")
