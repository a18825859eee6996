"""SQLite files that two processes may begin at the same moment."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

PATIENCE: Final = 5.0
"""Seconds to wait for another process that does the same."""
_LOOK_EVERY: Final = 0.005
"""Seconds between two tries."""


@contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Have all that is asked in the block answered as of one moment.

    Else another process may make the tables between two questions.

    Raises:
        sqlite3.Error: It is no database, or cannot be read now.
    """
    connection.execute("SAVEPOINT one_moment")
    try:
        yield
    finally:
        # A file that is no database may have ended it by itself.
        if connection.in_transaction:
            connection.execute("RELEASE one_moment")


def use_log(connection: sqlite3.Connection) -> None:
    """Have SQLite keep a log, so that readers and writers do not wait for each other.

    Call it outside of a transaction, or it does nothing. Where another process does the
    same, SQLite does not wait for it, however patient the connection is.

    Raises:
        sqlite3.Error: It cannot be written, or is in use for too long.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > until:
                raise
            threading.Event().wait(_LOOK_EVERY)
        else:
            return
