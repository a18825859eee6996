"""What a run is about to do: one line before each attempt and each request.

Committing each of them to the database would cost more than it is worth. A line on a
`Sheet` survives a killed process, so that whoever opens the run next knows of every
request that may have been billed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Final

from dspex.evaluate.record.entries import Intent
from dspex.evaluate.record.sheet import EMPTY, Sheet
from dspex.evaluate.results.outcome import Stamp

FULL_AT: Final = 1_048_576
"""Bytes after which what a file says is moved to the database."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a log."""

    file: int = 0
    """Which of its files, from 1; 0 is before all of them."""
    size: int = 0
    """How many bytes of that one."""


class IntentLog:
    """One owner's file of intents; any thread may write to it.

    Args:
        path: The file; `None` keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        # Protects what is below: lines are written while the file is changed for an
        # empty one.
        self._lock = Lock()
        self._sheet = None if path is None else Sheet(path)
        self._file = 1
        # Which of its files lies aside; 0 is none of them.
        self._aside = 0

    def write(self, intent: Intent) -> None:
        """Write a line; when this returns it outlives the process.

        Raises:
            FileNotFoundError: Another owner has taken the file away.
            OSError: Nothing more can be written; such as when the disk is full.
        """
        if self.path is None:
            return
        line = line_of(intent)
        with self._lock:
            self._present(self.path).add(line)
        # Asked afterwards, with the lock taken anew, which orders the two: who takes
        # the file away reads it once more then.
        with self._lock:
            if self._present(self.path).is_taken_away:
                raise FileNotFoundError(self.path)

    def _present(self, path: Path) -> Sheet:
        if self._sheet is None:
            raise FileNotFoundError(path)
        return self._sheet

    @property
    def mark(self) -> Mark:
        """Behind the last line."""
        with self._lock:
            return Mark(self._file, 0 if self._sheet is None else self._sheet.size)

    def start_after(self, mark: Mark, path: Path) -> int:
        """Where the lines after `mark` begin in one of its files, in bytes."""
        with self._lock:
            file = self._file if path == self.path else self._aside
            return mark.size if file == mark.file else 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to take out what it says."""
        sheet = self._sheet
        return sheet is not None and sheet.size >= FULL_AT

    def take(self) -> Path:
        """Begin an empty file; return where what was written until now lies.

        One that was taken before and is still there is returned again instead.

        Raises:
            FileNotFoundError: Another owner has taken the file away, or it is closed.
            OSError: There is no room for an empty file; the old one stays in use.
        """
        if self.path is None:
            raise FileNotFoundError
        aside = self.path.with_suffix(".old")
        with self._lock:
            if not aside.exists():
                self._begin_anew(self.path, aside)
        return aside

    def _begin_anew(self, path: Path, aside: Path) -> None:
        full = self._present(path)
        path.replace(aside)
        try:
            fresh = Sheet(path)
        except OSError:
            aside.replace(path)
            raise
        full.close()
        self._sheet = fresh
        self._aside, self._file = self._file, self._file + 1

    def close(self) -> None:
        """Write no more lines; the file stays."""
        with self._lock:
            if self._sheet is not None:
                self._sheet.close()
                self._sheet = None


def line_of(intent: Intent) -> bytes:
    r"""Return the line of an intent.

    Example:
        >>> line_of(Intent(stamp=Stamp(run="r", example=3), request_id="q1"))
        b'3\t0\t1\t1\t1\tq1\t\n'
    """
    stamp = intent.stamp
    numbers = f"{stamp.example}\t{stamp.trial}\t{stamp.attempt}\t{stamp.configuration}"
    request, number, name = intent.request_id or "", intent.number, intent.call_id
    if intent.unrepeatable:
        # No request has that number. A name may hold what ends a line.
        number, name = 0, ascii(intent.unrepeatable)[1:-1]
    line = f"{numbers}\t{number}\t{request}\t{name}\n"
    return line.encode("ascii", "backslashreplace")


def read_intents(log: BinaryIO, run: str, start: int = 0) -> Iterator[Intent]:
    """Yield what a file says from a byte on.

    A last line that is not whole was never begun, and behind it a sheet is empty.
    """
    log.seek(start)
    lines = log.read().rstrip(EMPTY).split(b"\n")[:-1]
    for line in lines:
        words = line.decode("ascii", "replace").split("\t")
        if len(words) != 7 or not all(word.isdigit() for word in words[:5]):
            # Its writer was killed in the middle of it, and no request followed.
            continue
        example, trial, attempt, configuration, number = map(int, words[:5])
        yield Intent(
            stamp=Stamp(
                run=run,
                example=example,
                trial=trial,
                attempt=attempt,
                configuration=configuration,
            ),
            request_id=words[5] or None,
            call_id=words[6] if number else "",
            number=number,
            unrepeatable="" if number else words[6],
        )
