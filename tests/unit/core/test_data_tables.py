"""Tables of other libraries: by their shape here, and the real ones where they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dspex.core.data import Dataset, load
from dspex.core.errors import DataError
from dspex.core.example import Example

ROWS: list[dict[str, Any]] = [
    {"country": "Peru", "people": 34, "share": 0.5, "since": dt.date(1821, 7, 28)},
    {"country": None, "people": None, "share": None, "since": None},
    {"country": "Peru", "people": 34, "share": 0.5, "since": dt.date(1821, 7, 28)},
]


class HuggingFaceLike:
    """Gives its rows when it is looped over, as `datasets.Dataset` does."""

    column_names = ["country"]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from ROWS

    def to_dict(self) -> dict[str, list[Any]]:
        raise NotImplementedError("the loop is the way")


class PolarsLike:
    """Gives its columns when it is looped over, as `polars.DataFrame` does."""

    columns = ["country"]

    def __iter__(self) -> Iterator[list[Any]]:
        yield [row["country"] for row in ROWS]

    def iter_rows(self, *, named: bool) -> Iterator[dict[str, Any]]:
        assert named
        yield from ROWS


class ArrowBatch:
    def to_pylist(self) -> list[dict[str, Any]]:
        return ROWS


class ArrowLike:
    """Has its rows in batches, as `pyarrow.Table` does."""

    column_names = ["country"]

    def to_batches(self) -> list[ArrowBatch]:
        return [ArrowBatch(), ArrowBatch()]


def test_a_hugging_face_data_set_is_looped_over() -> None:
    assert load(HuggingFaceLike(), inputs=["country"]) == Dataset(map(Example, ROWS))


def test_a_polars_frame_is_read_by_rows() -> None:
    assert load(PolarsLike()) == Dataset(map(Example, ROWS))  # type: ignore[arg-type] # known by its shape


def test_an_arrow_table_is_read_in_batches() -> None:
    table: Any = ArrowLike()

    assert load(table) == Dataset(map(Example, [*ROWS, *ROWS]))


def test_a_pandas_frame_gives_its_rows_and_no_nan() -> None:
    pandas = pytest.importorskip("pandas", reason="reads a real data frame")
    frame = pandas.DataFrame(ROWS, index=[7, 8, 9])

    loaded = load(frame, inputs=["country"])

    assert [row.toDict() for row in loaded] == ROWS
    assert type(loaded[0].share) is float
    assert loaded[0].inputs().keys() == ["country"]


def test_a_frame_with_a_name_twice_is_refused() -> None:
    pandas = pytest.importorskip("pandas", reason="reads a real data frame")
    frame = pandas.DataFrame([[1, 2]], columns=["a", "a"])

    with pytest.raises(DataError, match="names the column 'a' twice"):
        load(frame)


def test_times_and_whole_numbers_of_a_frame_stay_what_they_are() -> None:
    pandas = pytest.importorskip("pandas", reason="reads a real data frame")
    frame = pandas.DataFrame(
        {"n": [1, 2], "at": pandas.to_datetime(["2026-01-02", None])}
    )

    first, second = load(frame)

    assert (type(first.n), first.n) == (int, 1)
    assert first["at"] == dt.datetime(2026, 1, 2)  # noqa: DTZ001 - as the frame has it
    assert second["at"] is None


def test_a_parquet_file_gives_its_rows(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="reads a real Parquet file")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.PARQUET"
    parquet.write_table(pyarrow.Table.from_pylist(ROWS * 1000), path)

    loaded = load(path, inputs=["country"])

    assert [row.toDict() for row in loaded] == ROWS * 1000
    assert load(pyarrow.Table.from_pylist(ROWS)) == Dataset(map(Example, ROWS))


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="reads a real Parquet file")
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 but no more")

    with pytest.raises(DataError, match="no Parquet file that can be read") as caught:
        load(path)

    assert caught.value.path == path
    with pytest.raises(DataError, match="there is no file"):
        load(tmp_path / "nowhere.parquet")


def test_an_input_that_a_parquet_file_lacks_is_named(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="reads a real Parquet file")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([{"a": 1}]), path)

    with pytest.raises(DataError, match=r"a\.parquet: there is no field 'b'"):
        load(path, inputs=["b"])
