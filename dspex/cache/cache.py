"""What the rest of dspex holds of the cache: both tiers behind one name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from dspex.cache import contents, exchange
from dspex.cache.at_hand import Memory
from dspex.cache.contents import Listed, Pruned
from dspex.cache.database import Database
from dspex.cache.exchange import Imported
from dspex.cache.explain import Explanation, explain
from dspex.cache.key import Identity
from dspex.cache.messages import (
    Clear,
    Flush,
    Found,
    GetStatistics,
    Leave,
    LookUp,
    Settle,
)
from dspex.cache.statistics import CacheStatistics
from dspex.cache.store import StorePlace
from dspex.cache.trouble import CacheFileError
from dspex.core.errors import ConfigurationError, LMError
from dspex.core.ids import new_id
from dspex.core.lm import Reply
from supervisors import Handle, ReplyFuture, last_words

FLUSHED_WITHIN: Final = 10.0
"""Seconds the disk may take for what waits to be written."""


class Cache:
    """The cache of one tree. It finds its actors at each call, so restarts are fine.

    Args:
        memory: The memory tier.
        store: The store, or `None` when nothing is kept on disk.
        place: Which file the store has.
    """

    def __init__(
        self,
        memory: Memory,
        store: Handle | None = None,
        place: StorePlace | None = None,
    ) -> None:
        self._memory = memory
        self._store = store
        self._place = place

    def __repr__(self) -> str:
        return f"<Cache {self._memory.name}>"

    # The way of a call.

    def look_up(
        self, identity: Identity | str, caller: str, deadline: float | None = None
    ) -> Reply | None:
        """The answer, or `None` when the caller must fetch it for all.

        Waits while somebody else fetches it, however often the cache restarts. Whoever
        gets `None` leads, and owes a `leave`.

        Args:
            identity: What is asked. With a key alone, answers are shared and kept in
                memory, and not on disk.
            caller: Its name, from `new_caller`.
            deadline: When it waits no longer, on the tree's clock.

        Raises:
            LMError: The call of the one who fetched it ended so, or `deadline` came
                first.
            ActorDownError: The cache is gone for good.
        """
        message = _asking(identity, caller, deadline)
        reply = self._memory.find(message.identity)
        if reply is not None:
            return reply
        try:
            found = self._memory.call(message, timeout=None, idempotent=True)
        except LMError:
            raise
        except BaseException:
            self.leave(message.identity.key, caller)
            raise
        return found.reply if isinstance(found, Found) else None

    async def alook_up(
        self, identity: Identity | str, caller: str, deadline: float | None = None
    ) -> Reply | None:
        """The same on any event loop, without blocking it; entries are shared.

        Cancelling the task that awaits it withdraws the caller.
        """
        message = _asking(identity, caller, deadline)
        reply = self._memory.find(message.identity, blocks=False)
        if reply is not None:
            return reply
        try:
            found = await self._memory.acall(message, timeout=None, idempotent=True)
        except LMError:
            raise
        except BaseException:
            self.leave(message.identity.key, caller)
            raise
        return found.reply if isinstance(found, Found) else None

    def settle(self, key: str, outcome: Reply | LMError, *, keep: bool = True) -> None:
        """Tell the outcome of a call, to keep it and to answer those who wait.

        Args:
            key: The key of what was asked.
            outcome: Its answer or its error. Errors, refusals and answers that were cut
                off reach those who wait, and are not kept.
            keep: Whether a good answer may be kept.
        """
        self._memory.cast(Settle(key=key, outcome=outcome, keep=keep))

    def leave(self, key: str, caller: str, reply: Reply | None = None) -> None:
        """Be done: with one's own answer, or without one, so that the next leads.

        Each leader says so at its end. With its answer, whoever follows it is answered
        even when the `settle` of the same call was lost in a restart of the cache.
        """
        with last_words():
            self._memory.cast(Leave(key=key, caller=caller, reply=reply))

    # What is in it.

    def statistics(self) -> CacheStatistics:
        """What it did since its memory started, and what its file holds already."""
        counts: CacheStatistics = self._memory.call(GetStatistics())
        if self._place is None:
            return counts
        try:
            with closing(self._place.open()) as file:
                return replace(counts, store=contents.statistics(file))
        except CacheFileError:
            # Such as one that others could write: of no use, no harm.
            return counts

    def asked_counts(self) -> ReplyFuture[CacheStatistics]:
        """What it did since its memory started, promised; no file is looked at.

        Raises:
            ActorDownError: There is no cache now.
        """
        return self._memory.submit(GetStatistics())

    @property
    def path(self) -> Path | None:
        """The file of the store; `None` when nothing is kept on disk."""
        return None if self._place is None else self._place.path

    def flush(self, timeout: float | None = FLUSHED_WITHIN) -> int:
        """Write to disk what waits.

        Args:
            timeout: Seconds the disk may take.

        Returns:
            How many answers could not be written yet, because another process writes.

        Raises:
            CallTimeoutError: It took longer.
        """
        if self._store is None:
            return 0
        # An answer to a later question, so what was settled before is on its way.
        self._memory.call(GetStatistics())
        waiting: int = self._store.call(Flush(), timeout, idempotent=True)
        return waiting

    def clear(self) -> int:
        """Forget all answers, in memory and on disk.

        Returns:
            How many there were, in the tier that had more.

        Raises:
            CacheFileError: The file could not be cleared; the memory was.
        """
        count: int = self._memory.call(Clear())
        if self._place is None:
            return count
        with self._file() as file:
            return max(count, contents.clear(file))

    def prune(
        self, *, older_than: float | None = None, max_bytes: float | None = None
    ) -> Pruned:
        """Delete old answers from the file, and the ones used least; see `contents`.

        Those in memory stay until their time is over.

        Raises:
            ConfigurationError: There is no file, because of `persist=False`.
            CacheFileError: The file cannot be used.
        """
        with self._file() as file:
            return contents.prune(file, older_than=older_than, max_bytes=max_bytes)

    def list(self, *, limit: int = 50, offset: int = 0) -> list[Listed]:
        """The answers in the file, newest first; a page of them.

        Raises:
            ConfigurationError: There is no file, because of `persist=False`.
            CacheFileError: The file cannot be used.
        """
        with self._file() as file:
            return contents.listed(file, limit=limit, offset=offset)

    def explain(self, identity: Identity) -> Explanation:
        """Say why a request was a miss, and which answer is nearest to it.

        Raises:
            ConfigurationError: There is no file, because of `persist=False`.
            CacheFileError: The file cannot be used.
        """
        with self._file() as file:
            return explain(file, identity)

    def export_lines(self) -> Iterator[str]:
        """Every answer in the file as a line of JSON, prompts included.

        Yields:
            Lines without their end; damaged answers are left out.

        Raises:
            ConfigurationError: There is no file, because of `persist=False`.
            CacheFileError: The file cannot be used.
        """
        with self._file() as file:
            yield from exchange.export_lines(file)

    def import_lines(self, lines: Iterable[str]) -> Imported:
        """Put the answers of an export into the file; those it has stay as they are.

        Every line is checked and its key computed. But whoever wrote the lines decides
        what later calls are answered: import only what comes from people you trust.

        Raises:
            ConfigurationError: There is no file, because of `persist=False`.
            CacheFileError: The file cannot be used.
        """
        with self._file() as file:
            return exchange.import_lines(file, lines)

    @contextmanager
    def _file(self) -> Iterator[Database]:
        """The file for this thread, with all that was settled before."""
        if self._place is None:
            raise ConfigurationError(
                "this runtime keeps no answers on disk (persist=False), and the file "
                "was asked for. Open a Runtime with Config(persist=True)."
            )
        self.flush()
        with closing(self._place.open()) as file:
            yield file


def _asking(identity: Identity | str, caller: str, deadline: float | None) -> LookUp:
    if isinstance(identity, str):
        identity = Identity(identity, "")
    return LookUp(identity=identity, caller=caller, deadline=deadline)


def new_caller() -> str:
    """A name for one look-up."""
    return new_id()
