"""What can be wrong with the record of a run: its name, its owner, its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dspex.core.errors.base import DspexError
from dspex.core.errors.mistakes import ConfigurationError


class RunError(DspexError):
    """Something about a recorded run.

    Attributes:
        run: The run's name.
    """

    code = "run"

    def __init__(self, message: str, *, run: str) -> None:
        super().__init__(message)
        self.run = run


class RunExistsError(RunError):
    """A new run was to have a name that another has already."""

    code = "run_exists"


class RunNotFoundError(RunError, LookupError):
    """There is no record of a run of that name."""

    code = "run_not_found"


class RunBusyError(RunError):
    """Another owner works on the run now.

    Attributes:
        pid: Its process.
        host: Its machine.
        since: When it took the run, in seconds since 1970.
    """

    code = "run_busy"

    def __init__(
        self, message: str, *, run: str, pid: int, host: str, since: float
    ) -> None:
        super().__init__(message, run=run)
        self.pid = pid
        self.host = host
        self.since = since


class RunFencedError(RunError):
    """Another owner took the run over; nothing more can be written from here."""

    code = "run_fenced"


class RunChangedError(RunError, ConfigurationError):
    """An old run was to go on with another data set, program, metric or model.

    Attributes:
        changes: What changed, in words, one for each thing.
    """

    code = "run_changed"

    def __init__(self, message: str, *, run: str, changes: Sequence[str]) -> None:
        super().__init__(message, run=run)
        self.changes = tuple(changes)


class RecordError(RunError):
    """The file of a run's record cannot be used.

    Attributes:
        path: The file; `None` for a record in memory.
    """

    code = "record"

    def __init__(self, message: str, *, run: str, path: Path | None) -> None:
        super().__init__(message, run=run)
        self.path = path


class RecordUnwritableError(RecordError):
    """The record takes nothing now. What was to be written can be written later."""

    code = "record_unwritable"


class RecordFullError(RecordUnwritableError):
    """The disk is full. What was to be written can be written once there is room."""

    code = "record_full"


class RecordDamagedError(RecordError):
    """The file is broken, or none of dspex."""

    code = "record_damaged"


class RecordVersionError(RecordError):
    """The file was written by a newer dspex.

    Attributes:
        version: Its version of the tables.
        known: The newest version this dspex knows.
    """

    code = "record_version"

    def __init__(
        self, message: str, *, run: str, path: Path | None, version: int, known: int
    ) -> None:
        super().__init__(message, run=run, path=path)
        self.version = version
        self.known = known
