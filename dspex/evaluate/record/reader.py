"""What anybody may ask of a run's record, in any thread and in flat memory."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from sqlite3 import Connection as SQLite
from typing import Any, Final, Literal, Self, TypeVar

from dspex.client.call import AttemptRecord
from dspex.core.errors import RunChangedError
from dspex.core.example import Example
from dspex.evaluate.record import reading, rows, trouble
from dspex.evaluate.record.codec import decode
from dspex.evaluate.record.connection import Connection
from dspex.evaluate.record.entries import Attempt, Noted, OpenOne, Totals
from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.intents import read_intents
from dspex.evaluate.record.ownership import Owner, is_alive
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.results.outcome import Outcome, OutcomeKind

Status = Literal["complete", "stopped", "interrupted"]
"""How its owner left a run."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """How the last owner left a run; a run without it was killed, or is worked on."""

    status: Status
    """In a word."""
    at: float
    """When, in seconds since 1970."""
    facts: Mapping[str, Any]
    """What there is to say of it."""


OWNED: Final = "owned"
"""The kind of the notes that say what an owner took who is no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What owners of a run took."""

    seconds: float = 0.0
    """Wall time."""
    restarts: int = 0
    """Parts of the tree that were restarted."""

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """Take it from what an owner left; what that lacks counts as 0."""
        return cls(
            seconds=float(facts.get("seconds", 0.0)),
            restarts=int(facts.get("restarts", 0)),
        )

    def __add__(self, other: Worked) -> Worked:
        """Add what two owners took."""
        return Worked(
            seconds=self.seconds + other.seconds,
            restarts=self.restarts + other.restarts,
        )


class RecordReader:
    """The record of a run, to be read.

    Attributes:
        place: Where it lies.
        head: What the run is a run of.
    """

    def __init__(
        self,
        place: RunPlace,
        connection: Connection,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.place = place
        self.head: RunHead
        self._connection = connection
        self._now = wall_clock

    @property
    def owner(self) -> Owner | None:
        """Who works on the run by the file's word, alive or not; `None` for nobody."""
        with self._connection.reading() as connection:
            return self._read_owner(connection)[1]

    @property
    def living_owner(self) -> Owner | None:
        """Who works on the run now; `None` for nobody that lives."""
        owner = self.owner
        return owner if owner is not None and self._is_alive(owner) else None

    @property
    def left(self) -> Left | None:
        """How the last owner left it; `None` when it did not say."""
        with self._connection.reading() as connection:
            row = connection.execute("SELECT status, at, facts FROM ended").fetchone()
        if row is None:
            return None
        return Left(status=row[0], at=row[1], facts=self._decoded(decode, row[2]))

    @property
    def worked(self) -> Worked:
        """What all owners of the run took together, as far as it is known.

        Of one that was killed: the time between its first and its last sign of life.
        """
        with self._connection.reading() as connection:
            last = self._worked_last(connection)
        return self.worked_before + (Worked() if last is None else last)

    @property
    def worked_before(self) -> Worked:
        """What the owners before the last took together."""
        told = (note.facts for note in self.notes(OWNED))
        return sum(map(Worked.of, told), Worked())

    @property
    def count(self) -> int:
        """How many examples there are; of a stream those that were begun."""
        if self.head.total is not None:
            return self.head.total
        return 1 + int(self._value("SELECT coalesce(max(number), -1) FROM examples"))

    def settled(self) -> Iterator[tuple[int, int]]:
        """Yield what need not run again, as (example, trial), in order."""
        after = -1
        while page := self._asked(reading.settled_page, after):
            for number in page:
                yield divmod(number, self.head.trials)
            after = page[-1]

    def open_ones(self) -> Iterator[OpenOne]:
        """Yield what was begun and has to run again, in order."""
        after = -1
        while page := self._asked(reading.open_page, after, self.head.trials):
            yield from (each for _, each in page)
            after = page[-1][0]

    def begun(self) -> frozenset[tuple[int, int]]:
        """Return what was begun and has no outcome, as (example, trial).

        Somebody works on it, or was killed while at it. That of an owner who wrote
        nothing more is in the file of its intents alone.
        """
        trials = self.head.trials
        announced = set()
        for path in self.place.logs():
            # It may be gone by now: an owner takes out what it says.
            with suppress(FileNotFoundError), path.open("rb") as log:
                for intent in read_intents(log, self.place.run):
                    example, trial = intent.stamp.key
                    announced.add(example * trials + trial)
        found = self._asked(reading.begun)
        found |= self._asked(reading.without_outcome, sorted(announced))
        return frozenset(divmod(number, trials) for number in found)

    def outcome(self, example: int, trial: int = 0) -> Outcome | None:
        """Return the outcome of an example; `None` when it has none yet."""
        row = self._asked(reading.outcome_row, example * self.head.trials + trial)
        return None if row is None else self._outcome(row)

    def outcomes(
        self, *, start: int = 0, stop: int | None = None
    ) -> Iterator[Outcome | None]:
        """Yield the outcomes in order, and `None` for those that are missing.

        Args:
            start: The first, counted over examples and their trials: number
                `example * trials + trial`.
            stop: The one behind the last; `None` for all of the set, or all there are
                of a stream.
        """
        if stop is None:
            total, trials = self.head.total, self.head.trials
            ending = self._asked(reading.end_of_outcomes)
            stop = ending if total is None else total * trials
        for first in range(start, stop, reading.PAGE):
            behind = min(first + reading.PAGE, stop)
            page = self._asked(reading.outcome_page, first, behind)
            by_number = {row[0]: row for row in page}
            for number in range(first, behind):
                row = by_number.get(number)
                yield None if row is None else self._outcome(row)

    def unusual(self) -> Iterator[Outcome]:
        """Yield, in order, all outcomes that have more to tell than a score.

        Those that failed, that lost a column, or of which a first attempt was replaced;
        now and then another one.
        """
        after = -1
        while page := self._asked(reading.unusual_page, after):
            yield from map(self._outcome, page)
            after = page[-1][0]

    def has_columns(self) -> bool:
        """Whether the outcomes have columns; `True` also when only a text says so."""
        return self._asked(reading.has_columns)

    def scores(self, stop: int) -> Iterator[float | None]:
        """Yield the score of each outcome before a number, `None` for what has none."""
        for first in range(0, stop, 16 * reading.PAGE):
            behind = min(first + 16 * reading.PAGE, stop)
            known = dict(self._asked(reading.score_page, first, behind))
            yield from map(known.get, range(first, behind))

    def latencies(self) -> array[float]:
        """Return the seconds of what was measured without answers of the cache."""
        final = [kind for kind in OutcomeKind if kind.is_final]
        return self._asked(reading.latencies, final)

    def example(self, number: int) -> Example | None:
        """Return an example as it was kept; `None` when it was not."""
        text = self._value("SELECT value FROM examples WHERE number = ?", number)
        return None if text is None else self._decoded(rows.example_of, text)

    def digest(self, number: int) -> str | None:
        """Return the digest of an example; `None` when it was never begun."""
        digest: str | None = self._value(
            "SELECT digest FROM examples WHERE number = ?", number
        )
        return digest

    def check_row(self, number: int, digest: str) -> None:
        """Hold that an example is the one that was recorded in its place, if any was.

        Raises:
            RunChangedError: It is another one.
        """
        known = self.digest(number)
        if known is not None and known != digest:
            change = f"row {number} of the data set"
            raise RunChangedError(
                f"the run {self.place.run!r} was begun with other data: {change} is "
                "not what it was. Go on with the data it began with, or give this run "
                "another name.",
                run=self.place.run,
                changes=(change,),
            )

    def request(self, request_id: str) -> AttemptRecord | None:
        """Return one request by its id; `None` when it was not made for the run."""
        row = self._asked(reading.request_row, request_id)
        return None if row is None else self._decoded(rows.request_of, row)

    @property
    def request_count(self) -> int:
        """How many requests were made for the run."""
        return int(self._value("SELECT count(*) FROM requests"))

    def requests(self) -> Iterator[AttemptRecord]:
        """Yield every request that was made, with its fate, in the order of the ids."""
        after = ""
        while page := self._asked(reading.request_page, after):
            for row in page:
                yield self._decoded(rows.request_of, row)
            after = page[-1][0]

    def attempts(self) -> Iterator[Attempt]:
        """Yield every attempt that was begun, with how it ended, in order."""
        after = (-1, 0)
        while page := self._asked(
            reading.attempt_page, after, self.place.run, self.head.trials
        ):
            yield from (each for _, each in page)
            after = page[-1][0]

    def notes(self, kind: str | None = None) -> list[Noted]:
        """Return what else happened, in order; of one kind, or all of it."""
        found = self._asked(reading.notes, kind)
        return [
            Noted(kind=kind, at=at, facts=self._decoded(decode, facts))
            for kind, at, facts in found
        ]

    def totals(self) -> Totals:
        """Add up all outcomes, in flat memory."""
        return self._asked(reading.totals)

    def _is_alive(self, owner: Owner) -> bool:
        return is_alive(owner, self._now())

    def _read_owner(self, connection: SQLite) -> tuple[int, Owner | None]:
        row = connection.execute(
            "SELECT generation, owner, since, beat FROM owner"
        ).fetchone()
        if row is None:
            raise trouble.damaged(self.place, "it does not say whose it is")
        generation, text, since, beat = row
        if text is None:
            return generation, None
        return generation, self._decoded(
            lambda told: Owner.from_json(told, since=since, beat=beat), text
        )

    def _worked_last(self, connection: SQLite) -> Worked | None:
        """What the last owner took; `None` when it has not begun."""
        row = connection.execute("SELECT facts FROM ended").fetchone()
        if row is not None:
            return Worked.of(self._decoded(decode, row[0]))
        _, owner = self._read_owner(connection)
        return None if owner is None else Worked(seconds=owner.beat - owner.since)

    def _read_head(self) -> RunHead:
        text = self._value("SELECT told FROM head WHERE run = ?", self.place.run)
        if text is None:
            raise trouble.damaged(self.place, "it is the record of another run")
        return self._decoded(RunHead.from_json, text)

    def _outcome(self, row: Any) -> Outcome:
        return self._decoded(
            lambda told: rows.outcome_of(told, self.place.run, self.head.trials), row
        )

    def _asked(self, ask: Callable[..., T], *arguments: Any) -> T:
        with self._connection.reading() as connection:
            return ask(connection, *arguments)

    def _value(self, question: str, *arguments: Any) -> Any:
        with self._connection.reading() as connection:
            row = connection.execute(question, arguments).fetchone()
        return None if row is None else row[0]

    def _decoded(self, read: Callable[[Any], T], told: Any) -> T:
        try:
            return read(told)
        except (ValueError, TypeError, LookupError) as error:
            raise trouble.damaged(self.place, str(error)) from error
