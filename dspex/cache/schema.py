"""The tables of the cache's file, and how it is told from anybody else's."""

from __future__ import annotations

import sqlite3
from typing import Final

from dspex.cache.new_files import one_moment, use_log

APPLICATION_ID: Final = 0x64737063
"""Marks the file as a cache of dspex ("dspc")."""
SCHEMA: Final = 1
"""Raised when the tables change; part of the file's name as well."""
KEPT_ABSENCES: Final = 1_000
"""Answers that are not there of which the file remembers why."""

_TABLES: Final = (
    # `size` counts the bytes of the texts; `used` is when it was read last, about.
    """CREATE TABLE entries (
        key TEXT PRIMARY KEY, identity TEXT NOT NULL, reply TEXT NOT NULL,
        checksum TEXT NOT NULL, created REAL NOT NULL, used REAL NOT NULL,
        size INTEGER NOT NULL)""",
    "CREATE INDEX entries_by_created ON entries (created)",
    "CREATE INDEX entries_by_used ON entries (used, key, size)",
    "CREATE TABLE attachments (digest TEXT PRIMARY KEY, content TEXT NOT NULL)",
    """CREATE TABLE attached (
        key TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (key, digest)
    ) WITHOUT ROWID""",
    "CREATE INDEX attached_by_digest ON attached (digest)",
    """CREATE TABLE absences (
        key TEXT PRIMARY KEY, identity TEXT NOT NULL, why TEXT NOT NULL,
        at REAL NOT NULL)""",
    "CREATE INDEX absences_by_time ON absences (at)",
    """CREATE TABLE damaged (
        key TEXT NOT NULL, identity TEXT, reply TEXT, checksum TEXT,
        found REAL NOT NULL)""",
)


class ForeignFileError(Exception):
    """The file is a database, and none of this schema."""


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables in a new file, or check that the file is one of ours.

    Raises:
        ForeignFileError: It has other tables, or things that would run by themselves.
        sqlite3.Error: It is no database, or cannot be read or written now.
    """
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA journal_size_limit=67108864")
    # Nothing is written to a file that is ready: another process may be writing.
    if not _is_ours(connection):
        # Both before the first table, or they would have no effect.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        use_log(connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            _create_unless_there(connection)
            connection.execute("COMMIT")
        except BaseException:
            # SQLite may have rolled it back by itself, such as on a full disk.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _create_unless_there(connection: sqlite3.Connection) -> None:
    if _is_ours(connection):
        # Another process was quicker.
        return
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={SCHEMA}")


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Whether the file is one of ours; `False` for an empty one."""
    with one_moment(connection):
        found = {
            sql
            for (sql,) in connection.execute(
                "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
            )
        }
        mark = tuple(
            _pragma(connection, name) for name in ("application_id", "user_version")
        )
    if not found and mark == (0, 0):
        return False
    # Word for word: a trigger or a view would run with whatever is asked here.
    if mark != (APPLICATION_ID, SCHEMA) or found != set(_TABLES):
        raise ForeignFileError
    return True


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
