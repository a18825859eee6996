"""A data file may hold anything; reading it costs little and names the line (S24)."""

from __future__ import annotations

import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest

import dspex
from dspex.core.data.files import MAX_LINE_BYTES

GIGABYTE = 1 << 30


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv"])
def test_a_line_of_a_gigabyte_is_refused_in_little_memory(
    suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"rows{suffix}"
    with path.open("wb") as file:
        file.write(b'{"question": "q"}\n' if suffix == ".jsonl" else b"question\n")
    os.truncate(path, GIGABYTE)  # one line without an end, that takes no disk

    tracemalloc.start()
    try:
        with pytest.raises(dspex.DataError) as refused:
            dspex.load(path, inputs=["question"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert f"{path}, line 2: this line is longer than" in str(refused.value)
    assert peak < 4 * MAX_LINE_BYTES


def test_a_json_file_of_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.touch()
    os.truncate(path, GIGABYTE)

    with pytest.raises(dspex.DataError, match=r"rows\.json has 1073741824 bytes"):
        dspex.load(path, inputs=["question"])


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".json"])
@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (b"caf\xe9", "this line is not UTF-8"),
        ("caf\u00e9".encode("utf-16"), "this line is not UTF-8"),
        (b"a\0b", "this line holds a NUL byte"),
    ],
    ids=["latin-1", "utf-16", "NUL"],
)
def test_bytes_that_are_no_text_are_told_with_their_line(
    suffix: str, bad: bytes, told: str, tmp_path: Path
) -> None:
    path = tmp_path / f"rows{suffix}"
    heads = {".jsonl": b'{"question": "q"}\n', ".json": b"[\n"}
    path.write_bytes(heads.get(suffix, b"question\n") + b'"' + bad + b'"\n')

    with pytest.raises(dspex.DataError) as refused:
        dspex.load(path, inputs=["question"])

    assert f"{path}, line 2: {told}" in str(refused.value)


def test_a_parquet_file_that_says_one_text_a_million_times_takes_little_memory(
    tmp_path: Path,
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path, text = tmp_path / "bomb.parquet", "x" * 4_000_000
    # Kilobytes on the disk, and 80 gigabytes when each row has a text of its own.
    column = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array([0] * 20_000, pyarrow.int32()), pyarrow.array([text])
    )
    parquet.write_table(pyarrow.table({"q": column}), path)
    assert path.stat().st_size < MAX_LINE_BYTES / 16

    before = pyarrow.default_memory_pool().max_memory()
    tracemalloc.start()
    try:
        rows = dspex.load(path, inputs=["q"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (len(rows), rows[-1].q) == (20_000, text)
    assert peak < 4 * MAX_LINE_BYTES
    assert pyarrow.default_memory_pool().max_memory() - before < 4 * MAX_LINE_BYTES


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"PAR1 caf\xe9 PAR1", b"PAR1" + b"\xff" * 99 + b"PAR1"],
)
def test_bytes_that_are_no_parquet_are_an_error_with_the_files_name(
    content: bytes, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "rows.parquet"
    path.write_bytes(content)

    with pytest.raises(dspex.DataError, match=r"rows\.parquet is no Parquet file"):
        dspex.load(path, inputs=["q"])


@pytest.mark.parametrize("name", ["rows.zip", "rows.jsonl.gz"])
def test_an_archive_is_refused_unopened(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.touch()
    os.truncate(path, GIGABYTE)

    with pytest.raises(dspex.DataError, match=r"the known ones are: \.csv"):
        dspex.load(path, inputs=["q"])


def test_an_archive_under_another_name_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rows.jsonl", '{"q": 1}\n' * 9)

    with pytest.raises(dspex.DataError, match=r"rows\.jsonl, line 1: "):
        dspex.load(path, inputs=["q"])
