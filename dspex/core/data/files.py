"""Reading rows from CSV, TSV, JSONL, JSON and Parquet files.

Whatever is wrong with a file ends in a `DataError` that names the file and the line.
Knows nothing of examples or inputs.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any, NoReturn

from dspex.core.data.parquet import parquet_rows
from dspex.core.errors import DataError, MissingFileError

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line in a CSV, TSV or JSONL file is taken for a mistake."""

MAX_JSON_BYTES = 256 * 1024 * 1024
"""A longer JSON file is refused: it has to be in memory as a whole, several times."""


SEPARATORS = ",;\t"
"""What may stand between the values of a `.csv` file; the first one, when in doubt."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file."""

    fields: dict[str, Any]
    """The row's values by field; the reader may keep it."""
    line: int | None
    """The line it begins on, counted from 1; `None` in a JSON or Parquet file."""


Bad = Callable[[DataError], None]
"""Hears of a row that cannot be read."""


def _raise(error: DataError) -> NoReturn:
    raise error


def read_rows(path: Path, bad: Bad = _raise) -> Iterator[Row]:
    """Yield every row of a file; its suffix says the format.

    A file of lines is read as the rows are taken, and is never in memory as a whole.

    Args:
        path: The file.
        bad: Hears of each row that cannot be read, and the others are read; by default
            the first is raised. What spoils the whole file is raised in any case.

    Raises:
        MissingFileError: When there is no such file.
        DataError: When the file cannot be read or holds no row.
        ConfigurationError: When the format takes a package that is not installed.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        if not path.exists():
            raise _missing(path)
        raise DataError(
            f"{path} has the suffix {path.suffix!r}; the known ones are: "
            f"{', '.join(_READERS)}. Rename the file, or read it yourself and pass "
            "the rows as a list of dicts.",
            path=path,
        )
    is_empty = True

    def noted(error: DataError) -> None:
        nonlocal is_empty
        is_empty = False
        bad(error)

    try:
        for row in reader(path, noted):
            is_empty = False
            yield row
    except FileNotFoundError as error:
        raise _missing(path) from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. Pass a file you may "
            "read.",
            path=path,
        ) from error
    if is_empty:
        raise DataError(
            f"{path} holds no row; at least one was expected. Add rows to it.",
            path=path,
        )


def _missing(path: Path) -> MissingFileError:
    return MissingFileError(
        f"there is no file or folder {str(path)!r}, seen from {Path.cwd()}; something "
        "to load was expected there. Check the name, or pass an absolute path.",
        path=path,
    )


def _csv_rows(path: Path, bad: Bad, separator: str | None = None) -> Iterator[Row]:
    texts = _lines(path)
    head = _up_to_text(texts)
    skipped = 0
    said = re.fullmatch(r"sep=(.)\s*", head[-1] if head else "", re.IGNORECASE)
    if said and separator is None:
        # Spreadsheets write their separator there, where no header could stand.
        separator, skipped, head = said[1], len(head), []
    separator = separator or separator_of(head[-1] if head else "")
    rows = csv.reader(chain(head, texts), delimiter=separator, strict=True)
    columns: list[str] = []
    starts_at = 1 + skipped
    try:
        for values in rows:
            if values and not columns:
                line = rows.line_num + skipped
                columns = _checked_header(path, line, values)
            elif values:
                if len(values) == len(columns):
                    yield Row(dict(zip(columns, values, strict=True)), starts_at)
                else:
                    bad(_of_other_width(path, starts_at, columns, values))
            starts_at = rows.line_num + skipped + 1
    except csv.Error as error:
        if "new-line character" in str(error):
            problem = (
                "the lines of this file end with a carriage return alone. Save it with "
                "the line ends of Unix or of Windows."
            )
            _fail(path, starts_at, problem, error)
        _fail(
            path,
            starts_at,
            f"the row that begins here is not valid CSV: {error}. Close the quotes, "
            'write a quote inside quotes as "", or keep very long texts in JSONL.',
            error,
        )


def _up_to_text(texts: Iterator[str]) -> list[str]:
    """Take the first line that is not blank, and those before it."""
    taken = []
    for text in texts:
        taken.append(text)
        if text.strip():
            break
    return taken


def separator_of(header: str) -> str:
    """Return what separates the names in a header: a comma, a semicolon or a tab.

    It is the one that stands there most often outside of quotes; a comma, when none
    does or two do equally often.

    Example:
        >>> separator_of('country;"capital, or seat"'), separator_of("country")
        (';', ',')
    """
    bare = re.sub(r'"(?:[^"]|"")*"', "", header)
    return max(SEPARATORS, key=bare.count)


def _tsv_rows(path: Path, bad: Bad) -> Iterator[Row]:
    return _csv_rows(path, bad, separator="\t")


def _parquet_rows(path: Path, _bad: Bad) -> Iterator[Row]:
    return (Row(fields, None) for fields in parquet_rows(path))


def _jsonl_rows(path: Path, bad: Bad) -> Iterator[Row]:
    for number, raw in _raw_lines(path):
        try:
            text = _decoded(path, raw, first_line=number)
            row = _jsonl_row(path, number, text) if text.strip() else None
        except DataError as error:
            bad(error)
        else:
            if row is not None:
                yield row


def _jsonl_row(path: Path, number: int, text: str) -> Row:
    # Without its end, as what lacks something there is a fault of this line.
    value = _parsed_json(text.rstrip(), path, first_line=number)
    if not isinstance(value, dict):
        _fail(
            path,
            number,
            f"this line is a JSON {_json_name(value)}; an object was "
            'expected. Write each row as {"field": value, ...} on one line.',
        )
    return Row(value, number)


def _json_rows(path: Path, bad: Bad) -> Iterator[Row]:
    text = _decoded(path, _whole(path), first_line=1)
    if _is_jsonl(text):
        raise DataError(
            f"{path} has an object on each line; a list of objects was expected in a "
            f"file that ends in {path.suffix}. Name it {path.stem}.jsonl.",
            path=path,
        )
    rows = _parsed_json(text, path, first_line=1) if text.strip() else []
    if not isinstance(rows, list):
        raise DataError(
            f"{path} is a JSON {_json_name(rows)}; a list of objects was expected. "
            'Write [{"field": value, ...}, ...].',
            path=path,
        )
    for position, value in enumerate(rows):
        if isinstance(value, dict):
            yield Row(value, None)
            continue
        bad(
            DataError(
                f"{path}: row {position} is a JSON {_json_name(value)}; an object was "
                'expected. Write each row as {"field": value, ...}.',
                path=path,
            )
        )


def _is_jsonl(text: str) -> bool:
    """Whether the first line is an object by itself, and there are more lines."""
    first, _, rest = text.lstrip().partition("\n")
    try:
        return rest.lstrip().startswith("{") and isinstance(json.loads(first), dict)
    except ValueError:
        return False


_READERS: Mapping[str, Callable[[Path, Bad], Iterator[Row]]] = {
    ".csv": _csv_rows,
    ".tsv": _tsv_rows,
    ".jsonl": _jsonl_rows,
    ".ndjson": _jsonl_rows,
    ".json": _json_rows,
    ".parquet": _parquet_rows,
}


def _lines(path: Path) -> Iterator[str]:
    return (_decoded(path, raw, first_line=at) for at, raw in _raw_lines(path))


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    # Only "\n" ends a line: a lone "\r" may be part of a quoted CSV value.
    with path.open("rb") as file:
        for number in count(1):
            raw = file.readline(MAX_LINE_BYTES + 1)
            if not raw:
                return
            if len(raw) > MAX_LINE_BYTES:
                _fail(
                    path,
                    number,
                    f"this line is longer than {MAX_LINE_BYTES} bytes; a row was "
                    "expected. Check that the file has line breaks.",
                )
            yield number, raw


def _whole(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_JSON_BYTES:
        raise DataError(
            f"{path} has {size} bytes; a JSON file is read as a whole, so at most "
            f"{MAX_JSON_BYTES} were expected. Write it as .jsonl, an object in a line.",
            path=path,
        )
    return path.read_bytes()


def _decoded(path: Path, raw: bytes, *, first_line: int) -> str:
    encoding = "utf-8-sig" if first_line == 1 else "utf-8"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = first_line + raw.count(b"\n", 0, error.start)
        _fail(path, line, "this line is not UTF-8. Save the file as UTF-8.", error)
    if "\0" in text:
        line = first_line + text.count("\n", 0, text.index("\0"))
        _fail(path, line, "this line holds a NUL byte. Save the file as UTF-8 text.")
    return text


def _checked_header(path: Path, line: int, columns: list[str]) -> list[str]:
    for position, name in enumerate(columns):
        if not name.strip():
            _fail(
                path,
                line,
                f"column {position + 1} of the header has no name; every column needs "
                "one. Name it, or write the file without its index column.",
            )
        if name in columns[:position]:
            _fail(
                path,
                line,
                f"the header names the column {name!r} twice; each name once was "
                "expected. Rename one of the two.",
            )
    return columns


def _of_other_width(
    path: Path, line: int, columns: list[str], values: list[str]
) -> DataError:
    return _failure(
        path,
        line,
        f"this row has {len(values)} values; the header has {len(columns)} columns "
        f"({_listed(columns)}). Fill it up, or put quotes around a value that holds "
        "the separator.",
    )


def _parsed_json(text: str, path: Path, *, first_line: int) -> Any:
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_object,
        )
        if "\\ud" in text.lower():
            # Half a surrogate pair is a text no request could ever carry.
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        problem = f"not valid JSON: {error.msg} at column {error.colno}"
        _fail(path, line, f"{problem}. Correct the line.", error)
    except RecursionError as error:
        _fail(path, first_line, "the JSON is nested too deeply. Flatten it.", error)
    except UnicodeEncodeError as error:
        problem = "a \\u escape is half of a surrogate pair. Correct the text"
        _fail(path, first_line, f"{problem}.", error)
    except ValueError as error:
        _fail(path, first_line, f"not valid JSON: {error}. Correct it.", error)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text} is too large")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice!r} is there twice in one object")
    return fields


def _json_name(value: Any) -> str:
    match value:
        case dict():
            return "object"
        case list():
            return "list"
        case str():
            return "string"
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case _:
            return "number"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _fail(
    path: Path, line: int, problem: str, cause: Exception | None = None
) -> NoReturn:
    raise _failure(path, line, problem) from cause


def _failure(path: Path, line: int, problem: str) -> DataError:
    return DataError(f"{path}, line {line}: {problem}", path=path, line=line)
