"""The cache's file: reading, writing and keeping it small, in SQLite.

Plain functions of one connection and no actor: the store uses it in its own thread, the
command line without any. Several processes may use one file; each write is one short
transaction. Rows are checked when they are read, and set aside when they are damaged.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dspex.cache import schema
from dspex.cache.entry import Absence, DamagedError, Entry
from dspex.cache.files import make_private_file, set_aside
from dspex.cache.key import Identity
from dspex.cache.rows import Row, checked_reply, delete, insert, note_absences
from dspex.cache.trouble import Trouble, file_error, trouble_of
from dspex.core import defaults
from dspex.core.lm import Reply

PATIENT: Final = 10.0
"""Seconds a command waits for another process to finish its write."""
_TOUCHED_AFTER: Final = 3600.0
"""Seconds after which an answer that is read is marked as used again."""
_SWEPT_AT_ONCE: Final = 1_000
"""Rows deleted in one transaction, so that no other process waits long."""
_ROOM: Final = 0.95
"""The part of the size allowed that is left after making room."""

_inherited: list[sqlite3.Connection] = []
"""Connections of the process this one was forked from: never to be closed here."""


class Database:
    """One file of answers. For one thread; opened at the first use.

    Args:
        path: The file; it and its folder are made if they are not there.
        ttl: Seconds an answer counts, from when it came.
        max_bytes: Bytes the answers may take; those used least recently make room.
        patience: Seconds to wait while another process writes.
        wall_clock: Seconds since 1970.

    Raises:
        CacheFileError: From each method, when the file cannot be used. A damaged or
            foreign one is set aside first, so that the next use begins a new one.
    """

    def __init__(
        self,
        path: Path,
        *,
        ttl: float = defaults.CACHE_DISK_TTL,
        max_bytes: float = defaults.CACHE_DISK_BYTES,
        patience: float = PATIENT,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.ttl = ttl
        self.max_bytes = max_bytes
        self.now = wall_clock
        self.damaged = 0
        """Rows set aside since it was opened."""
        self.used: set[str] = set()
        """Keys of answers to mark as used with the next write."""
        self._patience = patience
        self._connection: sqlite3.Connection | None = None
        # Closes the connection, also when the owner was killed and closes nothing.
        self._let_go: weakref.finalize[..., Database] | None = None
        self._inode = 0
        self._pid = 0

    # The connection.

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._connection = None
        if self._let_go is not None:
            self._let_go()

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """The connection; what SQLite says against it becomes a `CacheFileError`."""
        try:
            yield self._opened()
        except schema.ForeignFileError:
            self._set_aside()
            raise file_error(
                self.path, Trouble.DAMAGED, "it is a database of something else"
            ) from None
        except sqlite3.Error as error:
            trouble = trouble_of(error)
            if trouble is Trouble.DAMAGED:
                self._set_aside()
            raise file_error(self.path, trouble, str(error)) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One write, whole or not at all."""
        with self.use() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # SQLite may have rolled it back by itself, such as on a full disk.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._pid != os.getpid():
            self.close()
        if self._connection is None:
            make_private_file(self.path)
            self._pid, self._inode = os.getpid(), self.path.stat().st_ino
            # `mode=rw`: SQLite must not make a file that is not private.
            self._connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=self._patience,
                isolation_level=None,
                # One thread uses it; but whichever collects it must be able to close.
                check_same_thread=False,
            )
            self._let_go = weakref.finalize(
                self, _close_unless_inherited, self._connection, self._pid
            )
            # At the program's end a thread may be inside SQLite still.
            self._let_go.atexit = False
            # A damaged row may hold bytes that are no text.
            self._connection.text_factory = functools.partial(
                str, encoding="utf-8", errors="replace"
            )
            try:
                schema.prepare(self._connection)
            except BaseException:
                self.close()
                raise
        return self._connection

    def _set_aside(self) -> None:
        self.close()
        # Unless another process has done it already.
        if self.path.exists() and self.path.stat().st_ino == self._inode:
            set_aside(self.path)

    # Answers.

    def warm_up(self) -> None:
        """Open the file if there is one, so that the first reader need not wait."""
        if self.path.exists():
            with self.use():
                pass

    def read(self, identity: Identity) -> Reply | None:
        """The answer to exactly that request, unless its time is over.

        Makes no file where there is none.
        """
        if self._connection is None and not self.path.exists():
            return None
        with self.use() as connection:
            row = connection.execute(
                "SELECT identity, reply, checksum, created, used FROM entries "
                "WHERE key = ?",
                (identity.key,),
            ).fetchone()
        if row is None:
            return None
        text, reply_text, told, created, used = row
        try:
            reply = checked_reply(text, reply_text, told, created)
        except DamagedError:
            self._quarantine(identity.key)
            return None
        # A digest may collide; the texts are what was asked.
        now = self.now()
        if text != identity.text or created + self.ttl <= now:
            return None
        if not (isinstance(used, float) and used > now - _TOUCHED_AFTER):
            self.used.add(identity.key)
        return reply

    def write(
        self,
        entries: Iterable[Entry] = (),
        *,
        absences: Iterable[tuple[Identity, Absence]] = (),
    ) -> None:
        """Keep answers, note why others were not, and mark those that were read.

        An answer that holds what JSON cannot is noted as not to be kept.
        """
        rows, absences = [], list(absences)
        for entry in entries:
            try:
                rows.append(Row(entry))
            except ValueError:
                absences.append((entry.identity, Absence.UNCACHEABLE))
        now = self.now()
        with self.transaction() as connection:
            insert(connection, rows, now)
            connection.executemany(
                "UPDATE entries SET used = ? WHERE key = ?",
                [(now, key) for key in self.used],
            )
            if absences:
                told = [(each.key, each.text, why) for each, why in absences]
                note_absences(connection, told, now)
        self.used.clear()

    def _quarantine(self, key: str) -> None:
        """Set a damaged row aside, so that it is met once."""
        self.damaged += 1
        now = self.now()
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO damaged SELECT key, identity, reply, checksum, ? "
                "FROM entries WHERE key = ?",
                (now, key),
            )
            note_absences(connection, [(key, "", Absence.DAMAGED)], now)
            delete(connection, [key])
            connection.execute(
                "DELETE FROM damaged WHERE rowid <= "
                "(SELECT max(rowid) FROM damaged) - ?",
                (schema.KEPT_ABSENCES,),
            )

    # Room.

    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        with self.use() as connection:
            counts = [
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            ]
        return int((counts[0] - counts[1]) * counts[2])

    def sweep(
        self,
        *,
        older_than: float | None = None,
        max_bytes: float | None = None,
        max_rows: int = _SWEPT_AT_ONCE,
    ) -> int:
        """Drop answers whose time is over, and make room when there is too little.

        One short transaction; call it again while it drops anything.

        Args:
            older_than: Seconds that an answer counts this once, if less than `ttl`.
            max_bytes: Bytes they may take this once, if less than its own `max_bytes`.
            max_rows: How many it drops for either reason at most.

        Returns:
            How many answers it dropped.
        """
        ttl = self.ttl if older_than is None else min(self.ttl, older_than)
        room = self.max_bytes if max_bytes is None else min(self.max_bytes, max_bytes)
        excess = self.used_bytes() - room
        with self.transaction() as connection:
            dropped = self._expire(connection, ttl, max_rows)
            if excess > 0:
                wanted = excess + (1 - _ROOM) * room
                dropped += self._evict(connection, wanted, max_rows)
            if dropped:
                connection.execute(
                    "DELETE FROM attachments WHERE digest NOT IN "
                    "(SELECT digest FROM attached)"
                )
        return dropped

    def shrink(self) -> None:
        """Give what is free in the file back to the disk."""
        with self.use() as connection:
            # As a script: `execute` takes one step of it, which frees one page.
            connection.executescript("PRAGMA incremental_vacuum")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _expire(self, connection: sqlite3.Connection, ttl: float, max_rows: int) -> int:
        keys = connection.execute(
            "SELECT key FROM entries WHERE created <= ? ORDER BY created LIMIT ?",
            (self.now() - ttl, max_rows),
        )
        return self._drop(connection, [key for (key,) in keys], Absence.EXPIRED)

    def _evict(
        self, connection: sqlite3.Connection, wanted: float, max_rows: int
    ) -> int:
        keys, freed = [], 0
        for key, size in connection.execute(
            "SELECT key, size FROM entries ORDER BY used LIMIT ?", (max_rows,)
        ):
            if freed >= wanted:
                break
            keys.append(key)
            freed += size
        return self._drop(connection, keys, Absence.EVICTED)

    def _drop(
        self, connection: sqlite3.Connection, keys: Sequence[str], why: Absence
    ) -> int:
        """Delete answers and remember why, within a transaction; how many there were.

        Their attachments stay until a sweep finds that nobody has them.
        """
        # Why is enough: whoever asks again brings the text along.
        told = [(key, "", why) for key in keys[-schema.KEPT_ABSENCES :]]
        note_absences(connection, told, self.now())
        return delete(connection, keys)


def _close_unless_inherited(connection: sqlite3.Connection, pid: int) -> None:
    """Close a connection in the process that opened it.

    It cannot be used after a fork, and closing it would take the parent's locks away.
    """
    if pid == os.getpid():
        connection.close()
    else:
        _inherited.append(connection)
