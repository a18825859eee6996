"""Files that are there whole or not at all, however their writing ends."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dspex.core.errors import ConfigurationError


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its place when the block ends without an error.

    Until then whatever was at `path` stays there, also through `kill -9` and a power
    cut. What is written lies beside it meanwhile, under a name that starts with a dot.

    Args:
        path: Where the file is to be. A file that is there is replaced.

    Raises:
        OSError: It cannot be written.
    """
    # In the same folder, because a rename across file systems is no longer one step.
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def check_place(path: Path, name: str = "the path") -> None:
    """Refuse a place where no file can be.

    Args:
        path: The place.
        name: What the caller calls it.

    Raises:
        ConfigurationError: It is a folder, or in no folder.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigurationError(
            f"{name} is {str(path)!r}, where no file can be; expected a file "
            "in a folder that exists. Make the folder first."
        )


def _sync_folder(folder: Path) -> None:
    """Make the rename last through a power cut, where a folder can be opened."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
