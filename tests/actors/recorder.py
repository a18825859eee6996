"""A process that owns the record of a run, told what to do line by line."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

from dspex.client.call import AttemptRecord, Fate
from dspex.core.errors import RunError
from dspex.core.example import Example
from dspex.core.prediction import Prediction
from dspex.evaluate.record.entries import Began, Decided, Entry, Intent, Requested
from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp

RUN = "shared"
ANSWER = "x" * 400


def place(home: Path) -> RunPlace:
    return RunPlace(run=RUN, home=home)


def head() -> RunHead:
    return RunHead(run=RUN, created=1.0, version="0.1")


def entries(number: int) -> list[Entry]:
    """What one example of a run comes to."""
    stamp = Stamp(run=RUN, example=number)
    request = AttemptRecord(
        request_id=f"q{number}",
        call_id="call",
        number=1,
        fate=Fate.ANSWERED,
        tags=stamp.tags(),
    )
    outcome = Outcome(
        stamp=stamp,
        kind=OutcomeKind.SCORED,
        score=1.0,
        prediction=Prediction(answer=ANSWER),
    )
    example = Example(question=str(number))
    return [
        Began(stamp=stamp, at=1.0, digest="d", example=example),
        Requested(record=request),
        Decided(outcome=outcome),
    ]


def announced(number: int) -> Intent:
    stamp = Stamp(run=RUN, example=number)
    return Intent(stamp=stamp, request_id=f"q{number}", call_id="call")


class Recorder:
    """Does what it is told."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.record: RunRecord

    def create(self) -> None:
        self.record = RunRecord.create(place(self.home), head())

    def open(self) -> None:
        self.record = RunRecord.open(place(self.home), owner=True)

    def commit(self, number: str) -> None:
        self.record.commit(entries(int(number)))

    def announce(self, number: str) -> None:
        self.record.announce(announced(int(number)))

    def limit(self, size: str) -> None:
        """Have files larger than this pass for a full disk; 0 is no limit."""
        import resource  # not on every platform

        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size) or hard, hard))

    def fill(self) -> None:
        """Commit until the disk is full; then say how many were committed."""
        for number in itertools.count():
            try:
                self.record.commit(entries(number))
            except RunError:
                say(number)
                raise

    def stream(self) -> None:
        """Announce and commit for ever, and say each number that is committed."""
        for number in itertools.count():
            self.record.announce(announced(number))
            self.record.commit(entries(number))
            say(number)

    def close(self) -> None:
        self.record.close("complete")


def say(word: Any) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    recorder = Recorder(Path(sys.argv[1]))
    say("ready")
    for line in sys.stdin:
        command, *arguments = line.split()
        try:
            getattr(recorder, command)(*arguments)
        except RunError as error:
            say(type(error).__name__)
        else:
            say("done")


if __name__ == "__main__":
    main()
