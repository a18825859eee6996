"""What holds for every data set and every list of scores."""

from __future__ import annotations

import csv
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dspex.core.data import Dataset, DuplicateRowWarning, load
from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.core.metrics import EM, F1, exact_match, normalize_answer, normalize_text
from dspex.core.prediction import Prediction
from dspex.core.statistics import (
    interval,
    mean,
    paired_difference,
    standard_error,
)

# Any text a UTF-8 file can hold, without NUL.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
names = texts.filter(lambda name: bool(name.strip()))
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | finite,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=4,
)
rows_of_json = st.dictionaries(texts, json_values, max_size=4)
hits = st.lists(st.booleans(), min_size=1, max_size=200)
shares = st.lists(st.floats(0, 1), min_size=1, max_size=50)

unhurried = settings(deadline=None)
"""How busy the machine is must not decide a test."""


def reloaded(name: str, content: str) -> Dataset:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(content, encoding="utf-8", newline="")
        return load(path)


@unhurried
@given(
    st.lists(names, min_size=1, max_size=4, unique=True).flatmap(
        lambda columns: st.lists(
            st.fixed_dictionaries(dict.fromkeys(columns, texts)), min_size=1, max_size=5
        )
    ),
    st.sampled_from([("a.csv", ","), ("a.tsv", "\t")]),
)
def test_what_csv_writes_is_read_again(
    rows: list[dict[str, str]], form: tuple[str, str]
) -> None:
    name, delimiter = form
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(
                file, list(rows[0]), delimiter=delimiter, quoting=csv.QUOTE_ALL
            )
            writer.writeheader()
            writer.writerows(rows)

        assert [row.toDict() for row in load(path)] == rows


@unhurried
@given(
    st.lists(rows_of_json, min_size=1, max_size=3),
    st.booleans(),
)
def test_what_json_writes_is_read_again(
    rows: list[dict[str, Any]], as_ascii: bool
) -> None:
    lines = [json.dumps(row, ensure_ascii=as_ascii) for row in rows]
    expected = [json.loads(json.dumps(row)) for row in rows]

    by_line = reloaded("a.jsonl", "\n".join(lines))
    as_list = reloaded("a.json", f"[{','.join(lines)}]")

    assert [row.toDict() for row in by_line] == expected
    assert [row.toDict() for row in as_list] == expected


@unhurried
@given(st.binary(), st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.json"]))
def test_any_file_is_read_or_refused_by_name(content: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)

        ended: Dataset | DataError
        try:
            ended = load(path)
        except DataError as error:
            ended = error

    if isinstance(ended, DataError):
        assert ended.path == path
        assert str(path) in str(ended)
    else:
        assert len(ended) > 0


@unhurried
@given(st.integers(2, 60), st.data(), st.integers())
def test_a_split_is_a_partition_and_always_the_same(
    size: int, data: st.DataObject, seed: int
) -> None:
    rows = Dataset(Example(n=n) for n in range(size))
    train_size = data.draw(st.integers(1, size - 1))

    train, dev = rows.split(train_size, seed=seed)

    assert len(train) == train_size
    assert sorted(row.n for row in (*train, *dev)) == list(range(size))
    assert rows.split(train_size, seed=seed) == (train, dev)


@unhurried
@given(st.integers(2, 60), st.data())
def test_parts_of_any_size_have_no_row_in_common(
    size: int, data: st.DataObject
) -> None:
    rows = Dataset(Example(n=n) for n in range(size))
    train_size = data.draw(st.integers(1, size - 1))
    dev_size = data.draw(st.integers(1, size - train_size))

    train, dev = rows.split(train_size, dev=dev_size)

    assert (len(train), len(dev)) == (train_size, dev_size)
    assert not set(train) & set(dev)


@unhurried
@given(st.lists(st.integers(0, 5), min_size=2, max_size=12), st.data())
def test_the_warning_comes_exactly_when_a_row_is_on_both_sides(
    values: list[int], data: st.DataObject
) -> None:
    rows = Dataset(Example(n=n) for n in values)
    train_size = data.draw(st.integers(1, len(values) - 1))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train, dev = rows.split(train_size)

    shared = sum(row in train for row in dev)
    assert [w.category for w in caught] == ([DuplicateRowWarning] if shared else [])
    assert all(
        str(w.message).startswith(f"{shared} of {len(dev)} rows") for w in caught
    )


@unhurried
@given(rows_of_json, st.sets(texts, max_size=3))
def test_inputs_and_labels_part_the_fields(
    fields: dict[str, Any], inputs: set[str]
) -> None:
    example = Example(fields).with_inputs(*inputs)

    together = {**example.labels().toDict(), **example.inputs().toDict()}

    assert together == example.toDict()
    assert not set(example.labels()) & set(example.inputs())
    assert hash(Example(fields)) == hash(example)


@unhurried
@given(texts)
def test_normalising_twice_changes_no_verdict(text: str) -> None:
    metric = exact_match("answer")

    assert EM(text, [text])
    assert metric(Example(answer=text), Prediction(answer=text))
    assert bool(normalize_answer(text)) == bool(text.strip())
    assert "  " not in normalize_answer(text) + normalize_text(text)


@unhurried
@given(texts, texts)
def test_f1_is_a_symmetric_share(one: str, other: str) -> None:
    score = F1(one, [other])

    assert 0 <= score <= 1
    assert score == F1(other, [one])


@unhurried
@given(hits, st.floats(0.01, 0.99))
def test_wilson_holds_the_mean_and_stays_between_0_and_1(
    scores: list[bool], confidence: float
) -> None:
    found, center = interval(scores, confidence=confidence), mean(scores)

    assert found is not None
    assert center is not None
    assert 0 <= found.low <= center <= found.high <= 1
    assert found.low < found.high


@unhurried
@given(hits)
def test_wilson_narrows_as_evidence_grows(scores: list[bool]) -> None:
    few, many = interval(scores), interval(scores * 4)

    assert few is not None
    assert many is not None
    assert many.high - many.low < few.high - few.low


@unhurried
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50), st.floats(0.01, 0.99))
def test_every_interval_holds_the_mean(scores: list[float], confidence: float) -> None:
    found, center = interval(scores, confidence=confidence), mean(scores)

    assert found is not None
    assert center is not None
    assert min(scores) <= center <= max(scores)
    assert found.low <= center <= found.high


@unhurried
@given(st.one_of(hits, shares), st.randoms(use_true_random=False))
def test_order_does_not_matter(scores: list[float], random: Any) -> None:
    shuffled = random.sample(scores, len(scores))

    assert mean(shuffled) == mean(scores)
    assert standard_error(shuffled) == standard_error(scores)
    assert interval(shuffled) == interval(scores)


@unhurried
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_swapping_the_pairs_swaps_the_sign(pairs: list[tuple[bool, bool]]) -> None:
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))

    forth, back = paired_difference(first, second), paired_difference(second, first)

    assert forth.interval is not None
    assert back.interval is not None
    assert forth.difference == pytest.approx(-(back.difference or 0.0))
    assert forth.interval.low == pytest.approx(-back.interval.high)
    assert forth.interval.low <= (forth.difference or 0.0) <= forth.interval.high
    assert forth.p_value == back.p_value
    assert (forth.wins, forth.losses) == (back.losses, back.wins)
    assert forth.wins + forth.losses + forth.ties == forth.n == len(pairs)


@unhurried
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_a_p_value_is_a_probability(pairs: list[tuple[float, float]]) -> None:
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))

    found = paired_difference(first, second)

    assert found.p_value is not None
    assert 0 <= found.p_value <= 1
