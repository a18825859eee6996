"""A file in memory: what is written to it outlives the process, without a system call.

The file is mapped, so to write is to copy some bytes, and the operating system has them
at once: `kill -9` takes none of them back. A call of the system would cost little by
itself, but each gives the interpreter away, and with many threads one waits for it
again much longer than for the call.
"""

from __future__ import annotations

import errno
import mmap
import os
import time
from pathlib import Path
from typing import Final

EMPTY: Final = b"\0"
"""What stands where nothing has been written."""
KEPT: Final = b"="
TAKEN: Final = b"!"
"""The first byte: whether somebody has taken the sheet away from its writer."""
FIRST_LINE: Final = KEPT + b"\n"

SMALLEST: Final = 65_536
"""Bytes of a new sheet; each time it is full it has twice as many."""
LOOK_EVERY: Final = 0.2
"""Seconds between two looks at whether the file was deleted by hand."""
_CANNOT_RESERVE: Final = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system says that cannot take room beforehand."""


class Sheet:
    """One file that is written to from its beginning to its end.

    Its room is taken from the disk beforehand, so that a full disk is an error and not
    the death of the process. It may be written to by one thread at a time.

    Args:
        path: The file; what it holds is kept out of reach of other users.

    Raises:
        OSError: It cannot be made, or there is no room for it.
    """

    def __init__(self, path: Path) -> None:
        # One that is there belongs to somebody who may still have it mapped.
        path.unlink(missing_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        self._handle = os.open(path, flags, 0o600)
        self.size = 0
        """Bytes written so far."""
        self._looked = time.monotonic()
        self._is_deleted = False
        try:
            self._map = self._mapped(SMALLEST)
        except OSError:
            os.close(self._handle)
            raise
        self.add(FIRST_LINE)

    def add(self, line: bytes) -> None:
        """Write a line behind the last one.

        Raises:
            OSError: There is no room on the disk; nothing is written.
        """
        end = self.size + len(line)
        if end > len(self._map):
            larger = self._mapped(max(end, 2 * len(self._map)))
            self._map.close()
            self._map = larger
        self._map[self.size : end] = line
        self.size = end

    @property
    def is_taken_away(self) -> bool:
        """Whether somebody has taken the sheet away, or deleted its file."""
        return self._map[: len(TAKEN)] == TAKEN or self._looks_deleted()

    def close(self) -> None:
        """Write no more; the file stays."""
        self._map.close()
        os.close(self._handle)

    def _looks_deleted(self) -> bool:
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._is_deleted = os.fstat(self._handle).st_nlink == 0
        return self._is_deleted

    def _mapped(self, room: int) -> mmap.mmap:
        _reserve(self._handle, self.size, room)
        return mmap.mmap(self._handle, room)


def _reserve(handle: int, written: int, room: int) -> None:
    """Take room from the disk: a hole would be filled when it is too late for errors.

    Raises:
        OSError: There is none.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, room)
        except OSError as error:
            if error.errno not in _CANNOT_RESERVE:
                raise
        else:
            return
    os.pwrite(handle, EMPTY * (room - written), written)


def take_away(path: Path) -> None:
    """Tell whoever writes to a sheet to stop, and delete it; none is no error."""
    try:
        handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return
    try:
        os.pwrite(handle, TAKEN, 0)
    finally:
        os.close(handle)
    path.unlink(missing_ok=True)
