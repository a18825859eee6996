"""The memory tier: answers at hand (`at_hand`), and one call for equal questions.

A caller who looks a request up gets the answer (*hit*), or the task to fetch it
(*lead*), or waits for whoever has that task (*follow*). On a miss the store is asked
first, and has a moment to answer. When a leader is gone without an outcome, the longest
waiting follower leads. The actor never touches a file or a socket. It starts empty
after a restart; those who were waiting ask again.
"""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, assert_never

import cachetools

from dspex.cache.at_hand import AtHand
from dspex.cache.entry import Absence, Entry, absence_of
from dspex.cache.flights import Flights, Move
from dspex.cache.key import Identity
from dspex.cache.leftovers import leftovers
from dspex.cache.messages import (
    Clear,
    Expire,
    Found,
    GetStatistics,
    GiveUpReading,
    Lead,
    Leave,
    LookUp,
    Miss,
    Read,
    Settle,
    Stored,
    Write,
)
from dspex.cache.shelf import Shelf
from dspex.cache.statistics import CacheStatistics
from dspex.core import defaults
from dspex.core.errors import LMError, LMTimeoutError
from dspex.core.events import CACHE_HIT, CACHE_MISS
from dspex.core.lm import Reply, Usage
from supervisors import NO_REPLY, Actor, Estate, ExitReason, Handle, ReplyToken

Message = (
    LookUp | Settle | Leave | Clear | GetStatistics | Expire | GiveUpReading | Stored
)


class Errands(Estate):
    """What was asked by the calls that are out: the memory's own, which outlives it.

    An answer names its key only. So that one is kept which comes after a restart, or
    after its caller has gone, what it answers is remembered here. Bounded by bytes: the
    identities that were not needed for longest are forgotten, and their answers are
    kept in memory alone.
    """

    def __init__(self, max_bytes: int) -> None:
        self._identities: cachetools.LRUCache[str, Identity] = cachetools.LRUCache(
            max_bytes, getsizeof=_bytes_of
        )

    def note(self, identity: Identity) -> None:
        """A call with this identity goes out."""
        if _bytes_of(identity) <= self._identities.maxsize:
            self._identities[identity.key] = identity

    def take(self, key: str) -> Identity:
        """What was asked by a call that is over; without text if it was forgotten."""
        return self._identities.pop(key, Identity(key, ""))


def _bytes_of(identity: Identity) -> int:
    return 500 + identity.size + sum(map(len, identity.attachments.values()))


@dataclass(slots=True)
class _Counts:
    """What the tier did since it started."""

    stored_hits: int = 0
    misses: int = 0
    shared: int = 0


