"""How long records are kept, told by their files alone: none is opened for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dspex.core import defaults
from dspex.core.errors import ConfigurationError
from dspex.evaluate.record.place import SIDE_FILES, SUFFIX, RunPlace, folder


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
    for place, _ in places(home):
        if last_written(place) < now - older_than:
            for path in files_of(place):
                path.unlink(missing_ok=True)
            gone.append(place.run)
    return gone


def places(home: Path) -> Iterator[tuple[RunPlace, Path]]:
    """Yield the records below a home, each with its file, in order of their names."""
    for path in sorted(folder(home).glob(f"*{SUFFIX}")):
        try:
            yield RunPlace(run=path.name.removesuffix(SUFFIX), home=home), path
        except ConfigurationError:
            # Somebody else put it there; no run can have that name.
            continue


def files_of(place: RunPlace) -> list[Path]:
    """Return the files of a record that are there."""
    beside = [Path(f"{place.path}{suffix}") for suffix in SIDE_FILES]
    return [path for path in [*beside, *place.logs()] if path.exists()]


def last_written(place: RunPlace) -> float:
    """Return when a record was last written, in seconds since 1970."""
    # A file may go while it is looked at: a log that was moved into the record.
    return max((_stat(path)[0] for path in files_of(place)), default=0.0)


def bytes_of(place: RunPlace) -> int:
    """Return how many bytes the files of a record take."""
    return sum(_stat(path)[1] for path in files_of(place))


def _stat(path: Path) -> tuple[float, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0.0, 0
    return status.st_mtime, status.st_size
