"""load, Dataset and split: what is read, what is refused, what is drawn."""

from __future__ import annotations

import csv
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.data import Dataset, DuplicateRowWarning, load
from dspex.core.data.faults import MOST_TOLD
from dspex.core.data.files import (
    MAX_LINE_BYTES,
    SEPARATORS,
    read_rows,
    separator_of,
)
from dspex.core.errors import ConfigurationError, DataError, MissingFileError
from dspex.core.example import Example

DRAW_OF_SEED_0 = [4, 0, 6, 9, 7, 2, 1, 5, 8, 3]
"""The order of ten rows; a change here changes everybody's scores."""

CSV = "country,capital\nPeru,Lima\nChile,Santiago\n"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    raw = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(raw)
    return path


def numbers(size: int) -> Dataset:
    return Dataset(Example(n=n) for n in range(size))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.CSV", CSV.replace("\n", "\r\n")),
        ("bom.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("blank.csv", "\n" + CSV.replace("\n", "\n\n")),
        ("no_last_newline.csv", CSV.rstrip()),
        ("a.tsv", CSV.replace(",", "\t")),
        ("semicolons.csv", CSV.replace(",", ";")),
        ("tabs.csv", CSV.replace(",", "\t")),
        ("blank_semicolons.csv", "\n\n" + CSV.replace(",", ";")),
        ("said.csv", "sep=|\r\n" + CSV.replace(",", "|")),
        ("excel.csv", b"\xef\xbb\xbfsep=;\r\n" + CSV.replace(",", ";").encode()),
        (
            "a.jsonl",
            (
                '{"country": "Peru", "capital": "Lima"}\n\n'
                '{"country": "Chile", "capital": "Santiago"}'
            ),
        ),
        (
            "bom.ndjson",
            (
                b'\xef\xbb\xbf{"country": "Peru", "capital": "Lima"}\n'
                b'{"country": "Chile", "capital": "Santiago"}\n'
            ),
        ),
        (
            "a.json",
            (
                '[{"country": "Peru", "capital": "Lima"},\n'
                ' {"country": "Chile", "capital": "Santiago"}]'
            ),
        ),
    ],
)
def test_each_format_gives_the_same_examples(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    path = write(tmp_path, name, content)

    loaded = load(path, inputs=["country"])

    assert loaded == load(str(path))
    assert [row.toDict() for row in loaded] == [
        {"country": "Peru", "capital": "Lima"},
        {"country": "Chile", "capital": "Santiago"},
    ]
    assert loaded[0].inputs().toDict() == {"country": "Peru"}


def test_csv_values_are_texts_and_json_values_keep_their_types(tmp_path: Path) -> None:
    table = write(tmp_path, "a.csv", 'n,text\n1,"two\nlines, ""quoted"""\n')
    lines = write(tmp_path, "a.jsonl", '{"n": 1, "xs": [1.5, null, true]}')

    assert load(table)[0].toDict() == {"n": "1", "text": 'two\nlines, "quoted"'}
    assert load(lines)[0].toDict() == {"n": 1, "xs": [1.5, None, True]}


@pytest.mark.parametrize(
    ("name", "content", "line", "text"),
    [
        ("a.csv", CSV + "Peru\n", 4, "this row has 1 values; the header has 2"),
        ("a.csv", CSV + 'a,"b\nc",d\n', 4, "this row has 3 values"),
        ("a.csv", CSV + 'a,"b\nc"\nd\n', 6, "this row has 1 values"),
        ("a.csv", CSV + 'a,"b\nc\n', 4, "the row that begins here is not valid CSV"),
        ("a.csv", "a,,b\n1,2,3\n", 1, "column 2 of the header has no name"),
        ("a.csv", "a,b,a\n1,2,3\n", 1, "names the column 'a' twice"),
        ("a.csv", "sep=;\na;b\n1\n", 3, "this row has 1 values"),
        ("a.csv", "sep=;\na;a\n1;2\n", 2, "names the column 'a' twice"),
        ("a.csv", CSV.encode() + b"\xff,x\n", 4, "is not UTF-8"),
        ("a.csv", CSV + "a,b\0\n", 4, "NUL"),
        ("a.csv", CSV + "x" * 200_000 + ",y\n", 4, "field larger than field limit"),
        ("a.csv", b"a\n" + b"x" * MAX_LINE_BYTES + b"\n", 2, "is longer than"),
        ("a.jsonl", '{"a": 1}\n{"a": }\n', 2, "not valid JSON.*column 7"),
        ("a.jsonl", '{"a": 1}\n{"a":\n', 2, "not valid JSON"),
        ("a.jsonl", '{"a": 1}\n\n[1]\n', 3, "this line is a JSON list"),
        ("a.jsonl", '{"a": 1}\nnull\n', 2, "this line is a JSON null"),
        ("a.jsonl", "true\n", 1, "this line is a JSON true"),
        ("a.jsonl", "12\n", 1, "this line is a JSON number"),
        ("a.jsonl", '"x"\n', 1, "this line is a JSON string"),
        ("a.jsonl", '{"a": NaN}\n', 1, "NaN is no JSON value"),
        ("a.jsonl", '{"a": -Infinity}\n', 1, "-Infinity is no JSON value"),
        ("a.jsonl", '{"a": 1e999}\n', 1, "the number 1e999 is too large"),
        ("a.jsonl", '{"a": 1, "a": 2}\n', 1, "the field 'a' is there twice"),
        ("a.jsonl", '{"a": "\\uD800"}\n', 1, "half of a surrogate pair"),
        ("a.jsonl", '{"a": ' + "[" * 200_000 + "\n", 1, "nested too deeply"),
        ("a.jsonl", '{"a": ' + "1" * 5000 + "}\n", 1, "not valid JSON"),
        ("a.json", '[{"a": 1},\n {"a": }]', 2, "not valid JSON"),
        ("a.json", b'[{"a": 1},\n {"a": "\xff"}]', 2, "is not UTF-8"),
        ("a.json", '[{"a": 1},\n\n {"a": "\0"}]', 3, "NUL"),
    ],
)
def test_a_broken_line_is_named(
    tmp_path: Path, name: str, content: str | bytes, line: int, text: str
) -> None:
    path = write(tmp_path, name, content)

    with pytest.raises(DataError, match=text) as caught:
        load(path)

    assert (caught.value.path, caught.value.line) == (path, line)
    assert str(caught.value).startswith(f"{path}, line {line}: ")


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.csv", "", "holds no row"),
        ("a.csv", b"\xef\xbb\xbf", "holds no row"),
        ("a.csv", "country,capital\n", "holds no row"),
        ("a.jsonl", "\n \n", "holds no row"),
        ("a.json", "", "holds no row"),
        ("a.json", "[]", "holds no row"),
        ("a.json", '{"a": 1}', "is a JSON object; a list of objects"),
        ("a.json", '[{"a": 1}, 2]', "row 1 is a JSON number"),
        ("a.txt", "a", r"suffix '.txt'; the known ones are: .csv, .tsv, .jsonl,"),
        ("a.csv", "sep=;\n", "holds no row"),
    ],
)
def test_a_file_without_rows_is_refused(
    tmp_path: Path, name: str, content: str | bytes, text: str
) -> None:
    path = write(tmp_path, name, content)

    with pytest.raises(DataError, match=text) as caught:
        load(path)

    assert caught.value.path == path


