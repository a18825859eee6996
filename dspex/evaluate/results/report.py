"""What an evaluation found, as rows: in a table on the screen, and in a file."""

from __future__ import annotations

import codecs
import csv
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from dspex.core.adapters.render import render_value, whole_value
from dspex.core.errors import ConfigurationError, EvaluationError
from dspex.core.example import Example
from dspex.core.safe_text import safe_text
from dspex.core.whole_files import check_place, written_whole
from dspex.evaluate.results.export import disarmed
from dspex.evaluate.results.result import EvaluationResult

WIDEST_CELL: Final = 40
"""Characters of a value that a table shows."""

HALVES: Final = "replace"
"""What becomes of half a character, which no file of UTF-8 can hold."""

TableRow = dict[str, Any]
"""An example's fields, the prediction's and the scores, by name."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Where a result goes besides to the caller.

    Raises:
        ConfigurationError: A file cannot be written where it is to be, or a number of
            rows makes no sense.
    """

    table: bool | int = False
    """Whether a table is printed; a number prints that many rows."""
    csv: Path | None = None
    """The file of rows for a spreadsheet."""
    json: Path | None = None
    """The file of rows with their values whole."""
    traceback: bool = False
    """Whether each failure is logged with the end of its traceback."""

    def __post_init__(self) -> None:
        table: Any = self.table
        if not (isinstance(table, int) and table >= 0):
            raise ConfigurationError(
                f"display_table is {table!r}; it must be True, False, or how many "
                "rows to print. Leave it out to print none."
            )
        for name, path in (("save_as_csv", self.csv), ("save_as_json", self.json)):
            if path is not None:
                check_place(path, name)

    def give(self, result: EvaluationResult, metric: str) -> None:
        """Print and write what was asked for.

        Args:
            result: What was found.
            metric: What the score is called.

        Raises:
            EvaluationError: Rows could not be printed or written; it holds the result.
        """
        if self.traceback:
            _log_failures(result)
        if not (self.table or self.csv or self.json):
            return
        rows = rows_of(result, metric)
        try:
            if self.table:
                most = None if self.table is True else int(self.table)
                _print("\n".join(table_lines(rows, most)))
            if self.csv is not None:
                _write_csv(self.csv, rows)
            if self.json is not None:
                _write_json(self.json, rows)
        except OSError as error:
            raise EvaluationError(
                f"the rows could not be given: {error}; the evaluation itself has "
                "ended. Take what it found from .result.",
                result=result,
            ) from error


def rows_of(result: EvaluationResult, metric: str) -> list[TableRow]:
    """Return a row for each example, in order, named as DSPy names its columns.

    A field that example and prediction share becomes `example_...` and `pred_...`;
    what has no fields stands under `prediction`.

    Args:
        result: What was found.
        metric: The name of the score; a metric of several numbers has its own names.
    """
    rows = []
    for number, (example, prediction, score) in enumerate(result.results):
        scores: TableRow = {
            name: column[number] for name, column in result.columns.items()
        }
        rows.append(_merged(example, prediction) | (scores or {metric: score}))
    return rows


def table_lines(rows: Sequence[TableRow], most: int | None = None) -> Iterator[str]:
    r"""Yield a table as text: a heading, then a line for each row.

    Args:
        rows: What is shown.
        most: How many of them; all by default.

    Example:
        >>> rows = [{"n": 1, "right": True}, {"n": 10, "right": False}]
        >>> print("\n".join(table_lines(rows, 1)))
        n  right
        1  True
        (1 more row)
    """
    shown = rows[:most]
    names = _names(shown)
    heading = [_cell(name) for name in names]
    lines = [heading, *([_cell(row.get(name, "")) for name in names] for row in shown)]
    widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()
    left = len(rows) - len(shown)
    if left:
        yield f"({left} more row{'s' if left > 1 else ''})"


def _merged(example: Example, prediction: Any) -> TableRow:
    given = _fields(example)
    if not isinstance(prediction, Example | Mapping):
        return given | {"prediction": prediction}
    gave = _fields(prediction)
    shared = given.keys() & gave.keys()
    return {
        **{
            f"example_{name}" if name in shared else name: given[name] for name in given
        },
        **{f"pred_{name}" if name in shared else name: gave[name] for name in gave},
    }


def _fields(value: Example | Mapping[str, Any]) -> TableRow:
    if not isinstance(value, Example):
        return dict(value)
    plain = value.toDict()
    return {name: plain[name] for name in value}


def _names(rows: Sequence[TableRow]) -> list[str]:
    # A row that failed lacks the fields of a prediction, so none names all columns.
    return list(dict.fromkeys(name for row in rows for name in row))


def _cell(value: Any) -> str:
    text = safe_text(" ".join(_text(value).split()), keep="")
    return text if len(text) <= WIDEST_CELL else f"{text[: WIDEST_CELL - 3]}..."


def _text(value: Any) -> str:
    return str(value) if isinstance(value, float) else render_value(value)


def _print(text: str) -> None:
    """Print a text; what the output has no characters for, by their numbers."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))  # noqa: T201 - asked for


def _write_csv(path: Path, rows: Sequence[TableRow]) -> None:
    names = _names(rows)
    with written_whole(path) as file:
        writer = csv.writer(codecs.getwriter("utf-8")(file, HALVES))
        writer.writerow(map(disarmed, names))
        for row in rows:
            given = {name: one for name, one in row.items() if one is not None}
            texts = {name: _text(one) for name, one in given.items()}
            writer.writerow(disarmed(texts.get(name, "")) for name in names)


def _write_json(path: Path, rows: Sequence[TableRow]) -> None:
    text = json.dumps(whole_value(list(rows)), indent=2, ensure_ascii=False)
    with written_whole(path) as file:
        file.write(f"{text}\n".encode(errors=HALVES))


def _log_failures(result: EvaluationResult) -> None:
    for outcome in result.failures:
        _logger.error(
            "example %d failed by %s:\n%s",
            outcome.stamp.example,
            outcome.kind.value,
            "" if outcome.error is None else safe_text(outcome.error.where),
        )
