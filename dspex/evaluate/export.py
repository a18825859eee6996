"""The rows of a result in files: CSV for spreadsheets, JSON lines for programs.

Rows are written one by one, so that a result over a stream needs no more memory than
a short one, and a file is there whole or not at all.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dspex.core.lm import Usage
from dspex.core.whole_files import check_place, written_whole
from dspex.evaluate.outcome import Outcome
from dspex.evaluate.plain import fields_of, plain, text_of
from dspex.evaluate.rows import ResultRow, rows_in_order

if TYPE_CHECKING:
    from dspex.evaluate.result import EvaluationResult

Record = dict[str, Any]
"""One row as JSON holds it."""

GROUPS: Final = ("columns", "example", "prediction")
"""The parts of a record that are objects of the user's own names."""

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
    names = list(dict.fromkeys(name for cells in _cells(result) for name in cells))
    with written_whole(Path(path)) as file:
        writer = csv.writer(codecs.getwriter("utf-8")(file, "replace"))
        writer.writerow(_safe(name, raw=raw) for name in names)
        for cells in _cells(result):
            writer.writerow(_safe(cells.get(name, ""), raw=raw) for name in names)


def record_of(row: ResultRow) -> Record:
    """Return a row as JSON holds it. The names are the same for every row."""
    outcome = row.outcome
    return {
        "number": row.number,
        "trial": row.trial,
        "outcome": row.kind,
        "stage": None if outcome is None else outcome.stage,
        "score": plain(row.score),
        "counted": plain(row.counted),
        "columns": {} if outcome is None else plain(dict(outcome.columns)),
        "feedback": None if outcome is None else outcome.feedback,
        "error": _error(outcome),
        **_spent(outcome),
        "example": _plain_fields(row.example),
        "prediction": {} if outcome is None else _plain_fields(outcome.prediction),
    }


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


def _error(outcome: Outcome | None) -> Record | None:
    if outcome is None or outcome.error is None:
        return None
    error = outcome.error
    return {"type": error.type, "text": error.message, "where": error.where}


def _spent(outcome: Outcome | None) -> Record:
    usage = Usage() if outcome is None else outcome.usage
    return {
        "attempts": 0 if outcome is None else outcome.stamp.attempt,
        "seconds": 0.0 if outcome is None else outcome.latency,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost": None if outcome is None else outcome.cost,
        "calls": 0 if outcome is None else outcome.calls,
        "cached": 0 if outcome is None else outcome.cached,
    }


def _plain_fields(value: Any) -> Record:
    return {name: plain(one) for name, one in fields_of(value).items()}


def _line(record: Record) -> bytes:
    try:
        return f"{json.dumps(record, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:
        # Half a character (of a broken text) has no UTF-8; JSON's escape holds it.
        return f"{json.dumps(record)}\n".encode()


def _cells(result: EvaluationResult) -> Iterator[dict[str, str]]:
    """Yield each row as text, the users' own names behind that of their group."""
    for row in rows_in_order(result):
        record = record_of(row)
        groups = {group: record.pop(group) for group in GROUPS}
        error = record.pop("error") or {"type": None, "text": None}
        record |= {f"error.{name}": error[name] for name in ("type", "text")}
        for group, fields in groups.items():
            record |= {f"{group}.{name}": one for name, one in fields.items()}
        yield {name: text_of(one) for name, one in record.items()}


def _safe(text: str, *, raw: bool) -> str:
    return text if raw else disarmed(text)