@pytest.mark.parametrize(
    ("name", "content", "lines"),
    [
        ("a.csv", CSV + "Peru\na,b\nb,c,d\n", [4, 6]),
        ("a.jsonl", b'{"country": 1}\n{oops\n[1]\n\xff\n{"a": 1}\n', [2, 3, 4, 5]),
        ("a.json", '[{"country": 1}, 2, {"country": 3}, []]', [None, None]),
    ],
)
def test_every_row_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, content: str | bytes, lines: list[int | None]
) -> None:
    path = write(tmp_path, name, content)

    with pytest.raises(DataError, match=f"{len(lines)} rows cannot be used") as caught:
        load(path, inputs=["country"])

    assert [row.line for row in caught.value.rows] == lines
    assert caught.value.line == lines[0]
    assert all(row.message in str(caught.value) for row in caught.value.rows)


def test_of_very_many_bad_rows_the_first_are_named_and_all_counted(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "a.csv", CSV + "broken\n" * 1_234)

    with pytest.raises(DataError, match="1,234 rows cannot be used") as caught:
        load(path)

    assert len(caught.value.rows) == MOST_TOLD
    assert str(caught.value).endswith("and 1,214 more")


@pytest.mark.parametrize("name", ["nowhere.csv", "a-program's-folder"])
def test_a_missing_file_or_folder_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingFileError, match=name) as caught:
        load(tmp_path / name)

    assert isinstance(caught.value, FileNotFoundError)
    assert caught.value.path == tmp_path / name


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()

    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        load(tmp_path / "folder.csv")


