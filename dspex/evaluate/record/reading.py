"""What a record holds, read in pages: in flat memory, and for any thread."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence
from typing import Any, Final

from dspex.core.lm import Usage
from dspex.evaluate.record.entries import Attempt, Bill, OpenOne, Totals
from dspex.evaluate.results.outcome import OutcomeKind, Stamp

PAGE: Final = 256
"""Rows that are read at a time."""
LOST: Final = "lost"
"""The fate of an attempt whose end nobody was told."""

_ATTEMPTS: Final = """
    SELECT a.number, a.attempt, a.configuration, a.at, coalesce(o.kind, s.kind)
    FROM attempts AS a
    LEFT JOIN outcomes AS o ON o.number = a.number AND o.attempt = a.attempt
    LEFT JOIN superseded AS s ON s.number = a.number AND s.attempt = a.attempt
    WHERE (a.number, a.attempt) > (?, ?) ORDER BY a.number, a.attempt LIMIT ?"""
_OPEN: Final = """
    SELECT a.number, max(a.attempt) FROM attempts AS a
    LEFT JOIN outcomes AS o ON o.number = a.number
    WHERE a.number > ? AND NOT coalesce(o.settled, 0)
    GROUP BY a.number ORDER BY a.number LIMIT ?"""
_BEGUN: Final = """
    SELECT DISTINCT a.number FROM attempts AS a
    LEFT JOIN outcomes AS o ON o.number = a.number WHERE o.number IS NULL"""
_SUMS: Final = """
    SELECT count(*), count(score), total(score), total(score * score), min(score),
        max(score), total(prompt_tokens), total(completion_tokens),
        total(cached_tokens), total(cache_write_tokens), total(reasoning_tokens),
        sum(cost), count(*) FILTER (WHERE cost IS NULL AND calls > cached),
        total(calls), total(cached), total(latency)
    FROM outcomes"""
_BILL: Final = """
    SELECT total(prompt_tokens), total(completion_tokens), total(cached_tokens),
        total(cache_write_tokens), total(reasoning_tokens), sum(cost)
    FROM requests"""
# The words may also stand in a prediction: then a row is read for nothing.
_UNUSUAL: Final = """
    SELECT * FROM outcomes WHERE number > ? AND (kind <> 'scored'
        OR instr(body, '"lost":') OR instr(body, '"first_score":'))
    ORDER BY number LIMIT ?"""
_HAS_COLUMNS: Final = """
    SELECT EXISTS (SELECT 1 FROM outcomes WHERE instr(body, '"columns":'))"""
_KINDS: Final = "SELECT kind, count(*) FROM outcomes GROUP BY kind ORDER BY kind"


def outcome_row(connection: sqlite3.Connection, number: int) -> Any:
    """Return the row of an outcome, or `None`."""
    return connection.execute(
        "SELECT * FROM outcomes WHERE number = ?", (number,)
    ).fetchone()


def outcome_page(connection: sqlite3.Connection, start: int, stop: int) -> list[Any]:
    """Return the rows of outcomes with these numbers, in order; there may be gaps."""
    return connection.execute(
        "SELECT * FROM outcomes WHERE number >= ? AND number < ? ORDER BY number",
        (start, stop),
    ).fetchall()


def unusual_page(connection: sqlite3.Connection, after: int) -> list[Any]:
    """Return rows behind a number that have more to tell than a score, in order."""
    return connection.execute(_UNUSUAL, (after, PAGE)).fetchall()


def has_columns(connection: sqlite3.Connection) -> bool:
    """Whether an outcome may have columns."""
    return bool(connection.execute(_HAS_COLUMNS).fetchone()[0])


def score_page(
    connection: sqlite3.Connection, start: int, stop: int
) -> list[tuple[int, float | None]]:
    """Return numbers and scores of outcomes with these numbers, in order."""
    return connection.execute(
        "SELECT number, score FROM outcomes WHERE number >= ? AND number < ? "
        "ORDER BY number",
        (start, stop),
    ).fetchall()


def latencies(
    connection: sqlite3.Connection, kinds: Sequence[OutcomeKind]
) -> array[float]:
    """Return the seconds of outcomes of these kinds without answers of the cache."""
    marks = ", ".join("?" * len(kinds))
    rows = connection.execute(
        f"SELECT latency FROM outcomes WHERE cached = 0 AND kind IN ({marks})",  # noqa: S608 - nothing but question marks
        [kind.value for kind in kinds],
    )
    return array("d", (seconds for (seconds,) in rows))


def end_of_outcomes(connection: sqlite3.Connection) -> int:
    """Return the number behind the last outcome."""
    (last,) = connection.execute("SELECT max(number) FROM outcomes").fetchone()
    return 0 if last is None else int(last) + 1


def request_row(connection: sqlite3.Connection, request_id: str) -> Any:
    """Return the row of a request, or `None`."""
    return connection.execute(
        "SELECT * FROM requests WHERE request = ?", (request_id,)
    ).fetchone()


def settled_page(connection: sqlite3.Connection, after: int) -> list[int]:
    """Return the numbers behind one that need not run again, in order."""
    rows = connection.execute(
        "SELECT number FROM outcomes WHERE settled AND number > ? "
        "ORDER BY number LIMIT ?",
        (after, 16 * PAGE),
    )
    return [number for (number,) in rows]


def open_page(
    connection: sqlite3.Connection, after: int, trials: int
) -> list[tuple[int, OpenOne]]:
    """Return what was begun behind a number and has to run again, in order."""
    rows = connection.execute(_OPEN, (after, PAGE)).fetchall()
    return [
        (
            number,
            OpenOne(
                example=number // trials,
                trial=number % trials,
                next_attempt=attempt + 1,
            ),
        )
        for number, attempt in rows
    ]


def begun(connection: sqlite3.Connection) -> set[int]:
    """Return the numbers of what was begun and has no outcome."""
    return {number for (number,) in connection.execute(_BEGUN)}


def without_outcome(connection: sqlite3.Connection, numbers: Sequence[int]) -> set[int]:
    """Return those of some numbers that have no outcome."""
    left = set(numbers)
    for first in range(0, len(numbers), PAGE):
        page = numbers[first : first + PAGE]
        marks = ", ".join("?" * len(page))
        rows = connection.execute(
            f"SELECT number FROM outcomes WHERE number IN ({marks})",  # noqa: S608 - nothing but question marks
            page,
        )
        left.difference_update(number for (number,) in rows)
    return left


def attempt_page(
    connection: sqlite3.Connection, after: tuple[int, int], run: str, trials: int
) -> list[tuple[tuple[int, int], Attempt]]:
    """Return the attempts behind one, in order."""
    rows = connection.execute(_ATTEMPTS, (*after, PAGE)).fetchall()
    return [
        (
            (number, attempt),
            Attempt(
                stamp=Stamp(
                    run=run,
                    example=number // trials,
                    trial=number % trials,
                    attempt=attempt,
                    configuration=configuration,
                ),
                at=at,
                fate=kind or LOST,
            ),
        )
        for number, attempt, configuration, at, kind in rows
    ]


def request_page(connection: sqlite3.Connection, after: str) -> list[Any]:
    """Return the rows of requests behind one, in the order of their ids."""
    return connection.execute(
        "SELECT * FROM requests WHERE request > ? ORDER BY request LIMIT ?",
        (after, PAGE),
    ).fetchall()


def totals(connection: sqlite3.Connection) -> Totals:
    """Add all outcomes up."""
    n, scored, total, squares, lowest, highest, *rest = connection.execute(
        _SUMS
    ).fetchone()
    *tokens, cost, unpriced, calls, cached, latency = rest
    return Totals(
        n=n,
        scored=scored,
        total=total,
        squares=squares,
        lowest=lowest,
        highest=highest,
        by_kind={OutcomeKind(kind): many for kind, many in connection.execute(_KINDS)},
        usage=_usage(tokens),
        cost=cost,
        unpriced=unpriced,
        calls=int(calls),
        cached=int(cached),
        latency=latency,
        attempts=_count(connection, "attempts"),
        refused=_count(connection, "refused"),
        requests=_count(connection, "requests"),
        bill=_bill(connection),
    )


def _bill(connection: sqlite3.Connection) -> Bill:
    *tokens, cost = connection.execute(_BILL).fetchone()
    return Bill(usage=_usage(tokens), cost=cost)


def _usage(tokens: Sequence[float]) -> Usage:
    sent, received, from_cache, to_cache, reasoning = map(int, tokens)
    return Usage(
        prompt_tokens=sent,
        completion_tokens=received,
        cached_tokens=from_cache,
        cache_write_tokens=to_cache,
        reasoning_tokens=reasoning,
    )


def notes(
    connection: sqlite3.Connection, kind: str | None
) -> list[tuple[str, float, str]]:
    """Return what was noted, of one kind or all: kind, time, and the facts as text."""
    return connection.execute(
        "SELECT kind, at, facts FROM notes WHERE :kind IS NULL OR kind = :kind "
        "ORDER BY rowid",
        {"kind": kind},
    ).fetchall()


def _count(connection: sqlite3.Connection, table: str) -> int:
    (many,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - a word of this module
    return int(many)
