"""The answers in memory, taken by whoever asks, in its own thread.

To ask the actor takes two changes of threads, and most of what a cached answer costs.
Nothing is decided here: what is not at hand is asked of the actor, which looks again.
"""

from __future__ import annotations

from typing import Any

from dspex.cache.key import Identity
from dspex.cache.shelf import Shelf
from dspex.core.events import CACHE_HIT
from dspex.core.lm import Reply
from supervisors import Events, Handle, Ref, Registry


class AtHand:
    """The answers of one incarnation of the memory, for any thread.

    Args:
        shelf: Its answers.
        owner: The incarnation: when it has ended, its answers are gone.
        events: Hear of hits.
    """

    def __init__(self, shelf: Shelf, owner: Ref[Any], events: Events) -> None:
        self._shelf = shelf
        self._owner = owner
        self._events = events

    def offer(self, registry: Registry, name: str) -> None:
        """Be what `Memory.find` of that name looks at from now on."""
        registry.put_meta((AtHand, name), self)

    def find(self, identity: Identity) -> Reply | None:
        """The answer to exactly that request, if it is here."""
        if not self._owner.is_alive():
            return None
        reply = self._shelf.get(identity)
        if reply is not None:
            self._events.emit(CACHE_HIT, key=identity.key, tier="memory")
        return reply


class Memory(Handle):
    """The memory tier by its name."""

    def find(self, identity: Identity, *, blocks: bool = True) -> Reply | None:
        """The answer, if it is at hand; refused as a call would be.

        Args:
            identity: What is asked.
            blocks: Whether the caller waits for it in its thread, if it is not.

        Raises:
            BlockingCallError: From an actor on an event loop, when it blocks.
            ScopeCancelledError: The work this belongs to was given up.
        """
        self.check_call(blocks=blocks)
        at_hand: AtHand | None = self._registry.meta((AtHand, self.name))
        return None if at_hand is None else at_hand.find(identity)