def test_a_missing_column_is_named_with_a_suggestion(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", CSV)

    with pytest.raises(
        DataError, match=r"'country', 'capital'.*Did you mean"
    ) as caught:
        load(path, inputs=["contry"])

    assert caught.value.path == path


def test_a_row_that_lacks_an_input_is_named() -> None:
    with pytest.raises(DataError, match=r"row 1: there is no field 'a'.*are: 'zz'"):
        load([{"a": 1}, {"zz": 1}], inputs=["a"])


def test_inputs_given_as_one_text_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Write inputs=\['a'\]"):
        load([{"a": 1}], inputs="a")


def test_rows_from_memory_may_be_mappings_or_examples() -> None:
    marked = Example(a=2).with_inputs("a")

    loaded = load(row for row in ({"a": 1}, marked))

    assert loaded == Dataset([Example(a=1), Example(a=2)])
    assert loaded[1].inputs() == Example(a=2)
    assert loaded[1] is not marked


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], "there is no row to load"),
        ([{"a": 1}, "b"], "row 1 is 'b', a str"),
        ({"train": [], "test": []}, r"the keys 'train', 'test'.*dataset\['train'\]"),
        ({}, "the keys none"),
        ([{1: 2}], r"row 0 has the fields \[1\]"),
        (["x" * 500], r"x\.\.\., a str"),
    ],
)
def test_rows_from_memory_that_are_no_rows_are_refused(rows: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        load(rows)


def test_a_data_set_reads_like_a_sequence() -> None:
    rows = numbers(5)

    assert rows[1:3] == Dataset([Example(n=1), Example(n=2)])
    assert rows[-1] == Example(n=4)
    assert rows.select([3, 0]) == Dataset([Example(n=3), Example(n=0)])
    assert Example(n=4) in rows
    assert rows != list(rows)
    assert len({rows, numbers(5)}) == 1


def test_a_data_set_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        numbers(2)[0] = Example(n=9)  # type: ignore[index] # the mistake under test


def test_a_data_set_shows_itself_in_one_line() -> None:
    assert repr(numbers(2)) == "Dataset(2 examples; fields: n)"
    assert repr(numbers(1)) == "Dataset(1 example; fields: n)"
    assert repr(numbers(0)) == "Dataset(0 examples)"


def test_the_draw_of_a_seed_never_changes() -> None:
    split = numbers(10).split(4, seed=0)

    assert [row.n for row in split.train] == DRAW_OF_SEED_0[:4]
    assert [row.n for row in split.dev] == DRAW_OF_SEED_0[4:]


def test_another_seed_draws_otherwise() -> None:
    assert numbers(10).split(4, seed=1) != numbers(10).split(4, seed=0)


@pytest.mark.parametrize(
    ("train", "dev", "sizes"),
    [
        (7, None, (7, 3)),
        (0.5, None, (5, 5)),
        (0.29, None, (2, 8)),
        (3, 4, (3, 4)),
        (0.3, 0.3, (3, 3)),
        (9, 1, (9, 1)),
    ],
)
def test_sizes_are_counts_or_shares(
    train: float, dev: float | None, sizes: tuple[int, int]
) -> None:
    split = numbers(10).split(train, dev=dev)

    assert (len(split.train), len(split.dev)) == sizes


def test_a_share_is_not_fooled_by_binary_fractions() -> None:
    assert len(numbers(100).split(0.29).train) == 29


@pytest.mark.parametrize(
    ("train", "dev", "text"),
    [
        (10, None, "10 rows for train and 0 for dev does not fit a data set of 10"),
        (11, None, "does not fit"),
        (0, None, "each part needs at least one row"),
        (-1, None, "does not fit"),
        (8, 3, "8 rows for train and 3 for dev"),
        (0.01, None, "0 rows for train"),
        (1.0, None, "train=1.0 is no size"),
        (0.5, 1.5, "dev=1.5 is no size"),
        (True, None, "train=True is no size"),
        (float("nan"), None, "train=nan is no size"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(
    train: float, dev: float | None, text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        numbers(10).split(train, dev=dev)


def test_a_row_on_both_sides_is_warned_of() -> None:
    rows = Dataset(Example(n=n % 6) for n in range(12))
    expected = r"1 of 1 rows of dev are in train as well, the first being row \d+: Ex"

    with pytest.warns(DuplicateRowWarning, match=expected) as caught:
        rows.split(11)

    assert caught[0].filename == __file__


def test_a_row_twice_on_one_side_is_no_matter() -> None:
    one, other = DRAW_OF_SEED_0[:2]
    rows = Dataset(Example(n=one if n == other else n) for n in range(10))

    train, dev = rows.split(2, seed=0)

    assert train[0] == train[1]
    assert not set(train) & set(dev)


@pytest.mark.parametrize(
    ("header", "separator"),
    [
        ("a,b", ","),
        ("a;b,c;d", ";"),
        ('a;"b,c,d"', ";"),
        ('"a ""x;y;z"" b",c', ","),
        ("a\tb", "\t"),
        ("a", ","),
        ("", ","),
        ("a;b,c", ","),
    ],
)
def test_the_separator_is_the_commonest_one_outside_of_quotes(
    header: str, separator: str
) -> None:
    assert separator_of(header) == separator


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5),
    separator=st.sampled_from(SEPARATORS),
    line_end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_what_a_spreadsheet_writes_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    separator: str,
    line_end: str,
    mark: str,
) -> None:
    path = tmp_path_factory.mktemp("sheet") / "rows.csv"
    with path.open("w", encoding=mark, newline="") as file:
        writer = csv.writer(
            file, delimiter=separator, lineterminator=line_end, quoting=csv.QUOTE_ALL
        )
        writer.writerows([("first, name", "second"), *rows])

    loaded = load(path)

    assert [tuple(row.values()) for row in loaded] == rows


def test_equal_rows_are_all_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "a,b\n" + "1,2\n" * 3)

    assert load(path) == load([{"a": "1", "b": "2"}] * 3)


def test_a_hundred_thousand_rows_are_read_one_after_the_other(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "a,b\n" + "1,2\n" * 100_000 + "broken\n")

    rows = read_rows(path)

    assert sum(1 for _ in islice(rows, 100_000)) == 100_000
    with pytest.raises(DataError, match="line 100002"):
        next(rows)


def test_parquet_without_pyarrow_gives_the_line_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'dspex\[parquet\]'"):
        load(write(tmp_path, "a.parquet", b"PAR1"))


def test_lines_of_objects_in_a_json_file_are_told_as_such(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.json", '{"n": 1}\n{"n": 2}\n')

    with pytest.raises(DataError, match=r"an object on each line.*Name it rows\.jsonl"):
        load(path)


def test_a_file_whose_lines_end_as_on_old_machines_is_told_as_such(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "rows.csv", "country,capital\rPeru,Lima\r")

    with pytest.raises(DataError, match=r"line 1: .*carriage return alone"):
        load(path)
