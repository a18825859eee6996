"""Who works on what next: the coordinator's decisions, without thread, actor or clock.

Takes what happened, gives what is to be done. The coordinator only carries out, so a
seeded interleaver can play any order of events against this class, and a coordinator
that died is replaced by one with a new schedule, made from what is settled and what is
open.

Invariant: a place (example, trial) is settled, in hand, waiting to be tried again, or
was not handed out yet; never two of these. It leaves the hand only by being settled, or
because its example is tried again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from dspex.evaluate.results.outcome import Stamp
from dspex.evaluate.running.plan import Ended
from dspex.evaluate.scheduling import lost
from dspex.evaluate.scheduling.again import Again
from dspex.evaluate.scheduling.lost import Verdict
from dspex.evaluate.scheduling.outage import Outage, OutageWatch
from dspex.evaluate.scheduling.settled import Settled
from dspex.evaluate.scheduling.steering import Course
from dspex.evaluate.scheduling.steps import (
    Arrived,
    CameBack,
    Effect,
    End,
    Fetch,
    HandOut,
    Happened,
    Hold,
    Key,
    LetThrough,
    OutageBegan,
    OutageEnded,
    Pause,
    Propose,
    Resume,
    SetInHand,
    Settle,
    Steer,
    Stop,
    StreamEnded,
    Terms,
    Tick,
    WakeAt,
    Withdraw,
    WorkerLost,
)


class Schedule:
    """Decides who works on what next, and when a run is over.

    Args:
        terms: What to keep to.
        settled: Places that have their outcome already; taken over.
        in_hand: Attempts that are in hand already.

    Example:
        >>> schedule = Schedule(Terms(run="r", in_hand=2, total=3))
        >>> [(effect,)] = [schedule.begin()]
        >>> [stamp.example for stamp in effect.stamps]
        [0, 1]
    """

    def __init__(
        self,
        terms: Terms,
        settled: Settled | None = None,
        in_hand: Iterable[Stamp] = (),
    ) -> None:
        self._terms = terms
        self._limit = terms.in_hand
        self._configuration = 1
        self._settled = Settled() if settled is None else settled
        self._in_hand = {stamp.key: stamp for stamp in in_hand}
        # Handed out by somebody else: never new to this one, whatever became of them.
        self._taken_over = frozenset(self._in_hand)
        self._again = Again()
        self._outages = OutageWatch(terms.max_outage)
        self._is_held = False
        self._wake_at = math.inf
        self._next = self._settled.watermark
        self._total = terms.total
        self._arrived = terms.total or 0
        self._needed: int | None = None
        self._until: int | None = None
        self._asked = 0
        self._paused = False
        self._broken: BaseException | None = None
        self.ended: Ended | None = None
        """How the run ended, once it has."""

    # What can be read.

    @property
    def in_hand(self) -> Mapping[Key, Stamp]:
        """Attempts handed out and not settled."""
        return self._in_hand

    @property
    def waiting(self) -> Sequence[tuple[Stamp, float]]:
        """Attempts that are to be made again, and when they may."""
        return tuple(self._again)

    @property
    def is_held(self) -> bool:
        """Whether nothing is handed out, for a pause or an outage."""
        return self._is_held

    @property
    def outages(self) -> Sequence[Outage]:
        """Why nothing is handed out, besides a pause."""
        return self._outages.outages

    @property
    def next_place(self) -> Key:
        """The first example and trial that was not handed out."""
        return divmod(self._next, self._terms.trials)

    @property
    def not_handed_out(self) -> int | None:
        """How many places were not; `None` for a stream that has not ended."""
        if self._total is None:
            return None
        return max(0, self._total * self._terms.trials - self._next)

    @property
    def frontier(self) -> int:
        """Examples before this one have been handed out with all their trials."""
        return self._next // self._terms.trials

    @property
    def paused(self) -> bool:
        """Whether nothing is handed out at present."""
        return self._paused

    # What it decides.

    def begin(self, now: float = 0.0) -> list[Effect]:
        """What is to be done first."""
        return self._concluded([], now)

    def handle(self, event: Happened, now: float = 0.0) -> list[Effect]:  # noqa: C901 - a line an event
        """What is to be done about an event; nothing once the run is over.

        Args:
            event: What happened.
            now: Monotonic seconds; they matter only to what waits for its time.
        """
        if self.ended is not None:
            return []
        effects: list[Effect] = []
        match event:
            case Settle():
                self._settle(event, effects)
            case WorkerLost():
                self._worker_lost(event, effects, now)
            case CameBack():
                self._came_back(event, now)
            case OutageBegan():
                self._outages.hold(event.sign, now)
            case OutageEnded():
                self._outages.release(event.what)
            case Tick():
                self._wake_at = math.inf
            case Arrived() | StreamEnded():
                self._take_stock(event)
            case Steer():
                self._steer(event.course, effects)
            case Pause():
                self._paused = True
            case Resume():
                self._paused = False
                # Nobody has looked meanwhile whether an outage is over.
                self._outages.count_from(now)
            case SetInHand():
                self._limit = event.in_hand
                self._configuration = event.configuration
            case Stop():
                self._end(event.ended, effects)
            case _:
                assert_never(event)
        return self._concluded(effects, now)

    def _take_stock(self, event: Arrived | StreamEnded) -> None:
        self._arrived = max(self._arrived, event.count)
        if isinstance(event, StreamEnded):
            self._total, self._broken = event.count, event.error

    def _concluded(self, effects: list[Effect], now: float) -> list[Effect]:
        if self.ended is None and self._is_complete():
            self._end(self._last_word(), effects)
        outage = None if self._paused else self._outages.too_long(now)
        if self.ended is None and outage is not None:
            self._end(Ended(reason="outage", outage=outage), effects)
        if self.ended is not None:
            return effects
        is_held = self._paused or self._outages.is_on
        if is_held != self._is_held:
            self._is_held = is_held
            effects.append(Hold(on=is_held))
        if not is_held:
            self._hand_out(effects, now)
        elif not self._paused:
            self._look(effects, now)
        # A stream may have turned out to be empty.
        if self._is_complete():
            self._end(self._last_word(), effects)
        else:
            self._wake(effects, now)
        return effects

    def _wake(self, effects: list[Effect], now: float) -> None:
        if self._paused:
            return
        at = math.inf
        if self._outages.is_on:
            look_at = max(now + self._outages.room(now), self._again.next_at)
            at = min(self._outages.ends_run_at, look_at)
        elif self._again and len(self._in_hand) < self._limit:
            at = self._again.next_at
        if at < self._wake_at:
            self._wake_at = at
            effects.append(WakeAt(at=at))

    def _is_complete(self) -> bool:
        if self._total is None or self._in_hand or self._again:
            return False
        needed = self._total if self._needed is None else self._needed
        return self._next >= needed * self._terms.trials

    def _last_word(self) -> Ended:
        if self._broken is not None:
            return Ended(reason="stream", error=self._broken)
        return Ended(reason="complete")

    def _end(self, ended: Ended, effects: list[Effect]) -> None:
        self.ended = ended
        effects.append(End(ended=ended))

    # Handing out.

    def _look(self, effects: list[Effect], now: float) -> None:
        """Let one attempt see whether an outage is over, if it is time for that."""
        if self._outages.room(now) > 0:
            return
        stamp = self._next_again(now)
        if stamp is not None:
            self._in_hand[stamp.key] = stamp
            self._outages.begins(stamp.key, now)
            effects.append(LetThrough(stamp=stamp))

    def _hand_out(self, effects: list[Effect], now: float) -> None:
        room = self._limit - len(self._in_hand)
        stamps: list[Stamp] = []
        while len(stamps) < room:
            stamp = self._next_again(now) or self._next_stamp()
            if stamp is None:
                break
            self._in_hand[stamp.key] = stamp
            stamps.append(stamp)
        if stamps:
            effects.append(HandOut(stamps=stamps))
        if self._total is None:
            self._fetch(room - len(stamps), effects)

    def _next_again(self, now: float) -> Stamp | None:
        while (stamp := self._again.take(now)) is not None:
            if self._place(stamp.key) not in self._settled:
                return stamp
        return None

    def _next_stamp(self) -> Stamp | None:
        trials = self._terms.trials
        end = trials * (self._arrived if self._until is None else self._until)
        while self._next < end:
            place = self._next
            self._next += 1
            key = divmod(place, trials)
            if place not in self._settled and key not in self._taken_over:
                return self._stamp(key)
        return None

    def _stamp(self, key: Key) -> Stamp:
        example, trial = key
        return Stamp(
            run=self._terms.run,
            example=example,
            trial=trial,
            attempt=self._terms.attempts.get(key, 0) + 1,
            configuration=self._configuration,
        )

    def _fetch(self, room: int, effects: list[Effect]) -> None:
        if room <= 0:
            return
        upto = -(-(self._next + room) // self._terms.trials)
        if upto > self._asked:
            self._asked = upto
            effects.append(Fetch(upto=upto))

    def _place(self, key: Key) -> int:
        example, trial = key
        return example * self._terms.trials + trial

    # What comes back.

    def _settle(self, event: Settle, effects: list[Effect]) -> None:
        for key in event.keys:
            self._settled.add(self._place(key))
            self._in_hand.pop(key, None)
            if self._outages.is_on:
                self._outages.ended(key)
        tally, most = event.tally, self._terms.max_errors
        if self._terms.is_steered:
            return
        if tally.fatal is not None:
            self._end(Ended(reason="fatal", outcome=tally.fatal), effects)
        elif (
            most is not None
            and tally.last_error is not None
            and most.is_reached(errors=tally.errors, settled=tally.judged)
        ):
            self._end(Ended(reason="max_errors", outcome=tally.last_error), effects)

    def _steer(self, course: Course, effects: list[Effect]) -> None:
        if course.done:
            self._end(Ended(reason="enough"), effects)
            return
        self._limit = course.at_once
        self._needed, self._until = course.needed, course.until
        needless = [key for key in self._in_hand if key[0] >= course.needed]
        for key in needless:
            del self._in_hand[key]
            self._outages.lost(key)
        if needless:
            effects.append(Withdraw(keys=needless))
        self._again.keep(lambda stamp: stamp.example < course.needed)

    def _came_back(self, event: CameBack, now: float) -> None:
        stamp, sign = event.stamp, event.sign
        if self._in_hand.get(stamp.key) != stamp:
            return
        if sign is None:
            self._outages.ended(stamp.key)
        else:
            self._outages.failed(stamp.key, sign, now)
        self._try_again(stamp, at=now + event.wait if event.wait else None)

    def _worker_lost(
        self, event: WorkerLost, effects: list[Effect], now: float
    ) -> None:
        stamp, sign = event.stamp, event.sign
        if self._in_hand.get(stamp.key) != stamp:
            return
        if sign is not None and not event.begun:
            self._outages.failed(stamp.key, sign, now)
            self._try_again(stamp)
            return
        self._outages.lost(stamp.key)
        verdict = self._verdict(event)
        if verdict is None:
            # Somebody else's doing, or not often enough: run again.
            self._try_again(stamp)
        else:
            # In hand until that outcome is accepted.
            effects.append(Propose(stamp=stamp, verdict=verdict))

    def _verdict(self, event: WorkerLost) -> Verdict | None:
        if event.overdue is None:
            return lost.killed(event.stamp, event.deaths, event.begun)
        return lost.too_slow(
            event.stamp,
            event.overdue,
            timeout=self._terms.timeout,
            metric_timeout=self._terms.metric_timeout,
        )

    def _try_again(self, stamp: Stamp, *, at: float | None = None) -> None:
        del self._in_hand[stamp.key]
        again = replace(
            stamp, attempt=stamp.attempt + 1, configuration=self._configuration
        )
        self._again.add(again, at=at)
