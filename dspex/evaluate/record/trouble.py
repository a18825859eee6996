"""What SQLite and the operating system say against a record, as errors of dspex."""

from __future__ import annotations

import errno
import sqlite3
from datetime import UTC, datetime
from typing import Final

from dspex.cache.files import make_private_file
from dspex.cache.trouble import CacheFileError, Trouble, trouble_of
from dspex.core.errors import (
    RecordDamagedError,
    RecordError,
    RecordFullError,
    RecordUnwritableError,
    RecordVersionError,
    RunBusyError,
    RunExistsError,
    RunFencedError,
    RunNotFoundError,
)
from dspex.evaluate.record.ownership import Owner
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.schema import SCHEMA

_FULL: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
"""What a disk that is full, or a limit on the size of files, looks like in SQLite."""


def make_record_file(place: RunPlace) -> None:
    """Create the file of a record for this user only, unless it is there.

    Raises:
        RecordError: It may not lie there; the text says why.
    """
    path = place.path
    if path is None:
        return
    try:
        make_private_file(path)
    except CacheFileError as error:
        if error.trouble is Trouble.FULL:
            raise full(place, "there is no room for a new file") from error
        raise RecordError(
            f"the record {str(path)!r} is {error.trouble.value}; expected a private "
            "file on a disk of this machine, in a folder of yours. Set DSPEX_HOME to "
            "such a folder, or run with persist=False.",
            run=place.run,
            path=path,
        ) from error


def of_sqlite(place: RunPlace, error: sqlite3.Error) -> RecordError:
    """Return what an error of SQLite means for a record."""
    if getattr(error, "sqlite_errorcode", None) in _FULL:
        return full(place, str(error))
    match trouble_of(error):
        case Trouble.FULL:
            return full(place, str(error))
        case Trouble.LOCKED:
            return RecordUnwritableError(
                f"the record of the run {place.run!r} is held by another process: "
                f"{error}; expected to be alone in writing it. Nothing is lost: it is "
                f"tried again; close what holds {_file(place)}.",
                run=place.run,
                path=place.path,
            )
        case Trouble.DAMAGED:
            return damaged(place, str(error))
        case Trouble.READ_ONLY:
            return RecordUnwritableError(
                f"the record of the run {place.run!r} cannot be written: {error}; "
                f"expected the right to write {_file(place)}. Give it to yourself, or "
                "set DSPEX_HOME.",
                run=place.run,
                path=place.path,
            )
        case _:
            return RecordError(
                f"the record of the run {place.run!r} cannot be used: {error}; "
                f"expected to read and write {_file(place)}. Look at the file and its "
                "disk, or set DSPEX_HOME.",
                run=place.run,
                path=place.path,
            )


def full(place: RunPlace, said: str) -> RecordFullError:
    """The error of a full disk."""
    return RecordFullError(
        f"there is no room for the record of the run {place.run!r}: {said}; expected "
        f"room on the disk of {_file(place)}. Nothing is lost: make room, or run "
        "`dspex cache prune`, and go on.",
        run=place.run,
        path=place.path,
    )


def is_full(error: OSError) -> bool:
    """Whether the operating system says that there is no room."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def damaged(place: RunPlace, said: str) -> RecordDamagedError:
    """The error of a broken file."""
    return RecordDamagedError(
        f"the record of the run {place.run!r} is damaged: {said}; expected what dspex "
        f"wrote to {_file(place)}. Put a copy from before in its place, or move the "
        "file away and begin the run anew.",
        run=place.run,
        path=place.path,
    )


def newer(place: RunPlace, version: int) -> RecordVersionError:
    """The error of a file that a newer dspex wrote."""
    return RecordVersionError(
        f"the record of the run {place.run!r} has version {version}, from a newer "
        f"dspex; this one knows versions up to {SCHEMA}. Update dspex, or give the run "
        "another name.",
        run=place.run,
        path=place.path,
        version=version,
        known=SCHEMA,
    )


def exists(place: RunPlace) -> RunExistsError:
    """The error of a name that is taken."""
    return RunExistsError(
        f"there is a run {place.run!r} already, in {_file(place)}; a new name was "
        "expected. Go on with that run, or give this one another name.",
        run=place.run,
    )


def not_found(place: RunPlace) -> RunNotFoundError:
    """The error of a name nobody knows."""
    return RunNotFoundError(
        f"there is no run {place.run!r}; expected its record in {_file(place)}. See "
        "what there is with `dspex runs`.",
        run=place.run,
    )


def busy(place: RunPlace, owner: Owner) -> RunBusyError:
    """The error of a run that somebody else works on."""
    since = datetime.fromtimestamp(owner.since, UTC).isoformat(" ", "seconds")
    return RunBusyError(
        f"the run {place.run!r} is worked on by process {owner.pid} on {owner.host!r}, "
        f"since {since}; a run has one owner at a time. Wait for it, stop it, or give "
        "this run another name.",
        run=place.run,
        pid=owner.pid,
        host=owner.host,
        since=owner.since,
    )


def fenced(place: RunPlace, why: str) -> RunFencedError:
    """The error of an owner that is none any more."""
    return RunFencedError(
        f"the run {place.run!r} is not ours any more: {why}; only its owner writes its "
        "record. Nothing that was counted is lost; look at it with `dspex runs`.",
        run=place.run,
    )


def _file(place: RunPlace) -> str:
    return "memory" if place.path is None else repr(str(place.path))
