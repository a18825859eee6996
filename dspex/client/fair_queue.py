"""Who goes next: interactive calls before batches, and the runs in turn.

A plain structure over ids. It holds no clock and no lock: one thread owns it, in dspex
the client actor's.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum

BATCH_TURN = 8
"""While both kinds wait, every eighth call is one of a batch, so that none starves."""


class Priority(Enum):
    """How urgent a call is."""

    INTERACTIVE = "interactive"
    """Somebody sits and waits for it."""
    BATCH = "batch"
    """One of many, such as an evaluation's."""


class FairQueue:
    """Ids that wait, each once.

    An interactive call passes those of batches, but for every `BATCH_TURN`th. Within
    a priority the shares (an evaluation run is one) take turns, a call each, however
    many each has waiting; within a share it is first come, first served.

    Every operation takes the same short time, however long the queue is. It has no
    bound of its own: whoever pushes looks at its length first.

    Example:
        >>> queue = FairQueue()
        >>> for call_id in ("a1", "a2", "a3"):
        ...     queue.push(call_id, share="a")
        >>> queue.push("b1", share="b")
        >>> queue.push("now", priority=Priority.INTERACTIVE)
        >>> [queue.pop() for _ in range(len(queue))]
        ['now', 'a1', 'b1', 'a2', 'a3']
    """

    def __init__(self) -> None:
        # Invariant: `_places` has exactly the ids that are in one of the lines.
        self._interactive = _Line()
        self._batch = _Line()
        self._places: dict[str, tuple[_Line, str]] = {}
        self._batch_passed_over = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._places)

    def __contains__(self, call_id: str) -> bool:
        """Whether this one waits."""
        return call_id in self._places

    def waiting(self, priority: Priority) -> int:
        """How many of one priority wait."""
        return self._line(priority).length

    def push(
        self,
        call_id: str,
        *,
        share: str = "",
        priority: Priority = Priority.BATCH,
        first: bool = False,
    ) -> None:
        """Let an id wait.

        Args:
            call_id: Which one. One that waits already moves to its new place.
            share: Whom it belongs to, such as a run; those without are one share.
            priority: How urgent it is.
            first: Before the others of its share, as for a call that goes again.
        """
        if call_id in self._places:
            self.remove(call_id)
        line = self._line(priority)
        line.add(call_id, share, first=first)
        self._places[call_id] = line, share

    def peek(self) -> str | None:
        """The id that `pop` would take, `None` when nobody waits."""
        return self._next_line().head() if self._places else None

    def pop(self) -> str:
        """Take the next id out.

        Raises:
            LookupError: Nobody waits.
        """
        if not self._places:
            raise LookupError("nobody waits in this queue; look at its length first.")
        line = self._next_line()
        is_passing = line is not self._batch and self._batch.length > 0
        self._batch_passed_over = self._batch_passed_over + 1 if is_passing else 0
        call_id = line.take()
        del self._places[call_id]
        return call_id

    def remove(self, call_id: str) -> bool:
        """Take an id out, wherever it stands; whether it was there."""
        place = self._places.pop(call_id, None)
        if place is None:
            return False
        line, share = place
        line.remove(call_id, share)
        return True

    def _line(self, priority: Priority) -> _Line:
        return self._batch if priority is Priority.BATCH else self._interactive

    def _next_line(self) -> _Line:
        batch, interactive = self._batch, self._interactive
        is_batch_due = self._batch_passed_over >= BATCH_TURN - 1 and batch.length
        return batch if is_batch_due or not interactive.length else interactive


class _Line:
    """The ids of one priority: shares in turn, each first come, first served."""

    def __init__(self) -> None:
        # Invariant: no share is empty. The first share is the next to have its turn.
        self._shares: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()
        self.length = 0
        """How many ids there are."""

    def add(self, call_id: str, share: str, *, first: bool) -> None:
        ids = self._shares.get(share)
        if ids is None:
            ids = self._shares[share] = OrderedDict()
        ids[call_id] = None
        if first:
            ids.move_to_end(call_id, last=False)
        self.length += 1

    def head(self) -> str:
        return next(iter(next(iter(self._shares.values()))))

    def take(self) -> str:
        share, ids = next(iter(self._shares.items()))
        call_id, _ = ids.popitem(last=False)
        self.length -= 1
        if ids:
            self._shares.move_to_end(share)
        else:
            del self._shares[share]
        return call_id

    def remove(self, call_id: str, share: str) -> None:
        ids = self._shares[share]
        del ids[call_id]
        if not ids:
            del self._shares[share]
        self.length -= 1
