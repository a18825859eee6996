"""Tables of other libraries as rows, known by their shape and never imported.

A pandas or polars data frame and an Arrow table do not give their rows when they are
looped over; everything else that holds rows (lists, generators, Hugging Face's
`Dataset`) does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dspex.core.errors import DataError


def rows_of(source: Any) -> Iterable[Any]:
    """Return the rows of a table, and anything else as it is.

    Missing values of a pandas frame (NaN, NaT, NA) are `None`. Its index is left out.

    Raises:
        DataError: When the source is a mapping, such as one of several data sets, or
            its columns have no distinct names.
    """
    if isinstance(source, Mapping):
        raise DataError(
            f"the rows come as a mapping with the keys {_listed(source)}; a list of "
            "rows was expected. Pass one of its values, such as dataset['train'], or "
            "[row] for a single row."
        )
    if _has(source, "iter_rows", "columns"):  # polars
        return source.iter_rows(named=True)  # type: ignore[no-any-return] # known by its shape
    if _has(source, "to_batches", "column_names"):  # Arrow
        return _arrow_rows(source)
    if _has(source, "to_dict", "notna", "columns"):  # pandas
        return _pandas_rows(source)
    return source  # type: ignore[no-any-return] # the loop over it finds out


def _has(source: Any, *names: str) -> bool:
    return all(hasattr(type(source), name) for name in names)


def _arrow_rows(table: Any) -> Iterator[Any]:
    _check_distinct(table.column_names)
    for batch in table.to_batches():
        yield from batch.to_pylist()


def _pandas_rows(frame: Any) -> Iterable[Any]:
    _check_distinct(frame.columns)
    # As objects first: a column of numbers would make NaN of None again.
    plain = frame.astype(object).where(frame.notna(), None)
    return plain.to_dict(orient="records")  # type: ignore[no-any-return] # known by its shape


def _check_distinct(columns: Iterable[Any]) -> None:
    seen: set[Any] = set()
    for name in columns:
        if name in seen:
            raise DataError(
                f"the table names the column {name!r} twice; each name once was "
                "expected. Rename one of the two."
            )
        seen.add(name)


def _listed(names: Iterable[Any]) -> str:
    shown = [repr(name) for name in names]
    return ", ".join(shown[:8]) + (", ..." if len(shown) > 8 else "") or "none"
