"""The file of the cache, as the commands open it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from dspex.core.home import home

if TYPE_CHECKING:
    from dspex.cache.database import Database


@contextmanager
def open_cache() -> Iterator[Database]:
    """The file below the home; none is made by looking into it."""
    from dspex.cache.database import Database
    from dspex.cache.files import cache_file

    with closing(Database(cache_file(home()))) as database:
        yield database
