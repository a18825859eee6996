"""The rows of the cache's file: made of answers, checked when they are read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from dspex.cache import schema
from dspex.cache.entry import (
    Absence,
    DamagedError,
    Entry,
    checksum,
    dump_reply,
    load_reply,
)
from dspex.cache.key import digest
from dspex.core.lm import Reply


class Row:
    """An answer made ready to be written, before the transaction begins.

    Raises:
        ValueError: The answer holds what JSON cannot.
    """

    def __init__(self, entry: Entry) -> None:
        identity, reply = entry.identity, dump_reply(entry.reply)
        contents = identity.attachments.items()
        # ASCII in any case: half characters, which UTF-8 cannot hold, in JSON's way.
        self.attachments = [(name, json.dumps(content)) for name, content in contents]
        self.key = identity.key
        self.values = (
            identity.key,
            identity.text,
            reply,
            checksum(identity.text, reply, entry.created),
            entry.created,
        )
        attached = sum(len(content) for _, content in self.attachments)
        self.size = identity.size + len(reply) + attached
        """Bytes of its texts."""


def insert(connection: sqlite3.Connection, rows: Sequence[Row], now: float) -> None:
    """Write answers in a transaction, in the place of older ones."""
    connection.executemany(
        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*row.values, now, row.size) for row in rows],
    )
    connection.executemany(
        "DELETE FROM absences WHERE key = ?", [(row.key,) for row in rows]
    )
    attached = [(row.key, each) for row in rows for each in row.attachments]
    connection.executemany(
        "INSERT OR IGNORE INTO attachments VALUES (?, ?)",
        [attachment for _, attachment in attached],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO attached VALUES (?, ?)",
        [(key, name) for key, (name, _) in attached],
    )


def checked_reply(identity: Any, reply: Any, told: Any, created: Any) -> Reply:
    """The answer in a row.

    Raises:
        DamagedError: The row is not as it was written.
    """
    # SQLite lets any column hold any type.
    if not (isinstance(identity, str) and isinstance(reply, str)):
        raise DamagedError("a text is missing")
    if not isinstance(created, float) or checksum(identity, reply, created) != told:
        raise DamagedError("the checksum is another one")
    return load_reply(reply)


def attachment(connection: sqlite3.Connection, name: str) -> str | None:
    """The long text with this digest; `None` when it is not there, or damaged."""
    row = connection.execute(
        "SELECT content FROM attachments WHERE digest = ?", (name,)
    ).fetchone()
    try:
        content = json.loads(row[0]) if row else None
    except (ValueError, TypeError, RecursionError):
        return None
    is_it = isinstance(content, str) and digest(content) == name
    return content if is_it else None


def delete(connection: sqlite3.Connection, keys: Sequence[str]) -> int:
    """Delete answers in a transaction; how many there were."""
    each = [(key,) for key in keys]
    connection.executemany("DELETE FROM attached WHERE key = ?", each)
    return connection.executemany("DELETE FROM entries WHERE key = ?", each).rowcount


def note_absences(
    connection: sqlite3.Connection,
    rows: Iterable[tuple[str, str, Absence]],
    now: float,
) -> None:
    """Remember why answers are not there: key, canonical text and reason of each."""
    connection.executemany(
        "INSERT OR REPLACE INTO absences VALUES (?, ?, ?, ?)",
        [(key, text, why.value, now) for key, text, why in rows],
    )
    connection.execute(
        "DELETE FROM absences WHERE key IN "
        "(SELECT key FROM absences ORDER BY at DESC, key LIMIT -1 OFFSET ?)",
        (schema.KEPT_ABSENCES,),
    )
