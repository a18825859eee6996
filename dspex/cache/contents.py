"""Looking into the cache's file and tidying it, with or without a running tree."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dspex.cache.database import Database
from dspex.cache.entry import DamagedError
from dspex.cache.files import SIDE_FILES
from dspex.cache.rows import checked_reply
from dspex.cache.statistics import StoreStatistics
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Reply

_ENTRIES: Final = (
    "SELECT key, identity, reply, checksum, created, used, size FROM entries"
)
_EMPTY: Final = (
    "DELETE FROM entries",
    "DELETE FROM attachments",
    "DELETE FROM attached",
    "DELETE FROM absences",
    "DELETE FROM damaged",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One answer in the file, without what was asked and said."""

    key: str
    """Its key."""
    provider: str
    """Who answered."""
    place: str
    """At which address."""
    model: str
    """Which model was asked."""
    created: float
    """When the answer came, in seconds since 1970."""
    used: float
    """When it was read last, about."""
    size: int
    """Bytes of its texts."""
    request: dict[str, Any] = field(repr=False)
    """What was asked: the canonical JSON; attachments by their digest."""
    reply: Reply = field(repr=False)
    """What was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What a pruning did."""

    answers: int
    """Answers deleted."""
    bytes: int
    """Bytes given back to the disk."""


def statistics(database: Database) -> StoreStatistics:
    """What the file holds; all zero when there is none."""
    if not database.path.exists():
        return StoreStatistics()
    with database.use() as connection:
        size, oldest, newest = connection.execute(
            "SELECT count(*), min(created), max(created) FROM entries"
        ).fetchone()
        (attachments,) = connection.execute(
            "SELECT count(*) FROM attachments"
        ).fetchone()
        (damaged,) = connection.execute("SELECT count(*) FROM damaged").fetchone()
    return StoreStatistics(
        size=size,
        bytes=database.used_bytes(),
        attachments=attachments,
        damaged=damaged,
        oldest=oldest,
        newest=newest,
    )


def listed(database: Database, *, limit: int = 50, offset: int = 0) -> list[Listed]:
    """The answers in the file, newest first; a page of them. Damaged ones are left out.

    Args:
        database: The file.
        limit: How many at most.
        offset: How many of the newest to pass over.
    """
    if not database.path.exists():
        return []
    with database.use() as connection:
        rows = connection.execute(
            f"{_ENTRIES} ORDER BY created DESC, key LIMIT ? OFFSET ?",
            (limit, offset),
        ).fetchall()
    return [entry for entry in map(_listed, rows) if entry is not None]


def whole_key(database: Database, beginning: str) -> str | None:
    """The key that begins so, of an answer that is in the file or is known to be gone.

    Raises:
        ConfigurationError: Several keys begin so.
    """
    if not database.path.exists():
        return None
    with database.use() as connection:
        keys = connection.execute(
            "SELECT key FROM (SELECT key FROM entries UNION SELECT key FROM absences) "
            "WHERE key >= ? AND key < ? LIMIT 2",
            # "g" comes behind every hexadecimal digit.
            (beginning, f"{beginning}g"),
        ).fetchall()
    if len(keys) > 1:
        raise ConfigurationError(
            f"several answers have a key that begins with {beginning!r}; one was "
            "expected. Give more of its digits."
        )
    return str(keys[0][0]) if keys else None


def find(database: Database, beginning: str) -> Listed | None:
    """The answer whose key begins so; `None` when there is none.

    Raises:
        ConfigurationError: Several keys begin so.
    """
    key = whole_key(database, beginning)
    if key is None:
        return None
    with database.use() as connection:
        row = connection.execute(f"{_ENTRIES} WHERE key = ?", (key,)).fetchone()
    return None if row is None else _listed(row)


def prune(
    database: Database,
    *,
    older_than: float | None = None,
    max_bytes: float | None = None,
) -> Pruned:
    """Delete answers that are old, and the ones used least until the rest is small.

    Args:
        database: The file. What its own limits would drop goes as well.
        older_than: Seconds since an answer came, from which on it is deleted.
        max_bytes: Bytes the file may take afterwards.
    """
    if not database.path.exists():
        return Pruned(answers=0, bytes=0)
    before, answers = disk_bytes(database.path), 0
    while dropped := database.sweep(older_than=older_than, max_bytes=max_bytes):
        answers += dropped
    database.shrink()
    freed = max(0, before - disk_bytes(database.path))
    return Pruned(answers=answers, bytes=freed)


def clear(database: Database) -> int:
    """Delete all answers, and all that is remembered of others; how many there were."""
    if not database.path.exists():
        return 0
    with database.transaction() as connection:
        count = _count(connection)
        for statement in _EMPTY:
            connection.execute(statement)
    database.shrink()
    return count


def disk_bytes(path: Path) -> int:
    """Bytes that a file of SQLite takes on the disk, with those beside it."""
    parts = [Path(f"{path}{suffix}") for suffix in SIDE_FILES]
    return sum(part.stat().st_size for part in parts if part.exists())


def _count(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM entries").fetchone()
    return int(count)


def _listed(row: tuple[Any, ...]) -> Listed | None:
    key, identity, reply, checksum, created, used, size = row
    try:
        answered = checked_reply(identity, reply, checksum, created)
        request = json.loads(identity)
        return Listed(
            key=key,
            provider=str(request["provider"]),
            place=str(request["place"]),
            model=str(request["model"]),
            created=created,
            used=float(used),
            size=int(size),
            request=request,
            reply=answered,
        )
    except (DamagedError, ValueError, TypeError, LookupError, RecursionError):
        return None
