"""`dspex.load` reads every spreadsheet of the corpus, and every text in the others."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

import dspex
from tests.corpus import SHEETS, TEXTS, demos, rows, seen


@pytest.mark.parametrize("name", SHEETS)
def test_a_spreadsheet_says_what_was_saved(tmp_path: Path, name: str) -> None:
    sheet = SHEETS[name]
    path = tmp_path / f"sheet{sheet.suffix}"
    path.write_bytes(sheet.make())
    expected = sheet.rows()

    loaded = dspex.load(path, inputs=[next(iter(expected[0]))])

    assert [row.toDict() for row in loaded] == expected


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
@pytest.mark.parametrize("ensure_ascii", [False, True])
def test_json_says_what_was_saved(
    tmp_path: Path, suffix: str, ensure_ascii: bool
) -> None:
    path = tmp_path / f"rows{suffix}"
    saved = [{"name": name, "text": seen(text)} for name, text in TEXTS.items()]
    lines = [json.dumps(row, ensure_ascii=ensure_ascii) for row in saved]
    text = "\n".join(lines) if suffix == ".jsonl" else f"[{','.join(lines)}]"
    # A raw NUL would be no text file.
    path.write_bytes(text.encode())

    loaded = dspex.load(path, inputs=["text"])

    assert [row.toDict() for row in loaded] == saved


def test_rows_in_memory_are_taken_as_they_are() -> None:
    given = [{"name": name, "text": text} for name, text in TEXTS.items()]

    loaded = dspex.load(given, inputs=["text"])

    assert [row.toDict() for row in loaded] == given


def test_identical_rows_are_all_there_and_a_split_tells_of_them() -> None:
    loaded = dspex.load([{"n": 1, "answer": "same"}] * 100, inputs=["n"])

    with pytest.warns(UserWarning, match="50 of 50 rows of dev are in train"):
        train, dev = loaded.split(train=50)

    assert (len(loaded), len(train), len(dev)) == (100, 50, 50)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json"])
@pytest.mark.parametrize("content", ["", "\n\n", "question,answer\n"])
def test_no_row_is_an_error_that_says_so(
    tmp_path: Path, suffix: str, content: str
) -> None:
    path = tmp_path / f"empty{suffix}"
    path.write_text(content if suffix in {".csv", ".tsv"} else content.strip("qa,"))
    if suffix in {".jsonl", ".json"}:
        path.write_text("\n" * len(content.splitlines()))

    with pytest.raises(dspex.DataError, match="at least one was expected"):
        dspex.load(path, inputs=["question"])


def test_one_row_is_a_data_set() -> None:
    (row,) = dspex.load(rows(1), inputs=["question"])

    assert row.answer == "0"


def test_a_hundred_thousand_rows_are_loaded_and_split() -> None:
    loaded = dspex.load(rows(100_000), inputs=["question"])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train, dev = loaded.split(train=0.5)

    assert (len(loaded), len(train), len(dev)) == (100_000, 50_000, 50_000)
    assert loaded[99_999].number == "99999"


def test_demos_are_rows_too() -> None:
    loaded = dspex.load(demos(200), inputs=["question"])

    assert [row.answer for row in loaded] == [demo["answer"] for demo in demos(200)]
