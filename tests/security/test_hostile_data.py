"""A data file may hold anything; reading it costs little and names the line (S24)."""

from __future__ import annotations

import os
import tracemalloc
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
