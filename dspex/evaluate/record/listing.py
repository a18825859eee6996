"""The runs there are: listed and deleted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from dspex.core.errors import RecordError, RunNotFoundError
from dspex.core.home import home as default_home
from dspex.evaluate.record import trouble
from dspex.evaluate.record.entries import Totals
from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.reader import RecordReader, Status
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.record.retention import bytes_of, files_of, last_written, places
from dspex.runtime.runtime import current_runtime

RunState = Status | Literal["running", "killed", "unreadable"]
"""How a run stands: how its owner left it, that one is at work on it, that its last
owner died, or that its record cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RunSummary:
    """One run, as a list shows it."""

    run: str
    """Its name."""
    state: RunState
    """How it stands."""
    written: float
    """When its record was last written, in seconds since 1970."""
    size: int
    """Bytes of its files."""
    path: Path
    """The file of its record."""
    head: RunHead | None = None
    """What it is a run of; `None` when it cannot be read."""
    totals: Totals | None = None
    """What its outcomes come to; `None` when it cannot be read."""
    trouble: str | None = None
    """Why it cannot be read."""

    def __repr__(self) -> str:
        if self.head is None or self.totals is None:
            return f"<RunSummary {self.run!r}: {self.state}>"
        score = "" if self.score is None else f", {self.score:.1f}"
        return (
            f"<RunSummary {self.run!r}: {self.state}, {self.totals.n} outcomes{score}>"
        )

    @property
    def score(self) -> float | None:
        """Points, as the run's result has them; `None` before the first outcome.

        What has no score, or is not measured yet, counts as `failure_score`; of a
        stream that goes on, only what has its outcome counts.
        """
        head, totals = self.head, self.totals
        if head is None or totals is None or not totals.n:
            return None
        count = totals.n if head.total is None else head.total * head.trials
        total = totals.total + (count - totals.scored) * head.failure_score
        return 100.0 * total / count


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """The files of one run, of which none was opened yet."""

    place: RunPlace
    """Where its record lies."""
    written: float
    """When its record was last written, in seconds since 1970."""
    size: int
    """Bytes of its files."""

    @property
    def run(self) -> str:
        """The run's name."""
        return self.place.run

    def summary(self) -> RunSummary:
        """Open the record and return what a list shows of the run."""
        unread = RunSummary(
            run=self.run,
            state="unreadable",
            written=self.written,
            size=self.size,
            # It was found in a folder.
            path=cast("Path", self.place.path),
        )
        try:
            record = RunRecord.open(self.place, owner=False)
            state, totals = _state(record), record.totals()
        except (RecordError, RunNotFoundError) as error:
            return replace(unread, trouble=error.message)
        return replace(unread, state=state, head=record.head, totals=totals)


def run_files(home: str | Path | None = None) -> list[RunFiles]:
    """Return the runs that are recorded, the one written last first; none is opened.

    Args:
        home: As for `runs`.
    """
    where = Path(home or current_runtime().config.home or default_home())
    found = [
        RunFiles(place=place, written=last_written(files), size=bytes_of(files))
        for place, files in places(where)
    ]
    return sorted(found, key=lambda each: each.written, reverse=True)


def runs(home: str | Path | None = None) -> list[RunSummary]:
    """Return the runs that are recorded, the one written last first.

    A record that cannot be read is listed as such, and hides no other.

    Args:
        home: The folder of all that dspex writes; by default the current runtime's,
            else `DSPEX_HOME` or the platform's.
    """
    return [files.summary() for files in run_files(home)]


def check_idle(place: RunPlace) -> None:
    """Find out whether a run may be deleted.

    Raises:
        RunNotFoundError: There is none.
        RunBusyError: Somebody works on it.
    """
    if place.path is None or not place.path.exists():
        raise trouble.not_found(place)
    try:
        owner = RunRecord.open(place, owner=False).living_owner
    except (RecordError, RunNotFoundError):
        # Nobody works on what nobody can read.
        owner = None
    if owner is not None:
        raise trouble.busy(place, owner)


def delete_run(place: RunPlace) -> None:
    """Delete the record of a run that nobody works on.

    Raises:
        RunNotFoundError: There is none.
        RunBusyError: Somebody works on it.
    """
    check_idle(place)
    for path in files_of(place):
        path.unlink(missing_ok=True)


def _state(record: RecordReader) -> RunState:
    if (left := record.left) is not None:
        return left.status
    return "killed" if record.living_owner is None else "running"
