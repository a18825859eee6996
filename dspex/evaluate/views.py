"""Rows of a run that lie in its record, looked at as sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.evaluate.outcome import Outcome
from dspex.evaluate.record.reader import RecordReader


class RecordedOutcomes(Sequence[Outcome | None]):
    """The outcomes of a run, read when they are looked at.

    Args:
        record: Where they lie.
        count: How many there are: examples times trials.
    """

    def __init__(self, record: RecordReader, count: int) -> None:
        self._record = record
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Outcome | None]:
        return self._record.outcomes(stop=self._count)

    @overload
    def __getitem__(self, index: int) -> Outcome | None: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Outcome | None]: ...
    def __getitem__(
        self, index: int | slice
    ) -> Outcome | Sequence[Outcome | None] | None:
        places = range(self._count)[index]
        if isinstance(places, range):
            return [self[place] for place in places]
        return self._record.outcome(*divmod(places, self._record.head.trials))


class RecordedExamples(Sequence[Example]):
    """The examples of a run, read when they are looked at.

    Args:
        record: Where they lie.
        count: How many there are.
    """

    def __init__(self, record: RecordReader, count: int) -> None:
        self._record = record
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | Sequence[Example]:
        numbers = range(self._count)[index]
        if isinstance(numbers, range):
            return [self[number] for number in numbers]
        example = self._record.example(numbers)
        if example is None:
            raise DataError(
                f"example {numbers} is not in the record of the run, as it was never "
                "begun. Look at the data it came from."
            )
        return example
