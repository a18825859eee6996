"""A result or a comparison as the few lines a notebook shows below a cell."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element

from dspex.core.elements import element, written
from dspex.evaluate.compare import Comparison, RowDifference, told_beside_rows
from dspex.evaluate.html.comparison import became_worse_first, both_answers
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
    rows = table(
        ("example", "outcome", "score", "asked", "answered"), map(_cells, shown)
    )
    left = result.n - len(shown)
    return _shown(str(result).splitlines(), rows, f"{left:,} more rows" if left else "")


def comparison_html(comparison: Comparison) -> str:
    """Return a comparison's verdict, and the rows that differ, most became worse."""
    looked_at = islice(comparison.rows, MOST_LOOKED_AT)
    shown = nsmallest(MOST_SHOWN, looked_at, key=became_worse_first)
    first, second = comparison.names
    heading = ("example", first, second, "asked", "answers")
    rows = table(heading, map(_cells_of_both, shown), {1, 2}) if shown else None
    left = len(comparison.rows) - len(shown)
    more = f"{left:,} more rows that differ" if left else ""
    return _shown(told_beside_rows(comparison), rows, more)


def _shown(sentences: Iterable[str], rows: Element | None, more: str) -> str:
    return written(
        element(
            "div",
            (element("p", sentence) for sentence in sentences),
            rows,
            element("p", f"{more}; report(path) shows them.") if more else None,
        )
    )


def _cells_of_both(row: RowDifference) -> tuple[str, ...]:
    asked, _ = asked_and_expected(row.example)
    return (
        str(row.number),
        brief(row.first_score),
        brief(row.second_score),
        line(text_of(next(iter(asked.values()), None))),
        both_answers(row),
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
