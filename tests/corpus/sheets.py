"""Spreadsheets as the usual programs save them, as bytes with what they say."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.corpus.texts import TEXTS, rows, seen

Row = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file and what it says."""

    make: Callable[[], bytes]
    """Makes the file."""
    rows: Callable[[], list[Row]]
    """Makes what is to be read from it."""
    suffix: str = ".csv"
    """The end of its name."""


def _written(given: list[Row], **form: Any) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(given[0]), **form)
    writer.writeheader()
    writer.writerows(given)
    return text.getvalue().encode()


COUNTRIES: Final[list[Row]] = [
    {"country": "Peru", "capital": "Lima"},
    {"country": "Côte d'Ivoire", "capital": "Yamoussoukro, de jure"},
    {"country": "Bolivia", "capital": "Sucre\nand La Paz"},
    {"country": 'Land of "quotes"', "capital": "a;b"},
    {"country": "日本", "capital": "東京"},
]
IDENTICAL: Final[list[Row]] = [{"country": "Peru", "capital": "Lima"}] * 5
ONE: Final[list[Row]] = COUNTRIES[:1]
# No CSV file can hold half a character, nor NUL on every Python.
SAVED: Final[list[Row]] = [
    {"name": name, "text": seen(text).replace("\x00", "")}
    for name, text in TEXTS.items()
]

SHEETS: Final[Mapping[str, Sheet]] = {
    "plain": Sheet(
        make=lambda: _written(COUNTRIES, lineterminator="\n"), rows=lambda: COUNTRIES
    ),
    "crlf": Sheet(make=lambda: _written(COUNTRIES), rows=lambda: COUNTRIES),
    "byte order mark": Sheet(
        make=lambda: b"\xef\xbb\xbf" + _written(COUNTRIES), rows=lambda: COUNTRIES
    ),
    "semicolons": Sheet(
        make=lambda: _written(COUNTRIES, delimiter=";"), rows=lambda: COUNTRIES
    ),
    "semicolons and a comma in a quoted name": Sheet(
        make=lambda: b'"a, or b";c\r\n1,5;2\r\n',
        rows=lambda: [{"a, or b": "1,5", "c": "2"}],
    ),
    "a semicolon in a name": Sheet(
        make=lambda: b"a;b,c\n1;2,3\n", rows=lambda: [{"a;b": "1;2", "c": "3"}]
    ),
    "semicolons and byte order mark": Sheet(
        make=lambda: b"\xef\xbb\xbf" + _written(COUNTRIES, delimiter=";"),
        rows=lambda: COUNTRIES,
    ),
    "tabs": Sheet(
        make=lambda: _written(COUNTRIES, delimiter="\t"),
        rows=lambda: COUNTRIES,
        suffix=".tsv",
    ),
    "all quoted": Sheet(
        make=lambda: _written(COUNTRIES, quoting=csv.QUOTE_ALL), rows=lambda: COUNTRIES
    ),
    "no last newline": Sheet(make=lambda: _written(ONE).rstrip(), rows=lambda: ONE),
    "blank lines at the end": Sheet(
        make=lambda: _written(ONE) + b"\r\n\r\n", rows=lambda: ONE
    ),
    "identical rows": Sheet(make=lambda: _written(IDENTICAL), rows=lambda: IDENTICAL),
    "every text": Sheet(
        make=lambda: _written(SAVED, quoting=csv.QUOTE_ALL), rows=lambda: SAVED
    ),
    "100,000 rows": Sheet(
        make=lambda: _written(list(rows(100_000))), rows=lambda: list(rows(100_000))
    ),
}
"""Spreadsheets by name."""
