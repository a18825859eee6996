"""A result as the few lines a notebook shows below a cell."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from dspex.core.elements import element, written
from dspex.evaluate.html.findings import worst_first
from dspex.evaluate.html.row import answered, asked_and_expected, name_of
from dspex.evaluate.html.scale import brief
from dspex.evaluate.html.values import line, table
from dspex.evaluate.results.cells import text_of
from dspex.evaluate.results.rows import ResultRow, rows_in_order

if TYPE_CHECKING:
    from dspex.evaluate.results.result import EvaluationResult

MOST_LOOKED_AT: Final = 10_000
"""Rows among which the worst are looked for: a cell must not take minutes."""
MOST_SHOWN: Final = 10
"""Rows shown."""


def notebook_html(result: EvaluationResult) -> str:
    """Return a result's sentence and its worst rows."""
    looked_at = islice(rows_in_order(result), MOST_LOOKED_AT)
    shown = sorted(looked_at, key=worst_first)[:MOST_SHOWN]
    left = result.n - len(shown)
    more = f"{left:,} more rows; report(path) shows them." if left else None
    return written(
        element(
            "div",
            (element("p", sentence) for sentence in str(result).splitlines()),
            table(
                ("example", "outcome", "score", "asked", "answered"),
                map(_cells, shown),
            ),
            element("p", more) if more else None,
        )
    )


def _cells(row: ResultRow) -> tuple[str, ...]:
    asked, _ = asked_and_expected(row.example)
    return (
        name_of(row),
        row.kind,
        "" if row.score is None else brief(row.score),
        line(text_of(next(iter(asked.values()), None))),
        answered(row),
    )
