"""Whether the file of the cache is sound, found out by reading it.

For commands that look and do not mend: nothing is moved, emptied or begun anew.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from dspex.cache import schema
from dspex.cache.files import make_private_file
from dspex.cache.trouble import CacheFileError, Trouble, file_error, trouble_of


def check_file(path: Path) -> None:
    """Read the whole file; a large one takes its time.

    Args:
        path: A file that is there.

    Raises:
        CacheFileError: It is damaged, foreign, unsafe, or cannot be read.
    """
    make_private_file(path)
    if not path.stat().st_size:
        return
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            schema.prepare(connection)
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except schema.ForeignFileError:
        raise _damaged(path, "it is a database of something else") from None
    except sqlite3.Error as error:
        trouble = trouble_of(error)
        if trouble is Trouble.DAMAGED:
            raise _damaged(path, str(error)) from error
        raise file_error(path, trouble, str(error)) from error
    if said != "ok":
        raise _damaged(path, said)


def _damaged(path: Path, said: str) -> CacheFileError:
    return CacheFileError(
        f"the cache file {str(path)!r} is damaged: {said}; expected a file of dspex. "
        "The next program that uses it sets it aside and begins a new one.",
        path=path,
        trouble=Trouble.DAMAGED,
    )
