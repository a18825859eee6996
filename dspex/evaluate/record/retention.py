"""How long records are kept, told by their files alone: none is opened for it.

There may be thousands of runs, and this is asked whenever one begins: the folder is
read once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from dspex.core import defaults
from dspex.core.errors import ConfigurationError
from dspex.evaluate.record.place import SIDE_FILES, SUFFIX, RunPlace, folder

_FILE: Final = re.compile(
    rf"(.+)(?:{re.escape(SUFFIX)}(?:{'|'.join(SIDE_FILES)})|\.\d+\.(?:log|old))"
)
"""The name of a file of a record: the run's, and what follows it."""


def forget_old_runs(
    home: Path, now: float, *, older_than: float = defaults.RUNS_KEPT
) -> list[str]:
    """Delete the records that were not written for a long time.

    An owner writes every few seconds, so none of them has one.

    Args:
        home: The home of dspex.
        now: Seconds since 1970.
        older_than: Seconds since a record was last written.

    Returns:
        The names of the runs that are gone.
    """
    gone = []
    for place, files in places(home):
        if last_written(files) < now - older_than:
            for path in files:
                path.unlink(missing_ok=True)
            gone.append(place.run)
    return gone


def places(home: Path) -> Iterator[tuple[RunPlace, Sequence[Path]]]:
    """Yield the records below a home, each with its files, in order of their names."""
    files = _files_by_run(folder(home))
    for run in sorted(files):
        try:
            place = RunPlace(run=run, home=home)
        except ConfigurationError:
            # Somebody else put it there; no run can have that name.
            continue
        if place.path in files[run]:
            yield place, files[run]


def files_of(place: RunPlace) -> list[Path]:
    """Return the files of a record that are there."""
    beside = [Path(f"{place.path}{suffix}") for suffix in SIDE_FILES]
    return [path for path in [*beside, *place.logs()] if path.exists()]


def last_written(files: Iterable[Path]) -> float:
    """Return when a record was last written, in seconds since 1970.

    Args:
        files: All of its files; one may go meanwhile, such as a log that was moved
            into the record.
    """
    return max((_stat(path)[0] for path in files), default=0.0)


def bytes_of(files: Iterable[Path]) -> int:
    """Return how many bytes the files of a record take."""
    return sum(_stat(path)[1] for path in files)


def _files_by_run(where: Path) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = defaultdict(list)
    if where.is_dir():
        for path in where.iterdir():
            if named := _FILE.fullmatch(path.name):
                files[named[1]].append(path)
    return files


def _stat(path: Path) -> tuple[float, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0.0, 0
    return status.st_mtime, status.st_size