class MemoryActor(Actor):
    """Holds the answers, and is the only one to add or drop them.

    Args:
        max_entries: Answers held at most.
        max_bytes: Bytes they may take, about.
        ttl: Seconds an answer is held.
        errands: Its memory of what is out; one of its own by default.
        name: Its name in this tree, by which callers find what is at hand.
        store: The name of the store in this tree, or `None` without one.
        wall_clock: Seconds since 1970, for the dates of what is stored.
    """

    def __init__(
        self,
        *,
        max_entries: int,
        max_bytes: int = defaults.CACHE_BYTES,
        ttl: float,
        errands: Errands | None = None,
        name: str = "memory",
        store: str | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._limits = {"max_entries": max_entries, "max_bytes": max_bytes}
        self._ttl = ttl
        self._errands = errands or Errands(max_bytes)
        self._name = name
        self._store_name = store
        self._store: Handle | None = None
        self._wall_clock = wall_clock
        self._flights = Flights()
        # Invariant: it has the callers that wait in `_flights`, and no others.
        self._waiting: dict[tuple[str, str], tuple[Identity, ReplyToken]] = {}
        # When the store has had its time, by reading, the next first. One timer is set
        # while there are any.
        self._readings: deque[tuple[float, str, int]] = deque()
        self._counts = _Counts()

    def on_start(self) -> None:
        """Start empty."""
        self._errands.inherit(self)
        self._shelf = Shelf(
            **self._limits, ttl=self._ttl, timer=self.surroundings.clock.monotonic
        )
        self._at_hand = AtHand(self._shelf, self.actor_ref, self.surroundings.events)
        self._at_hand.offer(self.surroundings.registry, self._name)
        if self._store_name is not None:
            self._store = Handle(self.surroundings.registry, self._store_name)

    def on_end(self, reason: ExitReason) -> None:
        """Pass on what was paid for and still waits to be kept."""
        del reason
        for message in leftovers(self.actor_inbox, Settle):
            self._settle(message)

    def on_receive(self, message: Message) -> Any:
        """Hand each message to its method."""
        match message:
            case LookUp():
                return self._look_up(message)
            case Settle():
                self._settle(message)
            case Leave():
                self._leave(message)
            case Clear():
                return self._shelf.clear()
            case GetStatistics():
                return self._statistics()
            case Expire():
                self._expire(message)
            case GiveUpReading():
                self._give_up_reading()
            case Stored():
                self._stored(message)
            case _:
                assert_never(message)
        return None

    # Asking.

    def _look_up(self, message: LookUp) -> Any:
        identity, caller = message.identity, message.caller
        reply = self._at_hand.find(identity)
        if reply is not None:
            return Found(reply)
        can_read = self._store is not None and bool(identity.text)
        move = self._flights.ask(identity.key, caller, can_read=can_read)
        if move is Move.LEAD:
            return self._go_out(identity)
        self._waiting[identity.key, caller] = identity, self.reply_token()
        if message.deadline is not None:
            due = max(0.0, message.deadline - self.surroundings.clock.monotonic())
            self.send_after(due, Expire(key=identity.key, caller=caller))
        if move is Move.READ:
            self._read(identity)
        return NO_REPLY

    def _go_out(self, identity: Identity) -> Lead:
        self._counts.misses += 1
        self._errands.note(identity)
        self.surroundings.events.emit(CACHE_MISS, key=identity.key)
        return Lead()

    def _lead(self, key: str, caller: str | None) -> None:
        """Have one of those who wait lead, if there is one to."""
        if caller is not None:
            identity, token = self._waiting.pop((key, caller))
            token.reply(self._go_out(identity))

    def _read(self, identity: Identity) -> None:
        reading = self._flights.reading(identity.key)
        if self._store is None or reading is None:
            msg = "a flight that reads has a store and a number"
            raise AssertionError(msg)
        if not self._store.cast(Read(identity=identity, reading=reading)):
            self._not_found(identity.key, reading)
            return
        due = self.surroundings.clock.monotonic() + defaults.CACHE_STORE_PATIENCE
        self._readings.append((due, identity.key, reading))
        if len(self._readings) == 1:
            self.send_after(defaults.CACHE_STORE_PATIENCE, GiveUpReading())

    def _give_up_reading(self) -> None:
        """Have those lead for whom the store took too long; most are answered."""
        now = self.surroundings.clock.monotonic()
        while self._readings and self._readings[0][0] <= now:
            _, key, reading = self._readings.popleft()
            self._not_found(key, reading)
        if self._readings:
            self.send_after(self._readings[0][0] - now, GiveUpReading())

    def _not_found(self, key: str, reading: int) -> None:
        self._lead(key, self._flights.not_found(key, reading))

    def _stored(self, message: Stored) -> None:
        key, reply = message.identity.key, message.reply
        if reply is None:
            self._not_found(key, message.reading)
            return
        free = as_cached(reply)
        if key not in self._shelf:
            # Else its call was settled meanwhile, and that answer is the newer one.
            self._shelf.put(message.identity, free)
        told = self._flights.found(key)
        self._counts.stored_hits += len(told)
        self._answer(key, told, free, tier="store")

    def _answer(
        self, key: str, callers: tuple[str, ...], outcome: Reply | LMError, *, tier: str
    ) -> None:
        for caller in callers:
            _, token = self._waiting.pop((key, caller))
            if isinstance(outcome, Reply):
                token.reply(Found(outcome))
                self._tell_hit(key, tier)
            else:
                token.fail(_to_raise(outcome))

    def _tell_hit(self, key: str, tier: str) -> None:
        self.surroundings.events.emit(CACHE_HIT, key=key, tier=tier)

    def _expire(self, message: Expire) -> None:
        if not self._flights.expire(message.key, message.caller):
            return
        _, token = self._waiting.pop((message.key, message.caller))
        text = (
            "no answer within the call's deadline (it shared the call of another "
            "for an equal question). Give it a longer deadline, or find out why "
            "the provider is slow."
        )
        token.fail(LMTimeoutError(text))

    # Outcomes.

    def _settle(self, message: Settle) -> None:
        key, outcome = message.key, message.outcome
        identity = self._errands.take(key)
        if isinstance(outcome, Reply):
            outcome = self._keep(identity, outcome, may_keep=message.keep)
        told = self._flights.settle(key)
        self._counts.shared += len(told)
        self._answer(key, told, outcome, tier="shared")

    def _keep(self, identity: Identity, reply: Reply, *, may_keep: bool) -> Reply:
        """Keep an answer if it is worth it; return it as the others get it."""
        free = as_cached(reply)
        absence = absence_of(reply) if may_keep else Absence.UNCACHEABLE
        if absence is None:
            self._shelf.put(identity, free)
        if self._store is not None and identity.text:
            entry = Entry(identity=identity, reply=reply, created=self._wall_clock())
            self._store.cast(
                Write(entry=entry)
                if absence is None
                else Miss(identity=identity, absence=absence)
            )
        return free

    def _leave(self, message: Leave) -> None:
        if message.reply is not None and self._flights.is_led_by(
            message.key, message.caller
        ):
            self._settle(Settle(key=message.key, outcome=message.reply))
            return
        self._waiting.pop((message.key, message.caller), None)
        self._lead(message.key, self._flights.leave(message.key, message.caller))

    def _statistics(self) -> CacheStatistics:
        counts, shelf = self._counts, self._shelf
        return CacheStatistics(
            size=len(shelf),
            bytes=shelf.bytes,
            hits=shelf.hits + counts.stored_hits,
            stored_hits=counts.stored_hits,
            misses=counts.misses,
            shared=counts.shared,
            evictions=shelf.evictions,
        )


def as_cached(reply: Reply) -> Reply:
    """A reply as it is given to those who did not pay for it."""
    if reply.cached:
        return reply
    return replace(reply, cached=True, attempts=0, usage=Usage(), latency=0.0, cost=0.0)


def _to_raise(error: LMError) -> LMError:
    """A copy: raising an error ties it to the frames of whoever raises it."""
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin
