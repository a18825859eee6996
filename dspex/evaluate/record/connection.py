"""The connection to a record's file: for one owner, and for readers in any thread."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Final

from dspex.evaluate.record import schema, trouble
from dspex.evaluate.record.place import RunPlace

PATIENCE: Final = 5.0
"""Seconds to wait while another process writes."""

_inherited: list[sqlite3.Connection] = []
"""Connections of the process this one was forked from: never to be closed here."""


class Connection:
    """One file, opened when it is needed.

    Raises:
        RecordError: From each method, when the file cannot be used.
    """

    def __init__(self, place: RunPlace) -> None:
        self.place = place
        # Protects the connection: readers must not see a half of a transaction.
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None
        self._let_go: Callable[[], object] | None = None
        self._pid = os.getpid()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for whoever asks something of it."""
        with self._lock:
            try:
                yield self._opened()
            except sqlite3.Error as error:
                raise trouble.of_sqlite(self.place, error) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One write, whole or not at all."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # SQLite may have rolled it back by itself, such as on a full disk.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @property
    def is_inherited(self) -> bool:
        """Whether this process was forked from the one that opened it."""
        return self._pid != os.getpid()

    def check(self) -> bool:
        """Whether there are tables.

        Raises:
            RecordDamagedError: They are none of ours.
            RecordVersionError: A newer dspex made them.
        """
        with self.reading() as connection:
            try:
                return schema.check(connection)
            except schema.ForeignFileError:
                said = "it is a database of something else"
                raise trouble.damaged(self.place, said) from None
            except schema.NewerFileError as error:
                raise trouble.newer(self.place, error.version) from None

    def close(self) -> None:
        """Close the file; what is asked next opens it again. Memory stays."""
        with self._lock:
            if self.place.path is not None and self._let_go is not None:
                self._connection = None
                self._let_go()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self.is_inherited:
            self.close()
        if self._connection is None:
            self._pid = os.getpid()
            self._connection = _connect(self.place)
            finalizer = weakref.finalize(
                self, _close_unless_inherited, self._connection, self._pid
            )
            # At the program's end a thread may be inside SQLite still.
            finalizer.atexit = False
            self._let_go = finalizer
            schema.prepare(self._connection)
        return self._connection


def _connect(place: RunPlace) -> sqlite3.Connection:
    # `mode=rw`: SQLite must not make a file that is not private.
    path = place.path
    address = ":memory:" if path is None else f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(
        address,
        uri=True,
        timeout=PATIENCE,
        isolation_level=None,
        # Whoever holds the lock uses it, and whoever collects it closes it.
        check_same_thread=False,
    )


def _close_unless_inherited(connection: sqlite3.Connection, pid: int) -> None:
    """Close a connection in the process that opened it.

    It cannot be used after a fork, and closing it would take the parent's locks away.
    """
    if pid == os.getpid():
        connection.close()
    else:
        _inherited.append(connection)
