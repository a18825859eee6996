"""The cache's file as JSON Lines, to carry answers from one machine to another.

What is read is checked as if a stranger had written it: the key is computed, never
taken, and a line that is no answer is left out and told.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from dspex.cache.database import Database
from dspex.cache.entry import DamagedError, Entry, absence_of, dump_reply, load_reply
from dspex.cache.key import VERSION, Identity, attached_digests, canonical, digest
from dspex.cache.rows import attachment, checked_reply

LONGEST_LINE: Final = 64 * 1024 * 1024
"""Characters of a line that are read at most."""
TOLD_FAULTS: Final = 20
"""Lines that are no answers of which the fault is told; the others are counted."""
_BATCH: Final = 100
_OF_LINE: Final = frozenset({"request", "reply", "created"})
_OF_REQUEST: Final = frozenset(
    {"version", "provider", "place", "format", "model", "messages", "settings"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did."""

    added: int
    """Answers that were not there before."""
    known: int
    """Answers that were there, and stay as they are."""
    faulty: int
    """Lines that are no answers."""
    faults: tuple[str, ...]
    """The first of these, each with its line and what is wrong with it."""


def export_lines(database: Database) -> Iterator[str]:
    """Every answer in the file as a line of JSON, in the order of their keys.

    Prompts and answers stand in it as they are; damaged rows are left out.
    """
    last = ""
    while database.path.exists():
        with database.use() as connection:
            rows = connection.execute(
                "SELECT key, identity, reply, checksum, created FROM entries "
                "WHERE key > ? ORDER BY key LIMIT ?",
                (last, _BATCH),
            ).fetchall()
            lines = [_line(connection, *row[1:]) for row in rows]
        yield from (line for line in lines if line is not None)
        if not rows:
            return
        last = rows[-1][0]


def import_lines(database: Database, lines: Iterable[str]) -> Imported:
    """Put the answers of an export into the file; those it has stay as they are."""
    added = known = faulty = 0
    faults: list[str] = []
    waiting: dict[str, Entry] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = read_line(line, database.now())
        except DamagedError as error:
            faulty += 1
            if len(faults) < TOLD_FAULTS:
                faults.append(f"line {number}: {error}")
            continue
        key = entry.identity.key
        if key in waiting or database.read(entry.identity) is not None:
            known += 1
            continue
        added += 1
        waiting[key] = entry
        if len(waiting) >= _BATCH:
            database.write(waiting.values())
            waiting.clear()
    if waiting:
        database.write(waiting.values())
    return Imported(added=added, known=known, faulty=faulty, faults=tuple(faults))


def read_line(line: str, now: float) -> Entry:
    """The answer in a line of an export.

    Args:
        line: The line.
        now: Seconds since 1970; an answer from the future counts from now.

    Raises:
        DamagedError: It is no answer, or one that would not have been kept.
    """
    if len(line) > LONGEST_LINE:
        raise DamagedError("it is too long")
    try:
        line.encode()
    except UnicodeEncodeError as error:
        raise DamagedError("it is no UTF-8") from error
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DamagedError("it is no JSON") from error
    if not isinstance(value, dict) or not value.keys() >= _OF_LINE:
        raise DamagedError(f"it is no object with {', '.join(sorted(_OF_LINE))}")
    created = _date(value["created"])
    if not isinstance(value["reply"], str):
        raise DamagedError("its reply is no text")
    reply = load_reply(value["reply"])
    absence = absence_of(reply)
    if absence is not None:
        raise DamagedError(f"its answer is not to be kept: {absence.value}")
    identity = _identity(value["request"], value.get("attachments", {}))
    return Entry(identity=identity, reply=reply, created=min(created, now))


def _date(value: Any) -> float:
    if type(value) not in {int, float}:
        raise DamagedError("its date is no number")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise DamagedError("its date is no date")
    return seconds


def _identity(text: Any, attachments: Any) -> Identity:
    """The identity of a request as it stands in an export, its key computed."""
    try:
        fields = json.loads(text)
        is_canonical = canonical(fields) == text
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedError("its request is no JSON") from error
    if not is_canonical or not isinstance(fields, dict):
        raise DamagedError("its request is not in its canonical form")
    if fields.keys() - {"attachments"} != _OF_REQUEST or fields["version"] != VERSION:
        raise DamagedError("its request is of another version of dspex")
    named = attached_digests(text)
    if not isinstance(attachments, dict) or set(attachments) != set(named):
        raise DamagedError("its attachments are not those its request names")
    for name, content in attachments.items():
        if not isinstance(content, str) or digest(content) != name:
            raise DamagedError("an attachment is not what its digest says")
    return Identity.of(text, attachments)


def _line(
    connection: sqlite3.Connection, identity: Any, reply: Any, told: Any, created: Any
) -> str | None:
    try:
        answered = checked_reply(identity, reply, told, created)
    except DamagedError:
        return None
    named = attached_digests(identity)
    contents = {name: attachment(connection, name) for name in named}
    if None in contents.values():
        return None
    line = {"request": identity, "reply": dump_reply(answered), "created": created}
    if contents:
        line["attachments"] = contents
    return json.dumps(line, ensure_ascii=True)
