"""Single flight: one call for equal questions, whoever asks, leaves or dies. Pure.

For each key at most one caller *leads*: it fetches the answer. The others *wait*.
Before anybody leads, the store may be read; then all wait. A leader that leaves makes
the one who has waited longest lead. It knows names of callers only: who answers them,
and with what, is for whoever drives it.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum


class Move(Enum):
    """What a caller who asks is to do."""

    LEAD = "lead"
    """Fetch the answer, for itself and for those who wait."""
    WAIT = "wait"
    """Wait: somebody fetches the answer, or the store is being read."""
    READ = "read"
    """Wait, and the store is to be read now."""


@dataclass(slots=True)
class _Flight:
    """A key whose answer is being looked for."""

    reading: int | None
    """Which reading of the store is under way, if one is."""
    leader: str | None = None
    """Who fetches the answer; `None` only while the store is read."""
    waiting: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """The others, who has waited longest first."""


class Flights:
    """All keys whose answers are being looked for.

    Invariants: a key has one flight at most; a flight has a leader or is reading; a
    leader never waits; nobody who waits is dropped without being named in a return.

    Example:
        >>> flights = Flights()
        >>> flights.ask("key", "a"), flights.ask("key", "b"), flights.ask("key", "c")
        (<Move.LEAD: 'lead'>, <Move.WAIT: 'wait'>, <Move.WAIT: 'wait'>)
        >>> flights.leave("key", "a")
        'b'
        >>> flights.settle("key")
        ('c',)
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    def ask(self, key: str, caller: str, *, can_read: bool = False) -> Move:
        """Take a caller in; a leader or waiter who asks again stays what it is.

        Args:
            key: What it asks for.
            caller: Its name, which no other caller has.
            can_read: Whether there is a store that may have the answer.
        """
        flight = self._flights.get(key)
        if flight is None:
            reading = next(self._numbers) if can_read else None
            flight = self._flights[key] = _Flight(reading)
            if reading is None:
                flight.leader = caller
                return Move.LEAD
            flight.waiting[caller] = None
            return Move.READ
        if flight.leader == caller:
            return Move.LEAD
        flight.waiting[caller] = None
        return Move.WAIT

    def reading(self, key: str) -> int | None:
        """Which reading of the store is under way for a key, if one is."""
        flight = self._flights.get(key)
        return None if flight is None else flight.reading

    def not_found(self, key: str, reading: int) -> str | None:
        """The store does not have the answer, or has not answered in time.

        Returns:
            Who leads from now on; `None` when nobody is to be told, also when that
            reading is of the past.
        """
        flight = self._flights.get(key)
        if flight is None or flight.reading != reading:
            return None
        flight.reading = None
        return self._promote(key, flight) if flight.leader is None else None

    def found(self, key: str) -> tuple[str, ...]:
        """The store has the answer, however late; who waits is answered with it.

        A leader goes on: its call is on its way, and its outcome may be newer.
        """
        flight = self._flights.get(key)
        if flight is None:
            return ()
        waiting = tuple(flight.waiting)
        if flight.leader is None:
            del self._flights[key]
        else:
            flight.reading = None
            flight.waiting.clear()
        return waiting

    def settle(self, key: str) -> tuple[str, ...]:
        """The outcome is there; who waits is answered with it."""
        flight = self._flights.pop(key, None)
        return () if flight is None else tuple(flight.waiting)

    def is_led_by(self, key: str, caller: str) -> bool:
        """Whether that caller leads now."""
        flight = self._flights.get(key)
        return flight is not None and flight.leader == caller

    def leave(self, key: str, caller: str) -> str | None:
        """A caller is gone without an outcome.

        Returns:
            Who leads in its place, if somebody does now who did not before.
        """
        flight = self._flights.get(key)
        if flight is None:
            return None
        flight.waiting.pop(caller, None)
        if flight.leader == caller:
            return self._promote(key, flight)
        if flight.leader is None and not flight.waiting:
            del self._flights[key]
        return None

    def expire(self, key: str, caller: str) -> bool:
        """A caller's deadline has come; whether it waited, and is to be told."""
        flight = self._flights.get(key)
        if flight is None or caller not in flight.waiting:
            return False
        self.leave(key, caller)
        return True

    def _promote(self, key: str, flight: _Flight) -> str | None:
        if not flight.waiting:
            del self._flights[key]
            return None
        flight.leader, _ = flight.waiting.popitem(last=False)
        return flight.leader
