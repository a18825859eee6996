"""Data sets: load rows, keep them as examples, split them into train and dev."""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, overload

from dspex.core.data.faults import Faults
from dspex.core.data.files import read_rows
from dspex.core.data.frames import rows_of
from dspex.core.errors import ConfigurationError, DataError
from dspex.core.example import Example, example_of

Source = str | os.PathLike[str] | Iterable[Mapping[str, Any] | Example]
"""A path of a data file, or rows."""


class DuplicateRowWarning(UserWarning):
    """The same row is in train and in dev, so dev does not measure what is new."""


class Dataset(Sequence[Example]):
    """Examples in a fixed order.

    `dataset[3]` is an example, `dataset[:10]` a data set. It cannot be changed, and
    two are equal when their examples are.

    Example:
        >>> rows = Dataset(Example(n=n) for n in range(10))
        >>> train, dev = rows.split(train=7, seed=0)
        >>> len(train), len(dev)
        (7, 3)
        >>> rows[:2]
        Dataset(2 examples; fields: n)
    """

    __slots__ = ("_examples",)

    def __init__(self, examples: Iterable[Example] = ()) -> None:
        self._examples = tuple(examples)

    def select(self, positions: Iterable[int]) -> Dataset:
        """Return the examples at `positions`, in that order."""
        return Dataset(self._examples[position] for position in positions)

    def split(self, train: float, *, dev: float | None = None, seed: int = 0) -> Split:
        """Draw two parts at random that have no row in common.

        The draw depends on `seed` and the number of rows alone: rows are ordered by
        SHA-256 of seed and position, so every Python and every machine draws the
        same. Each part keeps the order of the draw, and its beginning is therefore a
        random sample too.

        Args:
            train: How many rows (an int), or which share of them (a float between 0
                and 1, rounded down).
            dev: The same for dev; by default, all rows that are not in train.
            seed: Another number gives another draw.

        Returns:
            The parts, to be unpacked as `train, dev`.

        Raises:
            ConfigurationError: When a part would be empty, or the parts together are
                larger than the data set.

        Warns:
            DuplicateRowWarning: When a row of dev equals a row of train.
        """
        order = _drawn_order(len(self), seed)
        train_size = _size(train, len(self), "train")
        dev_size = (
            len(self) - train_size if dev is None else _size(dev, len(self), "dev")
        )
        _check_sizes(train_size, dev_size, len(self))
        in_train, in_dev = order[:train_size], order[train_size:][:dev_size]
        self._warn_of_duplicates(in_train, in_dev)
        return Split(train=self.select(in_train), dev=self.select(in_dev))

    def _warn_of_duplicates(self, in_train: list[int], in_dev: list[int]) -> None:
        known = set(self.select(in_train))
        twice = sorted(at for at in in_dev if self._examples[at] in known)
        if twice:
            warnings.warn(
                f"{len(twice)} of {len(in_dev)} rows of dev are in train as well, the "
                f"first being row {twice[0]}: {_short(self._examples[twice[0]])}; a "
                "score on them does not tell how the program does on new rows. Remove "
                "the duplicates before you split.",
                DuplicateRowWarning,
                stacklevel=3,
            )

    @overload
    def __getitem__(self, index: int) -> Example: ...

    @overload
    def __getitem__(self, index: slice) -> Dataset: ...

    def __getitem__(self, index: int | slice) -> Example | Dataset:
        if isinstance(index, slice):
            return Dataset(self._examples[index])
        return self._examples[index]

    def __len__(self) -> int:
        return len(self._examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self._examples)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dataset):
            return NotImplemented
        return self._examples == other._examples

    def __hash__(self) -> int:
        return hash(self._examples)

    def _repr_html_(self) -> str:
        from dspex.core.data.shown import dataset_html

        return dataset_html(self)

    def __repr__(self) -> str:
        if not self._examples:
            return "Dataset(0 examples)"
        fields = ", ".join(self._examples[0].keys())
        plural = "" if len(self) == 1 else "s"
        return f"Dataset({len(self)} example{plural}; fields: {fields})"


class Split(NamedTuple):
    """The two parts of a data set."""

    train: Dataset
    """To learn from."""
    dev: Dataset
    """To measure on."""


def load(source: Source, *, inputs: Sequence[str] | None = None) -> Dataset:
    """Load a data set from a file or from rows in memory.

    The suffix says how a file is read. `.csv` and `.tsv`: the first line names the
    columns, every value is a text, quotes work as in CSV; whether a `.csv` has commas,
    semicolons or tabs its first line shows. `.jsonl` (or `.ndjson`): one JSON object
    per line. `.json`: one list of objects. `.parquet`: with the extra `parquet`. Files
    of text are UTF-8; blank lines are skipped.

    Rows in memory are any iterable of mappings or examples, such as a `Dataset` of
    Hugging Face, or a data frame of pandas or polars, or an Arrow table. No row is
    dropped, equal ones neither.

    Args:
        source: A path, or rows.
        inputs: The fields a program is given; the others are what it should answer.
            By default, examples keep the inputs they have, and other rows have none
            yet: `Example.with_inputs()` sets them later.

    Raises:
        MissingFileError: When there is no such file.
        DataError: When rows cannot be read or lack an input; names file and line of
            each, and has an error for each in `.rows`.
        ConfigurationError: When `inputs` is a single text instead of a list, or a
            Parquet file is to be read without pyarrow.

    Example:
        >>> rows = load([{"country": "Peru", "capital": "Lima"}], inputs=["country"])
        >>> rows[0].inputs().country
        'Peru'
    """
    if isinstance(inputs, str):
        raise ConfigurationError(
            f"inputs is the text {inputs!r}; a list of field names was expected. "
            f"Write inputs=[{inputs!r}]."
        )
    wanted = None if inputs is None else tuple(inputs)
    if isinstance(source, str | os.PathLike):
        return Dataset(_from_file(Path(source), wanted))
    return _from_memory(source, wanted)


def _from_file(path: Path, inputs: tuple[str, ...] | None) -> Iterator[Example]:
    input_keys = None if inputs is None else frozenset(inputs)
    faults = Faults(path)
    is_first = True
    for row in read_rows(path, faults.add):
        where = str(path) if row.line is None else f"{path}, line {row.line}"
        try:
            _check_inputs(row.fields, inputs, where=where, path=path, line=row.line)
        except DataError as error:
            if is_first:
                raise  # a wrong name: all rows would say the same
            faults.add(error)
        else:
            yield example_of(row.fields, input_keys)
        is_first = False
    faults.check()


def _from_memory(
    rows: Iterable[Mapping[str, Any] | Example], inputs: tuple[str, ...] | None
) -> Dataset:
    examples = []
    for position, row in enumerate(rows_of(rows)):
        _check_row(position, row)
        example = Example(row)
        if inputs is not None:
            names = example.keys(include_dspy=True)
            _check_inputs(names, inputs, where=f"row {position}")
            example = example.with_inputs(*inputs)
        examples.append(example)
    if not examples:
        raise DataError(
            "there is no row to load; at least one was expected. Check where the rows "
            "come from: a generator can be read only once."
        )
    return Dataset(examples)


def _check_row(position: int, row: object) -> None:
    if not isinstance(row, Mapping | Example):
        raise DataError(
            f"row {position} is {_short(row)}, a {type(row).__name__}; a mapping of "
            "fields was expected. Pass a list of dicts, a data frame, or a data set."
        )
    if not all(isinstance(name, str) for name in row):
        raise DataError(
            f"row {position} has the fields {_short(list(row))}; names that are texts "
            "were expected. Rename the fields."
        )


def _check_inputs(
    names: Iterable[str],
    inputs: tuple[str, ...] | None,
    *,
    where: str,
    path: Path | None = None,
    line: int | None = None,
) -> None:
    for name in inputs or ():
        if name not in names:
            raise DataError(
                f"{where}: there is no field {name!r}; the fields are: "
                f"{', '.join(map(repr, names)) or 'none'}. "
                f"{_advice(name, list(names))}",
                path=path,
                line=line,
            )


def _advice(name: str, names: list[str]) -> str:
    close = get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else "Name one of those in inputs."


def _drawn_order(size: int, seed: int) -> list[int]:
    def lot(position: int) -> bytes:
        return hashlib.sha256(f"{seed}/{position}".encode()).digest()

    return sorted(range(size), key=lot)


def _size(wanted: float, available: int, part: str) -> int:
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        return wanted
    if isinstance(wanted, float) and 0 < wanted < 1:
        # The tiny addend undoes binary fractions: 0.29 of 100 rows are 29.
        return math.floor(wanted * available + 1e-9)
    raise ConfigurationError(
        f"{part}={wanted!r} is no size; a number of rows or a share between 0 and 1 "
        f"was expected. Write {part}=40 or {part}=0.5."
    )


def _check_sizes(train: int, dev: int, available: int) -> None:
    if train < 1 or dev < 1 or train + dev > available:
        raise ConfigurationError(
            f"a split into {train} rows for train and {dev} for dev does not fit a "
            f"data set of {available}; each part needs at least one row. Ask for "
            "smaller parts, or load more rows."
        )


def _short(value: object, width: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= width else f"{text[: width - 3]}..."
