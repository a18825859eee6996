"""Rows of a Parquet file, through pyarrow, which the extra `parquet` brings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dspex.core.errors import ConfigurationError, DataError

BATCH_ROWS = 1_000
"""So many rows are in memory beside those that are kept."""
MOST_BYTES = 4 * 1024 * 1024 * 1024
"""Unpacked bytes of a group of rows, which is read as a whole."""


def parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file, a batch at a time.

    Raises:
        ConfigurationError: When pyarrow is not installed.
        DataError: When this is no Parquet file, or two columns have one name.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ConfigurationError(
            f"{path} is a Parquet file, and reading one takes pyarrow, which is not "
            "installed. Install it: pip install 'dspex[parquet]'"
        ) from error
    try:
        with parquet.ParquetFile(path) as plain:
            names = plain.schema_arrow.names
            _check_names(path, names)
            _check_groups(path, plain.metadata)
            leaves = {plain.schema.column(n).path for n in range(len(plain.schema))}
            # Not those of lists and tables, which have longer paths.
            flat = [name for name in names if name in leaves]
        # A text that a few bytes repeat a million times is in memory once.
        shared: dict[str | bytes, str | bytes] = {}
        with parquet.ParquetFile(path, read_dictionary=flat) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                columns = [_cells(each, shared) for each in batch.columns]
                for cells in zip(*columns, strict=True):
                    yield dict(zip(names, cells, strict=True))
    except ArrowException as error:
        raise DataError(
            f"{path} is no Parquet file that can be read: {error}; a whole one was "
            "expected. Write it again.",
            path=path,
        ) from error


def _check_names(path: Path, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DataError(
                f"{path} has two columns called {name!r}; each name once was "
                "expected. Rename one of the two.",
                path=path,
            )


def _check_groups(path: Path, metadata: Any) -> None:
    for number in range(metadata.num_row_groups):
        size = metadata.row_group(number).total_byte_size
        if size > MOST_BYTES:
            raise DataError(
                f"{path} has {size:,} bytes in a group of rows, unpacked; at most "
                f"{MOST_BYTES:,} were expected. Write it in smaller groups.",
                path=path,
            )


def _cells(column: Any, shared: dict[str | bytes, str | bytes]) -> list[Any]:
    """Return the values of a column of a batch; texts that are the same, once."""
    if not hasattr(column, "indices"):
        found: list[Any] = column.to_pylist()
        return found
    known: dict[int | None, Any] = {None: None}
    for index in column.indices.to_pylist():
        if index not in known:
            value = column.dictionary[index].as_py()
            known[index] = shared.setdefault(value, value)
    return [known[index] for index in column.indices.to_pylist()]
