"""Where the record of a run lies: its name, and the files of that name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dspex.core.errors import ConfigurationError

FOLDER: Final = "runs"
"""The folder of all records, below the home of dspex."""
SUFFIX: Final = ".sqlite"
"""How the name of a record's file ends."""
SIDE_FILES: Final = ("", "-wal", "-shm", "-journal")
"""What SQLite adds to a file's name for its own files beside it."""

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LOG: Final = re.compile(r"(.+)\.\d+\.(?:log|old)")
"""The name of a log: the run's, and what follows it.

One for all runs, as `re` keeps the last 512 patterns and would be full of old runs.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlace:
    """Where a run's record lies, or that it lies in memory only.

    Raises:
        ConfigurationError: The run's name cannot be the name of a file.

    Example:
        >>> RunPlace(run="tuning-3", home=Path("/srv/dspex")).path
        PosixPath('/srv/dspex/runs/tuning-3.sqlite')
    """

    run: str
    """The run's name: letters, digits, `_`, `-` and `.`, 100 at most."""
    home: Path | None
    """The home of dspex; `None` keeps the record in memory."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.run):
            raise ConfigurationError(
                f"{self.run[:120]!r} is no name of a run; expected letters, digits, "
                "'_', '-' and '.', at most 100, and no '-' or '.' first. Name it "
                "otherwise."
            )

    @property
    def path(self) -> Path | None:
        """The file of the record."""
        return None if self.home is None else folder(self.home) / f"{self.run}{SUFFIX}"

    def log(self, generation: int) -> Path | None:
        """The file of what one owner was about to do."""
        if self.home is None:
            return None
        return folder(self.home) / f"{self.run}.{generation}.log"

    def logs(self) -> list[Path]:
        """Return the files there are of what owners were about to do."""
        if self.home is None or not folder(self.home).is_dir():
            return []
        return sorted(
            path
            for path in folder(self.home).iterdir()
            if (named := _LOG.fullmatch(path.name)) and named[1] == self.run
        )


def folder(home: Path) -> Path:
    """Return the folder of all records."""
    return home / FOLDER
