"""The tables of a run's record, and how its file is told from anybody else's."""

from __future__ import annotations

import sqlite3
from typing import Final

from dspex.cache.new_files import one_moment

APPLICATION_ID: Final = 0x64737072
"""Marks the file as the record of a run of dspex ("dspr")."""
SCHEMA: Final = 1
"""Raised when the tables change."""

_TABLES: Final = (
    # One row each. `owner` is empty while nobody owns the run; `ended` says how it was
    # left by the last one that closed it.
    "CREATE TABLE head (run TEXT NOT NULL, told TEXT NOT NULL)",
    """CREATE TABLE owner (
        generation INTEGER NOT NULL, owner TEXT, since REAL NOT NULL,
        beat REAL NOT NULL)""",
    "CREATE TABLE ended (status TEXT NOT NULL, at REAL NOT NULL, facts TEXT NOT NULL)",
    """CREATE TABLE examples (
        number INTEGER PRIMARY KEY, digest TEXT NOT NULL, value TEXT)""",
    # `number` is example * trials + trial everywhere below. `at` is empty for an
    # attempt of which only the intent was written.
    """CREATE TABLE attempts (
        number INTEGER NOT NULL, attempt INTEGER NOT NULL,
        configuration INTEGER NOT NULL, at REAL, PRIMARY KEY (number, attempt)
    ) WITHOUT ROWID""",
    """CREATE TABLE outcomes (
        number INTEGER PRIMARY KEY, attempt INTEGER NOT NULL,
        configuration INTEGER NOT NULL, kind TEXT NOT NULL, settled INTEGER NOT NULL,
        score REAL, latency REAL NOT NULL, prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
        cache_write_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
        cost REAL, calls INTEGER NOT NULL, cached INTEGER NOT NULL,
        body TEXT NOT NULL, checksum INTEGER NOT NULL)""",
    # Open outcomes of which a later attempt took the place.
    """CREATE TABLE superseded (
        number INTEGER NOT NULL, attempt INTEGER NOT NULL, kind TEXT NOT NULL,
        PRIMARY KEY (number, attempt)) WITHOUT ROWID""",
    """CREATE TABLE refused (
        number INTEGER NOT NULL, attempt INTEGER NOT NULL, why TEXT NOT NULL)""",
    """CREATE TABLE requests (
        request TEXT PRIMARY KEY, call TEXT NOT NULL, ordinal INTEGER NOT NULL,
        fate TEXT NOT NULL, error TEXT, sends INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL,
        reasoning_tokens INTEGER NOT NULL, cost REAL, seconds REAL NOT NULL,
        configuration INTEGER NOT NULL, tags TEXT NOT NULL) WITHOUT ROWID""",
    "CREATE TABLE notes (kind TEXT NOT NULL, at REAL NOT NULL, facts TEXT NOT NULL)",
)


class ForeignFileError(Exception):
    """The file is a database, and none of a run."""


class NewerFileError(Exception):
    """The file was made by a newer dspex; its version is the argument."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version


def prepare(connection: sqlite3.Connection) -> None:
    """Set a connection up, for reading and for writing.

    Raises:
        sqlite3.Error: It is no database, or cannot be read now.
    """
    connection.execute("PRAGMA trusted_schema=OFF")
    wait_for_disk(connection, waits=True)
    connection.execute("PRAGMA journal_size_limit=67108864")


def wait_for_disk(connection: sqlite3.Connection, *, waits: bool) -> None:
    """Say whether SQLite waits now and then until the disk has what it wrote.

    A process that is killed loses nothing either way. Whoever does not wait may find
    nothing after a power cut, so that is for files in which nothing stands yet.

    Raises:
        sqlite3.Error: It cannot be said now.
    """
    connection.execute(f"PRAGMA synchronous={'NORMAL' if waits else 'OFF'}")


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file, within a transaction.

    Raises:
        sqlite3.Error: It cannot be written.
    """
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={SCHEMA}")


def check(connection: sqlite3.Connection) -> bool:
    """Whether the tables are there; `False` for an empty file.

    Raises:
        ForeignFileError: It has other tables, or things that would run by themselves.
        NewerFileError: A newer dspex made it.
        sqlite3.Error: It is no database, or cannot be read now.
    """
    with one_moment(connection):
        found = {
            sql
            for (sql,) in connection.execute(
                "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
            )
        }
        mark, version = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("application_id", "user_version")
        )
    if not found and (mark, version) == (0, 0):
        return False
    if mark == APPLICATION_ID and version > SCHEMA:
        raise NewerFileError(version)
    # Word for word: a trigger or a view would run with whatever is asked here.
    if (mark, version) != (APPLICATION_ID, SCHEMA) or found != set(_TABLES):
        raise ForeignFileError
    return True
