"""Beginning a run's record, or going on with it: before anything else of the run.

A run that goes on is looked at first and owned only when it is the same one: whoever
asks for it with another program, metric or set changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dspex.core.errors import (
    ConfigurationError,
    RunChangedError,
    RunNotFoundError,
)
from dspex.core.example import Example
from dspex.evaluate.record.changes import check_same
from dspex.evaluate.record.fingerprint import row_digest
from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.scheduling.source import Check


def open_recording(
    head: RunHead, home: Path | None, examples: Iterable[Example]
) -> tuple[Recording, bool]:
    """Begin a run's record, or go on with the one of that name.

    Args:
        head: See `open_record`.
        home: See `open_record`.
        examples: See `open_record`.

    Returns:
        The record, and whether the run had begun before.

    Raises:
        RunBusyError: Somebody else works on that run.
        RunChangedError: It was begun with another program, metric, or data.
        RecordError: Its file cannot be used.
    """
    record, goes_on = open_record(head, home, examples)
    return Recording(record), goes_on


def open_record(
    head: RunHead, home: Path | None, examples: Iterable[Example] = ()
) -> tuple[RunRecord, bool]:
    """Begin a record, or go on with the one of that name, and own it.

    Args:
        head: What the run is a run of.
        home: The home of dspex; `None` keeps the record in memory.
        examples: What it works on; those of a stream are held against the record when
            they are taken, see `checking`.

    Returns:
        The record, and whether the run had begun before.

    Raises:
        RunBusyError: Somebody else works on that run.
        RunChangedError: It was begun as something else.
        RecordError: Its file cannot be used.
    """
    place = RunPlace(run=head.run, home=home)
    if place.path is None or not place.path.exists():
        return RunRecord.create(place, head), False
    try:
        record = RunRecord.open(place, owner=False)
    except RunNotFoundError:
        # Whoever made the file was killed before it was a record.
        return RunRecord.create(place, head), False
    check_same(record.head, head)
    if isinstance(examples, Sequence):
        check_rows(record, examples)
    record.own()
    return record, True


def checking(recording: Recording, check: Check) -> Check:
    """A check that also holds that a row is the one that was recorded in its place."""

    def checked(value: Any, number: int) -> Example:
        example = check(value, number)
        recording.record.check_row(number, row_digest(example))
        return example

    return checked


def check_rows(record: RunRecord, examples: Sequence[Example]) -> None:
    """Hold that a set is the one a run was begun with, as far as it came.

    Raises:
        RunChangedError: A row is another one.
    """
    for number, example in enumerate(examples):
        record.check_row(number, row_digest(example))


def check_end(record: RunRecord, taken: int) -> None:
    """Hold that a stream that has ended gave an example, and all it gave before.

    Args:
        record: What its run has recorded.
        taken: How many it gave this time. More than before are a stream that grew.

    Raises:
        ConfigurationError: It gave none.
        RunChangedError: It gave fewer than before.
    """
    if not taken:
        raise ConfigurationError(
            "the stream of examples gave none; expected at least one. An iterator "
            "gives its examples once: pass a function that begins it anew."
        )
    known = record.count
    if taken < known:
        change = f"the data set ({known} rows -> {taken} rows)"
        run = record.place.run
        raise RunChangedError(
            f"the run {run!r} was begun with more data. What differs: {change}. "
            "Go on with the data it began with, or give this run another name.",
            run=run,
            changes=(change,),
        )


def last_attempts(record: RunRecord) -> dict[tuple[int, int], int]:
    """By example and trial, the last attempt that was made and has to be made again."""
    return {
        (each.example, each.trial): each.next_attempt - 1 for each in record.open_ones()
    }
