"""Where the sockets are: in a folder that only this user can enter.

That is `control` in the home of dspex. The path of a Unix socket has about 100 bytes;
where it would be longer, or the home is not to be or cannot be written, the folder is
in `/tmp`, under a name that is made of the user and the home, so that whoever looks
finds it from these alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from dspex.core.home import make_private_folder

FOLDER: Final = "control"
"""The folder below the home."""
LONGEST_PATH: Final = 100
"""Bytes of a socket's path; systems allow 104 to 108, with a zero at the end."""
_SHORT: Final = Path("/tmp")  # noqa: S108 - its folders are checked, see `private`
_NAME: Final = re.compile(r"(?P<pid>[1-9]\d{0,9})-(?P<machine>[0-9a-f]{6})-[0-9a-f]{6}")
_LONGEST_NAME: Final = 10 + 2 * 7 + len("/.")
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_OTHERS_MAY: Final = stat.S_IRWXG | stat.S_IRWXO

IS_POSSIBLE: Final = hasattr(socket, "AF_UNIX") and hasattr(os, "geteuid")
"""Whether this platform has what is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A socket in one of the folders."""

    path: Path
    """Where it is."""
    pid: int
    """The process that made it."""
    is_here: bool
    """Whether that runs on this machine, as it was started last."""


def folders(home: Path) -> tuple[Path, Path]:
    """Return both folders in which sockets may be: below the home, and the short one.

    Args:
        home: The folder of all that dspex writes.
    """
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return home / FOLDER, _SHORT / f"dspex-{os.geteuid()}-{digest}"


def fits(folder: Path) -> bool:
    """Whether the path of a socket in that folder is short enough."""
    return len(os.fsencode(folder)) + _LONGEST_NAME <= LONGEST_PATH


def new_name() -> str:
    """Return a name for a socket of this process that no other has."""
    return f"{os.getpid()}-{_machine()}-{secrets.token_hex(3)}"


def make_folder(folder: Path) -> None:
    """Make a folder that only this user can enter, or see that it is one.

    Raises:
        OSError: It cannot be made, or is a link, no folder, or somebody else's.
    """
    make_private_folder(folder)
    with _opened(folder) as handle:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid():
            raise PermissionError(f"{str(folder)!r} belongs to another user")
        if status.st_mode & _OTHERS_MAY:
            os.fchmod(handle, stat.S_IRWXU)


def places(folder: Path) -> Iterator[Place]:
    """Yield the sockets in a folder; none where it is not there or not this user's."""
    try:
        with _opened(folder) as handle:
            if os.fstat(handle).st_uid != os.geteuid():
                return
            names = sorted(os.listdir(handle))  # noqa: PTH208 - pathlib knows no descriptors
    except OSError:
        return
    for name in names:
        if found := _NAME.fullmatch(name):
            yield Place(
                path=folder / name,
                pid=int(found["pid"]),
                is_here=found["machine"] == _machine(),
            )


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Open a folder itself; a link in its place is refused."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


@cache
def _machine() -> str:
    """Return a mark of this machine since it was started.

    On one kernel "nobody listens" is true for all; of a folder on a network it is not.
    """
    try:
        mark = _BOOT.read_text(encoding="ascii")
    except OSError:
        mark = socket.gethostname()
    return hashlib.sha256(mark.encode()).hexdigest()[:6]
