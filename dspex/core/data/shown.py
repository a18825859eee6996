"""A data set as the table that a notebook shows below a cell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

from dspex.core.elements import element, written
from dspex.core.example import Example

MOST_SHOWN: Final = 10
"""Rows that are shown."""
LONGEST_SHOWN: Final = 200
"""Characters of a value that are shown."""


def dataset_html(rows: Sequence[Example]) -> str:
    """Return the first rows as HTML, with how many there are."""
    first = list(islice(rows, MOST_SHOWN))
    names = list(dict.fromkeys(name for row in first for name in row))
    heading = (element("th", name, scope="col") for name in ("", *names))
    body = (
        element(
            "tr",
            element("th", f"{position}", scope="row"),
            (element("td", _short(row.get(name, ""))) for name in names),
        )
        for position, row in enumerate(first)
    )
    left = len(rows) - len(first)
    return written(
        element(
            "div",
            element("p", repr(rows)),
            element(
                "table",
                element("thead", element("tr", heading)),
                element("tbody", body),
            ),
            element("p", f"{left:,} more rows") if left else None,
        )
    )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
