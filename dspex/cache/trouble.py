"""What can be wrong with the file of the cache, told apart."""

from __future__ import annotations

import sqlite3
from enum import Enum
from pathlib import Path

from dspex.core.errors import DataError


class Trouble(Enum):
    """Why the file could not be read or written. None of them fails a call."""

    LOCKED = "locked"
    """Another process writes; it is tried again."""
    FULL = "full"
    """The disk is full; answers are not stored until there is room."""
    READ_ONLY = "read-only"
    """The file or its folder cannot be written."""
    DAMAGED = "damaged"
    """It is no database of ours, or it is broken; it is set aside and begun anew."""
    ROW = "damaged in a row"
    """One answer in it is; it is set aside and asked for again."""
    UNSAFE = "unsafe"
    """It is a link, another user's, or where others can write; it is not touched."""
    NETWORK = "on a network"
    """It lies on a network file system, where SQLite's locks cannot be trusted."""
    UNREADABLE = "unreadable"
    """Anything else the operating system said."""


class CacheFileError(DataError):
    """The file of the cache cannot be used.

    Attributes:
        trouble: What is wrong.
    """

    def __init__(self, message: str, *, path: Path, trouble: Trouble) -> None:
        super().__init__(message, path=path)
        self.trouble = trouble


_BY_CODE = {
    sqlite3.SQLITE_BUSY: Trouble.LOCKED,
    sqlite3.SQLITE_LOCKED: Trouble.LOCKED,
    sqlite3.SQLITE_PROTOCOL: Trouble.LOCKED,
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_PERM: Trouble.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
    sqlite3.SQLITE_FORMAT: Trouble.DAMAGED,
}

_ADVICE = {
    Trouble.LOCKED: "It is tried again; close what holds it if that lasts.",
    Trouble.FULL: "Make room on the disk, or run: dspex cache prune.",
    Trouble.READ_ONLY: "Give yourself the right to write there, or set DSPEX_HOME.",
    Trouble.DAMAGED: "It was set aside and a new one begun; delete the old one.",
    Trouble.ROW: "Nothing needs doing; look at the disk if it goes on.",
    Trouble.UNSAFE: "Make the folder your own and private, or set DSPEX_HOME.",
    Trouble.NETWORK: "Set DSPEX_HOME to a folder on a disk of this machine.",
    Trouble.UNREADABLE: "Look at the file and its disk, or set DSPEX_HOME.",
}


def trouble_of(error: sqlite3.Error) -> Trouble:
    """Tell what an error of SQLite means.

    Example:
        >>> trouble_of(sqlite3.DatabaseError("no code at all"))
        <Trouble.UNREADABLE: 'unreadable'>
    """
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the kind; the others say more of it.
    return Trouble.UNREADABLE if code is None else _kind(code & 0xFF)


def _kind(code: int) -> Trouble:
    return _BY_CODE.get(code, Trouble.UNREADABLE)


def file_error(path: Path, trouble: Trouble, said: str) -> CacheFileError:
    """The error of a trouble: what is wrong, what was expected, how to mend it."""
    text = (
        f"the cache file {str(path)!r} is {trouble.value}: {said}; expected a private "
        f"file of dspex on a disk of this machine. {_ADVICE[trouble]}"
    )
    return CacheFileError(text, path=path, trouble=trouble)
