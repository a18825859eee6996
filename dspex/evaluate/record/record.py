"""`RunRecord`: what happened in a run, kept in a file from which it can go on.

One owner writes; anybody reads. What `commit` returned for is there after a crash and
after `kill -9`; after a power cut the file is whole and may lack the last commits.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from sqlite3 import Connection as SQLite
from typing import Any, BinaryIO

from dspex.cache.new_files import use_log
from dspex.core.errors import RecordUnwritableError, RunFencedError
from dspex.evaluate.record import schema, trouble
from dspex.evaluate.record.codec import encode
from dspex.evaluate.record.connection import Connection
from dspex.evaluate.record.entries import Entry, Intent
from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.intents import IntentLog, Mark, read_intents
from dspex.evaluate.record.ownership import (
    BEAT_EVERY,
    Owner,
    open_here,
    this_process,
)
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.reader import OWNED, RecordReader, Status
from dspex.evaluate.record.retention import forget_old_runs
from dspex.evaluate.record.sheet import take_away
from dspex.evaluate.record.unrepeatable import left_alone
from dspex.evaluate.record.writing import import_intents, lose_open_requests, write


class RunRecord(RecordReader):
    """The record of one run. Made with `create` or `open`, never by itself.

    Its owner has one thread that commits. Reading is for any thread, also after
    `close`, and for other processes (`open(..., owner=False)`).

    Attributes:
        head: What the run is a run of.
        place: Where the record lies.
    """

    def __init__(
        self,
        place: RunPlace,
        connection: Connection,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(place, connection, wall_clock=wall_clock)
        self._generation: int | None = None
        self._owner: Owner | None = None
        self._beat = 0.0
        self._log = IntentLog(None)
        self._known = Mark()
        self._disown: Callable[[], object] = lambda: None

    # Whose it is.

    @classmethod
    def create(
        cls,
        place: RunPlace,
        head: RunHead,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> RunRecord:
        """Begin the record of a new run, and own it.

        Records that were not written for 90 days are deleted then, unless the run is a
        part of a study: there may be hundreds of those, and the folder is large.

        Args:
            place: Where it is to lie; without a home in memory only.
            head: What it is a run of.
            wall_clock: Seconds since 1970.

        Raises:
            RunExistsError: There is a run of that name.
            RecordError: The file cannot be made; `RecordFullError` on a full disk.
        """
        record = cls(place, Connection(place), wall_clock=wall_clock)
        record._create(head)
        return record

    @classmethod
    def open(
        cls,
        place: RunPlace,
        *,
        owner: bool,
        wall_clock: Callable[[], float] = time.time,
    ) -> RunRecord:
        """Open the record of a run that was begun before.

        Args:
            place: Where it lies.
            owner: Whether to go on with the run; else only to look at it.
            wall_clock: Seconds since 1970.

        Raises:
            RunNotFoundError: There is none.
            RunBusyError: Another owner works on it.
            RecordDamagedError: It is broken, or none of dspex.
            RecordVersionError: A newer dspex wrote it.
        """
        if place.path is None or not place.path.exists():
            raise trouble.not_found(place)
        trouble.make_record_file(place)
        record = cls(place, Connection(place), wall_clock=wall_clock)
        if not record._connection.check():
            # Whoever made the file was killed before the first table.
            raise trouble.not_found(place)
        record.head = record._read_head()
        if owner:
            record.own()
        return record

    def own(self) -> None:
        """Go on with a run that was opened to be looked at.

        Raises:
            RunBusyError: Another owner works on it.
        """
        if self._owner is None:
            self._take_over()

    @property
    def had_owners(self) -> bool:
        """Whether others worked on the run before this owner."""
        return self._generation != 1

    def beat(self) -> None:
        """Say that the owner lives. Call it every few seconds while nothing ends.

        An owner that has not been seen for 20 seconds may be taken over. A commit
        counts as well.

        Raises:
            RunFencedError: Another owner took the run over.
            RecordUnwritableError: It cannot be written now.
        """
        if self._is_beat_due(self._now()):
            self.commit(())

    def close(self, status: Status, facts: Mapping[str, Any] | None = None) -> None:
        """Give the run up; whoever opens it next may go on with it.

        Requests whose end nobody told are lost from now on. Reading goes on.

        Args:
            status: How the run is left.
            facts: What there is to say of it: `seconds` and `restarts` of this owner,
                to which those of earlier ones are added.

        Raises:
            RunFencedError: Another owner took the run over.
            RecordUnwritableError: It cannot be written now; close it again later.
        """
        if self._owner is None:
            return
        paths = self.place.logs()
        try:
            with ExitStack() as stack, self._writing() as connection:
                for path in paths:
                    # One that is gone was deleted by hand; the rest is written.
                    with suppress(FileNotFoundError):
                        log = stack.enter_context(path.open("rb"))
                        start = self._log.start_after(self._known, path)
                        self._import(connection, [log], start)
                lose_open_requests(connection)
                connection.execute("DELETE FROM ended")
                connection.execute(
                    "INSERT INTO ended VALUES (?, ?, ?)",
                    (status, self._now(), encode(dict(facts or {}))),
                )
                connection.execute("UPDATE owner SET owner = NULL")
        except RunFencedError:
            self.let_go()
            raise
        self.let_go()
        for path in paths:
            path.unlink(missing_ok=True)
        self._connection.close()

    def let_go(self) -> None:
        """Own the run no more, whether that can be written or not.

        Whoever opens it next in this process may go on with it at once. Harmless after
        `close`.
        """
        self._owner = None
        self._disown()

    # Writing.

    @property
    def announced(self) -> Mark:
        """Behind what was announced last; for `commit`."""
        return self._log.mark

    @property
    def is_log_full(self) -> bool:
        """Whether the next commit takes out what was announced."""
        return self._log.is_full

    def commit(self, entries: Sequence[Entry], *, known: Mark | None = None) -> None:
        """Write entries, all or none.

        Of two outcomes of one example the record keeps the first that is settled, and
        counts the other as refused.

        Args:
            entries: What to write.
            known: Up to where all that was announced is in these entries or in earlier
                ones, so that it need not be read again; `None` is no further than it
                was.

        Raises:
            RunFencedError: Another owner took the run over.
            RecordFullError: The disk is full. Nothing is lost: commit them again.
            RecordUnwritableError: The same for any other reason that may pass.
            RecordDamagedError: The file is broken.
        """
        with self._writing() as connection:
            write(connection, entries, self.head.trials)
        if known is not None:
            self._known = known
        if self._log.is_full:
            self._empty_log()

    def announce(self, intent: Intent) -> None:
        """Note what is about to begin, so that it is known after `kill -9`.

        Any thread may. It takes some microseconds.

        Raises:
            RunFencedError: Another owner took the run over; begin nothing.
            RecordFullError: The disk is full; it should wait.
        """
        try:
            self._log.write(intent)
        except FileNotFoundError:
            why = "another owner took it over, or its files were deleted"
            raise trouble.fenced(self.place, why) from None
        except OSError as error:
            if not trouble.is_full(error):
                raise
            raise trouble.full(self.place, str(error.strerror)) from error

    # Inside.

    def _create(self, head: RunHead) -> None:
        self.head = head
        owner = this_process(self._now())
        # Whatever a study is made of begins after the study itself, which has looked.
        if self.place.home is not None and head.part_of is None:
            forget_old_runs(self.place.home, owner.since)
        trouble.make_record_file(self.place)
        if self._connection.check():
            raise trouble.exists(self.place)
        with self._connection.reading() as connection:
            schema.wait_for_disk(connection, waits=False)
            use_log(connection)
        with self._connection.transaction() as connection:
            if self._connection.check():
                # Another process was quicker.
                raise trouble.exists(self.place)
            schema.create(connection)
            connection.execute(
                "INSERT INTO head VALUES (?, ?)", (head.run, head.to_json())
            )
            connection.execute(
                "INSERT INTO owner VALUES (1, ?, ?, ?)",
                (owner.to_json(), owner.since, owner.beat),
            )
        with self._connection.reading() as connection:
            schema.wait_for_disk(connection, waits=True)
        self._own(1, owner)

    def _take_over(self) -> None:
        now = self._now()
        mine = this_process(now)
        with ExitStack() as stack:
            paths, logs = self.place.logs(), []
            for path in paths:
                # One that is gone was taken by who took the run over before us.
                with suppress(FileNotFoundError):
                    logs.append(stack.enter_context(path.open("rb")))
            with self._connection.transaction() as connection:
                generation = self._free_generation(connection)
                before = self._worked_last(connection)
                if before is not None:
                    owned = (OWNED, now, encode(asdict(before)))
                    connection.execute("INSERT INTO notes VALUES (?, ?, ?)", owned)
                connection.execute(
                    "UPDATE owner SET generation = ?, owner = ?, since = ?, beat = ?",
                    (generation, mine.to_json(), now, now),
                )
                connection.execute("DELETE FROM ended")
                self._import(connection, logs)
                lose_open_requests(connection)
            # From here on an owner that was frozen finds its file taken away before it
            # sends a request. What it wrote until now is read once more.
            for path in paths:
                take_away(path)
            with self._connection.transaction() as connection:
                self._import(connection, logs)
                lose_open_requests(connection)
                trials = self.head.trials
                alone = left_alone(connection, self.place.run, trials)
                write(connection, tuple(alone), trials)
        self._own(generation, mine)

    def _free_generation(self, connection: SQLite) -> int:
        """Return the generation of the next owner.

        Raises:
            RunBusyError: There is one that lives.
        """
        generation, owner = self._read_owner(connection)
        if owner is not None and self._is_alive(owner):
            raise trouble.busy(self.place, owner)
        return generation + 1

    def _own(self, generation: int, owner: Owner) -> None:
        self._generation, self._owner, self._beat = generation, owner, owner.beat
        self._log = IntentLog(self.place.log(generation))
        open_here.add(owner.token)
        # Also when nobody closes it: what is collected owns nothing.
        finalizer = weakref.finalize(self, _abandon, owner.token, self._log)
        finalizer.atexit = False
        self._disown = finalizer

    @contextmanager
    def _writing(self) -> Iterator[SQLite]:
        """A transaction of the owner, which shows that it lives now and then."""
        if self._owner is None:
            raise trouble.fenced(self.place, "it was opened to be read, or is closed")
        if self._connection.is_inherited:
            raise trouble.fenced(self.place, "this process was forked from its owner")
        with self._connection.transaction() as connection:
            (generation,) = connection.execute(
                "SELECT generation FROM owner"
            ).fetchone()
            if generation != self._generation:
                raise trouble.fenced(self.place, "another owner took it over")
            now = self._now()
            is_due = self._is_beat_due(now)
            if is_due:
                connection.execute("UPDATE owner SET beat = ?", (now,))
            yield connection
        if is_due:
            self._beat = now

    def _is_beat_due(self, now: float) -> bool:
        # Also when the wall clock was set back, which lets the last beat lie ahead.
        return abs(now - self._beat) >= BEAT_EVERY

    def _import(
        self, connection: SQLite, logs: Iterable[BinaryIO], start: int = 0
    ) -> None:
        """Take in what owners were about to do; what is known already stays."""
        for log in logs:
            intents = read_intents(log, self.place.run, start)
            import_intents(connection, intents, self.head.trials, self._now())

    def _empty_log(self) -> None:
        """Move what the file of intents says to the tables.

        Where that cannot be, it is tried again after the next commit: this one is done.
        """
        with suppress(RecordUnwritableError, OSError):
            aside = self._log.take()
            start = self._log.start_after(self._known, aside)
            with aside.open("rb") as log, self._writing() as connection:
                self._import(connection, [log], start)
            aside.unlink()


def _abandon(token: str, log: IntentLog) -> None:
    open_here.discard(token)
    log.close()
