"""Rows of a Parquet file, through pyarrow, which the extra `parquet` brings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dspex.core.errors import ConfigurationError, DataError

BATCH_ROWS = 1_000
"""So many rows are in memory beside those that are kept."""


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
        with parquet.ParquetFile(path) as file:
            _check_names(path, file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                yield from batch.to_pylist()
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
