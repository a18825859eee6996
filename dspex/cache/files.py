"""The file of the cache on its disk: made for one user only, never through a link."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from dspex.cache.trouble import Trouble, file_error
from dspex.core.home import make_private_folder

FILE_NAME: Final = "answers-1.db"
"""With the number of its schema, so that two versions of dspex have two files."""
ASIDE_NAME: Final = "damaged.db"
"""Where a file goes that cannot be used; one at most is kept."""
SIDE_FILES: Final = ("", "-wal", "-shm")
"""What SQLite adds to a file's name for its own files beside it."""

_NETWORKS: Final = frozenset(
    {
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.ceph",
        "fuse.glusterfs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)
"""File systems whose locks and shared memory SQLite's log cannot rely on."""
_MOUNTS: Final = Path("/proc/self/mounts")
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_MAY: Final = stat.S_IRWXG | stat.S_IRWXO


def cache_file(home: Path) -> Path:
    """Where the cache keeps its answers, below the home of dspex."""
    return home / "cache" / FILE_NAME


def make_private_file(path: Path) -> None:
    """Create the file for this user only, unless it is there.

    Raises:
        CacheFileError: It is a link or no file, it or its folder belongs to somebody
            else or can be written by others, or it lies on a network.
    """
    flags = os.O_RDWR | os.O_CREAT | _flag("O_NOFOLLOW") | _flag("O_CLOEXEC")
    try:
        make_private_folder(path.parent)
        _check_folder(path)
        handle = os.open(path, flags, 0o600)
    except OSError as error:
        is_link = path.is_symlink()
        trouble = Trouble.UNSAFE if is_link else _trouble(error)
        said = "it is a symbolic link" if is_link else str(error.strerror)
        raise file_error(path, trouble, said) from error
    try:
        _make_private(path, handle)
    finally:
        os.close(handle)


def set_aside(path: Path) -> Path:
    """Move a file that cannot be used, and SQLite's beside it, out of the way.

    One is kept at most, so that what lies on disk stays bounded.
    """
    aside = path.with_name(ASIDE_NAME)
    for suffix in SIDE_FILES:
        try:
            Path(f"{path}{suffix}").replace(f"{aside}{suffix}")
        except FileNotFoundError:
            # Of the one kept before; it would be taken for this one's.
            Path(f"{aside}{suffix}").unlink(missing_ok=True)
    return aside


def file_system(path: Path, mounts: str) -> str | None:
    r"""The type of file system a path lies on, by the text of `/proc/self/mounts`.

    Example:
        >>> mounts = "/dev/sda / ext4 rw 0 0\nnas:/home /home nfs4 rw 0 0"
        >>> file_system(Path("/home/ada/cache"), mounts)
        'nfs4'
        >>> file_system(Path("/srv/cache"), mounts)
        'ext4'
    """
    depth, kind = 0, None
    for line in mounts.splitlines():
        words = line.split()
        if len(words) < 3:
            continue
        # The kernel writes a space in a name as an octal escape.
        point = Path(words[1].replace("\\040", " "))
        # A later line covers an earlier one at the same place.
        if path.is_relative_to(point) and len(point.parts) >= depth:
            depth, kind = len(point.parts), words[2]
    return kind


def is_on_network(path: Path, mounts: str) -> bool:
    """Whether a path lies on a network file system, as far as that can be told."""
    return file_system(path, mounts) in _NETWORKS


def _flag(name: str) -> int:
    """A flag of `os.open` that not every platform has."""
    return int(getattr(os, name, 0))


def _trouble(error: OSError) -> Trouble:
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return Trouble.READ_ONLY
    return Trouble.FULL if error.errno == errno.ENOSPC else Trouble.UNREADABLE


def _check_folder(path: Path) -> None:
    folder = path.parent.resolve()
    # Whoever can write there can put another file in the place of ours.
    _check_owner(path, folder.stat(), f"the folder {str(folder)!r}")
    if _MOUNTS.exists() and is_on_network(folder, _MOUNTS.read_text(errors="replace")):
        raise file_error(path, Trouble.NETWORK, "its folder is on another machine")


def _make_private(path: Path, handle: int) -> None:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise file_error(path, Trouble.UNSAFE, "it is no regular file")
    _check_owner(path, status, "it")
    if status.st_mode & _OTHERS_MAY and hasattr(os, "fchmod"):
        os.fchmod(handle, 0o600)


def _check_owner(path: Path, status: os.stat_result, what: str) -> None:
    if not hasattr(os, "getuid"):
        return
    if status.st_uid != os.getuid():
        raise file_error(path, Trouble.UNSAFE, f"{what} belongs to another user")
    if status.st_mode & _OTHERS_MAY_WRITE:
        raise file_error(path, Trouble.UNSAFE, f"{what} can be written by others")
