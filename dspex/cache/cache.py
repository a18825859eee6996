"""What the rest of dspex holds of the cache: both tiers behind one name."""

from __future__ import annotations

import uuid

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
from dspex.core.errors import LMError
from dspex.core.lm import Reply
from supervisors import Handle, last_words


class Cache:
    """The cache of one tree. It finds its actors at each call, so restarts are fine.

    Args:
        memory: The memory tier.
        store: The store, or `None` when nothing is kept on disk.
        place: Which file the store has.
    """

    def __init__(
        self,
        memory: Handle,
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
        """What it did since its memory started."""
        counts: CacheStatistics = self._memory.call(GetStatistics())
        return counts

    def flush(self) -> int:
        """Write to disk what waits; how many answers could not be written yet."""
        if self._store is None:
            return 0
        # An answer to a later question, so what was settled before is on its way.
        self._memory.call(GetStatistics())
        waiting: int = self._store.call(Flush(), timeout=None, idempotent=True)
        return waiting

    def clear(self) -> int:
        """Forget all answers; how many there were."""
        count: int = self._memory.call(Clear())
        return count


def _asking(identity: Identity | str, caller: str, deadline: float | None) -> LookUp:
    if isinstance(identity, str):
        identity = Identity(identity, "")
    return LookUp(identity=identity, caller=caller, deadline=deadline)


def new_caller() -> str:
    """A name for one look-up."""
    return uuid.uuid4().hex
