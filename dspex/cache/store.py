"""The store: answers on disk, read and written in a thread of their own.

It commits what is waiting and never waits for more. Whatever is wrong with the file, a
read is a miss and a write is dropped or tried again, with one warning for each kind of
trouble; no call ever fails or waits for it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, assert_never

from dspex.cache.database import Database
from dspex.cache.entry import Absence, Entry
from dspex.cache.key import Identity
from dspex.cache.leftovers import leftovers
from dspex.cache.messages import Commit, Flush, Miss, Read, Stored, Write
from dspex.cache.schema import KEPT_ABSENCES
from dspex.cache.trouble import CacheFileError, Trouble
from dspex.core import defaults
from dspex.core.events import CACHE_DROPPED, CACHE_TROUBLE
from dspex.core.lm import Reply
from supervisors import Actor, ExitReason, Handle
from supervisors.log import logger

Message = Read | Write | Miss | Commit | Flush

BATCH: Final = 32
"""Rows that one transaction writes at most."""
MOST_WAITING: Final = 10_000
"""Rows that wait at most, such as while another process writes."""
_LOCKED_FOR: Final = 0.01
"""Seconds the thread itself waits for another process; reads wait behind it."""
_AGAIN_AFTER: Final = 0.05
"""Seconds until what could not be written for another process is tried again."""
_SWEEP_EVERY: Final = 512
"""Rows written until it is looked whether there is room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePlace:
    """Which file the answers are kept in, and how many."""

    path: Path
    """The file."""
    ttl: float = defaults.CACHE_DISK_TTL
    """Seconds an answer counts."""
    max_bytes: float = defaults.CACHE_DISK_BYTES
    """Bytes they may take."""

    def open(self) -> Database:
        """The file for one thread, opened at its first use; for commands and handles.

        Close it with its `close`.
        """
        return Database(self.path, ttl=self.ttl, max_bytes=self.max_bytes)


class StoreActor(Actor):
    """Reads and writes the file; the only one in this tree to do so.

    Args:
        place: Which file, and how much of it.
        memory: The name of the memory tier in this tree.
    """

    def __init__(self, place: StorePlace, memory: str) -> None:
        super().__init__()
        self._place = place
        self._memory_name = memory
        # What waits to be written, oldest first. A newer answer takes the place of an
        # older one to the same request.
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._absences: dict[Identity, Absence] = {}
        self._warned: set[Trouble] = set()
        self._commit_is_due = False
        self._unswept = _SWEEP_EVERY

    def on_start(self) -> None:
        """Make no file yet: a program that asks nothing has none."""
        self._memory = Handle(self.surroundings.registry, self._memory_name)
        place = self._place
        self._database = Database(
            place.path,
            ttl=place.ttl,
            max_bytes=place.max_bytes,
            patience=_LOCKED_FOR,
        )
        self.continue_with()

    def on_continue(self, term: Any) -> None:
        """Open the file if there is one, which nobody need wait for."""
        del term
        try:
            self._database.warm_up()
        except CacheFileError as error:
            self._warn(error.trouble, str(error))

    def on_receive(self, message: Message) -> Any:
        """Hand each message to its method."""
        match message:
            case Read():
                self._read(message)
            case Write():
                self._write(message.entry)
            case Miss():
                self._miss(message.identity, message.absence)
            case Commit():
                self._commit_is_due = False
                self._commit()
            case Flush():
                return self._flush()
            case _:
                assert_never(message)
        return None

    def on_end(self, reason: ExitReason) -> None:
        """Write what waits, if that can be done now, and close the file."""
        del reason
        for message in leftovers(self.actor_inbox, Write, Miss):
            self.on_receive(message)
        self._flush()
        self._database.close()

    # Reading.

    def _read(self, message: Read) -> None:
        identity = message.identity
        waiting = self._entries.get(identity.key)
        if waiting is not None and waiting.identity.text == identity.text:
            reply: Reply | None = waiting.reply
        else:
            reply = self._look_up(identity)
        self._memory.cast(
            Stored(identity=identity, reading=message.reading, reply=reply)
        )

    def _look_up(self, identity: Identity) -> Reply | None:
        before = self._database.damaged
        try:
            reply = self._database.read(identity)
        except CacheFileError as error:
            self._warn(error.trouble, str(error))
            return None
        if self._database.damaged > before:
            self._warn_of_damaged_row()
        if len(self._database.used) >= BATCH:
            self._commit_soon()
        return reply

    # Writing.

    def _write(self, entry: Entry) -> None:
        self._entries[entry.identity.key] = entry
        self._entries.move_to_end(entry.identity.key)
        if len(self._entries) > MOST_WAITING:
            self._entries.popitem(last=False)
            self._tell_dropped(1)
        self._commit_soon()

    def _miss(self, identity: Identity, absence: Absence) -> None:
        if len(self._absences) < KEPT_ABSENCES:
            self._absences[identity] = absence
        self._commit_soon()

    def _commit_soon(self) -> None:
        """Commit behind the messages that wait now, so that they are in it."""
        if not self._commit_is_due:
            self._commit_is_due = True
            self.actor_ref.cast(Commit())

    def _commit(self) -> bool:
        """Write up to a batch of what waits; whether it was written."""
        batch = [self._entries[key] for key in list(self._entries)[:BATCH]]
        try:
            self._database.write(batch, absences=self._absences.items())
            written = True
        except CacheFileError as error:
            is_first = error.trouble not in self._warned
            self._warn(error.trouble, str(error))
            # A damaged file was set aside: what waits goes into the new one.
            if error.trouble is Trouble.LOCKED or (
                error.trouble is Trouble.DAMAGED and is_first
            ):
                self._commit_later()
                return False
            self._tell_dropped(len(batch))
            self._database.used.clear()
            written = False
        for entry in batch:
            del self._entries[entry.identity.key]
        self._absences.clear()
        if self._entries:
            self._commit_soon()
        self._sweep(len(batch))
        return written

    def _commit_later(self) -> None:
        if not self._commit_is_due:
            self._commit_is_due = True
            self.send_after(_AGAIN_AFTER, Commit())

    def _flush(self) -> int:
        while self._has_more() and self._commit():
            pass
        return len(self._entries)

    def _has_more(self) -> bool:
        return bool(self._entries or self._absences or self._database.used)

    def _sweep(self, written: int) -> None:
        self._unswept += written
        if self._unswept < _SWEEP_EVERY:
            return
        self._unswept = 0
        try:
            if self._database.sweep():
                # There may be more of them: the next batch looks again.
                self._unswept = _SWEEP_EVERY
        except CacheFileError as error:
            self._warn(error.trouble, str(error))

    # Trouble.

    def _warn(self, trouble: Trouble, said: str) -> None:
        """Tell of the first trouble of each kind, once while this actor lives."""
        # That another process writes is nothing to warn of; it is tried again.
        if trouble in self._warned or trouble is Trouble.LOCKED:
            return
        self._warned.add(trouble)
        path = self._place.path
        self.surroundings.events.emit(CACHE_TROUBLE, trouble=trouble, path=path)
        logger("dspex").warning(
            "cache goes on without its file", trouble=trouble.value, reason=said
        )

    def _warn_of_damaged_row(self) -> None:
        said = "a row was damaged and set aside; its answer is asked for again"
        self._warn(Trouble.ROW, said)

    def _tell_dropped(self, count: int) -> None:
        self.surroundings.events.emit(CACHE_DROPPED, {"count": count})
