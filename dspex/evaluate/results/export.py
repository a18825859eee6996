"""The rows of a result in files: CSV for spreadsheets, JSON lines for programs.

Rows are written one by one, so that a result over a stream needs no more memory than
a short one, and a file is there whole or not at all.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dspex.core.whole_files import check_place, written_whole
from dspex.evaluate.results.cells import as_json, fields_of, text_of
from dspex.evaluate.results.outcome import NO_USAGE, ErrorNote
from dspex.evaluate.results.rows import ResultRow, rows_in_order

if TYPE_CHECKING:
    from dspex.evaluate.results.result import EvaluationResult

Record = dict[str, Any]
"""One row as JSON holds it."""

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

# Also full-width signs, and after blanks: some spreadsheets take those for formulas.
_FORMULA: Final = re.compile(r"'*[\s\x00-\x20]*[=+\-@＝＋－＠]|'*[\t\r\n]")  # noqa: RUF001 - the full-width signs are meant


def save_jsonl(result: EvaluationResult, path: str | Path) -> None:
    """Write a line of JSON for each row; see `EvaluationResult.save_jsonl`."""
    check_place(Path(path))
    with written_whole(Path(path)) as file:
        for row in rows_in_order(result):
            file.write(_line(record_of(row)))


def save_csv(result: EvaluationResult, path: str | Path, *, raw: bool = False) -> None:
    """Write a line of cells for each row; see `EvaluationResult.save_csv`."""
    check_place(Path(path))
    # Twice through the rows, because the heading needs the names of all.
    names = list(
        dict.fromkeys(name for row in rows_in_order(result) for name in cells_of(row))
    )
    with written_whole(Path(path)) as file:
        writer = csv.writer(codecs.getwriter("utf-8")(file, "replace"))
        writer.writerow(_safe(name, raw=raw) for name in names)
        for row in rows_in_order(result):
            cells = cells_of(row)
            writer.writerow(_safe(cells.get(name, ""), raw=raw) for name in names)


def record_of(row: ResultRow) -> Record:
    """Return a row as JSON holds it. The names are the same for every row."""
    error = _error(row)
    return {
        **{name: as_json(one) for name, one in _told(row).items()},
        "error": None
        if error is None
        else {"type": error.type, "text": error.message, "where": error.where},
        **{
            group: {name: as_json(one) for name, one in given.items()}
            for group, given in _groups(row).items()
        },
    }


def cells_of(row: ResultRow) -> dict[str, str]:
    """Return a row as text, the users' own names behind that of their group."""
    error = _error(row)
    told = {
        **_told(row),
        "error.type": None if error is None else error.type,
        "error.text": None if error is None else error.message,
    }
    for group, given in _groups(row).items():
        told |= {f"{group}.{name}": one for name, one in given.items()}
    return {name: text_of(one) for name, one in told.items()}


def disarmed(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    One that starts like a formula gets an apostrophe in front, also one that starts
    like that after apostrophes, so that taking one away gives back the text. A number
    stays a number.

    Example:
        >>> [disarmed(text) for text in ("=1+1", "'=1+1", "-5", "Lima")]
        ["'=1+1", "''=1+1", '-5', 'Lima']
    """
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def _told(row: ResultRow) -> Record:
    outcome = row.outcome
    usage = NO_USAGE if outcome is None else outcome.usage
    return {
        "number": row.number,
        "trial": row.trial,
        "outcome": row.kind,
        "stage": None if outcome is None else outcome.stage,
        "score": row.score,
        "counted": row.counted,
        "attempts": 0 if outcome is None else outcome.stamp.attempt,
        "seconds": 0.0 if outcome is None else outcome.latency,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost": None if outcome is None else outcome.cost,
        "calls": 0 if outcome is None else outcome.calls,
        "cached": 0 if outcome is None else outcome.cached,
        "feedback": None if outcome is None else outcome.feedback,
    }


def _groups(row: ResultRow) -> dict[str, Mapping[str, Any]]:
    """Return what has names of the user's own, by whose names they are."""
    outcome = row.outcome
    return {
        "columns": {} if outcome is None else outcome.columns,
        "example": fields_of(row.example),
        "prediction": {} if outcome is None else fields_of(outcome.prediction),
    }


def _error(row: ResultRow) -> ErrorNote | None:
    return None if row.outcome is None else row.outcome.error


def _line(record: Record) -> bytes:
    try:
        return f"{json.dumps(record, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:
        # Half a character (of a broken text) has no UTF-8; JSON's escape holds it.
        return f"{json.dumps(record)}\n".encode()


def _safe(text: str, *, raw: bool) -> str:
    return text if raw else disarmed(text)
