"""Entries into the tables of a record, within a transaction that the caller holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, assert_never

from dspex.client.call import Fate
from dspex.evaluate.record.codec import encode
from dspex.evaluate.record.entries import (
    Began,
    Decided,
    Entry,
    Intent,
    Noted,
    Refused,
    Requested,
)
from dspex.evaluate.record.rows import (
    Row,
    example_text,
    outcome_row,
    request_row,
)
from dspex.evaluate.record.unrepeatable import noted
from dspex.evaluate.results.outcome import Stamp

LATE: Final = "it is settled already"
"""Why the record itself refuses an outcome."""


_EXAMPLE: Final = (
    "INSERT INTO examples VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE "
    "SET value = coalesce(value, excluded.value)"
)
_ATTEMPT: Final = (
    "INSERT INTO attempts VALUES (?, ?, ?, ?) ON CONFLICT (number, attempt) DO UPDATE "
    "SET at = coalesce(at, excluded.at), configuration = excluded.configuration"
)
_OUTCOME: Final = (
    "INSERT OR REPLACE INTO outcomes "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SUPERSEDE: Final = (
    "INSERT OR REPLACE INTO superseded "
    "SELECT number, attempt, kind FROM outcomes WHERE number = ?"
)
_REFUSED: Final = "INSERT INTO refused VALUES (?, ?, ?)"
# A request that has ended is never open again, in whatever order one is told of it.
_REQUEST: Final = (
    "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (request) DO UPDATE SET fate = excluded.fate, error = excluded.error, "
    "sends = excluded.sends, prompt_tokens = excluded.prompt_tokens, "
    "completion_tokens = excluded.completion_tokens, "
    "cached_tokens = excluded.cached_tokens, "
    "cache_write_tokens = excluded.cache_write_tokens, "
    "reasoning_tokens = excluded.reasoning_tokens, "
    "cost = excluded.cost, seconds = excluded.seconds, "
    "configuration = excluded.configuration WHERE excluded.fate != 'open'"
)
_NOTED: Final = "INSERT INTO notes VALUES (?, ?, ?)"


def write(
    connection: sqlite3.Connection, entries: Sequence[Entry], trials: int
) -> None:
    """Write entries of all kinds; one table after the other, since that is quicker."""
    batch = _Batch(trials)
    for entry in entries:
        batch.add(entry)
    batch.refused += _write_outcomes(connection, batch.outcomes)
    for statement, rows in (
        (_EXAMPLE, list(batch.examples.values())),
        (_ATTEMPT, batch.attempts),
        (_REQUEST, batch.requests),
        (_REFUSED, batch.refused),
        (_NOTED, batch.notes),
    ):
        if rows:
            connection.executemany(statement, rows)


class _Batch:
    """Entries as rows, by table."""

    def __init__(self, trials: int) -> None:
        self.trials = trials
        self.examples: dict[int, Row] = {}
        self.attempts: list[Row] = []
        self.outcomes: list[Row] = []
        self.refused: list[Row] = []
        self.requests: list[Row] = []
        self.notes: list[Row] = []

    def add(self, entry: Entry) -> None:
        match entry:
            case Decided(outcome=outcome):
                number = _number(outcome.stamp, self.trials)
                self.outcomes.append(outcome_row(outcome, number))
            case Requested(record=record):
                self.requests.append(request_row(record))
            case Began():
                self._add_attempt(entry)
            case Refused(stamp=stamp, why=why):
                row = (_number(stamp, self.trials), stamp.attempt, why)
                self.refused.append(row)
            case Noted(kind=kind, at=at, facts=facts):
                self.notes.append((kind, at, encode(dict(facts))))
            case _:
                assert_never(entry)

    def _add_attempt(self, began: Began) -> None:
        stamp, text = began.stamp, began.text
        number = _number(stamp, self.trials)
        attempt = (number, stamp.attempt, stamp.configuration, began.at)
        self.attempts.append(attempt)
        if text is None and began.example is not None:
            text = example_text(began.example)
        if text is not None or stamp.example not in self.examples:
            self.examples[stamp.example] = (stamp.example, began.digest, text)


def _write_outcomes(
    connection: sqlite3.Connection, outcomes: Sequence[Row]
) -> list[Row]:
    """Write outcomes, and return the rows of those that are refused.

    The aggregator decides what counts; this holds whatever it does: one outcome for
    each number, and a settled one stays.
    """
    if not outcomes:
        return []
    marks = ", ".join("?" * len(outcomes))
    # By number: attempt, whether it is settled, and checksum.
    known: dict[int, tuple[int, int, int]] = {
        number: (attempt, settled, checksum)
        for number, attempt, settled, checksum in connection.execute(
            "SELECT number, attempt, settled, checksum FROM outcomes "  # noqa: S608 - question marks
            f"WHERE number IN ({marks})",
            [row[0] for row in outcomes],
        )
    }
    written: list[Row] = []
    refused: list[Row] = []
    for row in outcomes:
        number, attempt, settled, checksum = row[0], row[1], int(row[4]), row[-1]
        before = known.get(number)
        if before is not None:
            if (before[0], before[2]) == (attempt, checksum):
                # Committed again by somebody who was not told that it was done.
                continue
            if before[1] or before[0] >= attempt:
                refused.append((number, attempt, LATE))
                continue
            connection.execute(_SUPERSEDE, (number,))
        known[number] = (attempt, settled, checksum)
        written.append(row)
    connection.executemany(_OUTCOME, written)
    # What runs again is found by its attempts, told or not.
    again = [(row[0], row[1], row[2], None) for row in written if not row[4]]
    connection.executemany(_ATTEMPT, again)
    return refused


def import_intents(
    connection: sqlite3.Connection, intents: Iterable[Intent], trials: int, now: float
) -> None:
    """Write what was about to begin, unless it is known that it did."""
    attempts: list[Row] = []
    requests: list[Row] = []
    notes: list[Entry] = []
    for intent in intents:
        stamp = intent.stamp
        number = _number(stamp, trials)
        attempts.append((number, stamp.attempt, stamp.configuration, None))
        if intent.unrepeatable:
            notes.append(noted(intent, now))
        if intent.request_id is not None:
            tags = encode(stamp.tags())
            told: tuple[Any, ...] = (intent.request_id, intent.call_id, intent.number)
            spent = (0, 0, 0, 0, 0, None, 0.0)
            requests.append((*told, Fate.OPEN.value, None, 1, *spent, 1, tags))
    connection.executemany(
        "INSERT OR IGNORE INTO attempts VALUES (?, ?, ?, ?)", attempts
    )
    connection.executemany(
        "INSERT OR IGNORE INTO requests "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        requests,
    )
    write(connection, notes, trials)


def lose_open_requests(connection: sqlite3.Connection) -> None:
    """Say of requests whose end nobody was told that they are lost."""
    connection.execute(
        "UPDATE requests SET fate = ? WHERE fate = ?",
        (Fate.LOST.value, Fate.OPEN.value),
    )


def _number(stamp: Stamp, trials: int) -> int:
    return stamp.example * trials + stamp.trial
