"""Who works on what next: the coordinator's decisions, without thread, actor or clock.

Takes what happened, gives what is to be done. The coordinator only carries out, so a
seeded interleaver can play any order of events against this class, and a coordinator
that died is replaced by one with a new schedule, made from what is settled and what is
open.

Invariant: a place (example, trial) is settled, in hand, waiting to be tried again, or
was not handed out yet; never two of these. It leaves the hand only by being settled, or
because its worker was killed and it is tried again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import assert_never

from dspex.evaluate.journal import Tally
from dspex.evaluate.outcome import OutcomeKind, Stage, Stamp
from dspex.evaluate.plan import Ended
from dspex.evaluate.settled import Settled

MAX_ATTEMPTS = 5
"""How often an example is tried whose worker dies from outside each time."""

Key = tuple[int, int]
"""Example and trial."""

_NO_ATTEMPTS: Mapping[Key, int] = MappingProxyType({})


# What happened.


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """So many examples of the stream have been taken in all."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnded:
    """The stream has no more."""

    count: int
    """How many it gave in all."""
    error: BaseException | None = None
    """What it raised instead of ending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """These places have their outcome."""

    keys: Sequence[Key]
    tally: Tally
    """How the run stands with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLost:
    """A worker ended without an outcome."""

    stamp: Stamp
    begun: tuple[str, ...] = ()
    """What it had begun that is marked `retry=False`."""
    overdue: Stage | None = None
    """In whose code it was when its time was over, if it was ended for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Hand nothing out until `Resume`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Hand out again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetInHand:
    """Another number of workers, from now on."""

    in_hand: int
    """See `Plan.in_hand`."""
    configuration: int
    """For the stamps from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End now, whatever is in hand."""

    ended: Ended


Happened = (
    Arrived | StreamEnded | Settle | WorkerLost | Pause | Resume | SetInHand | Stop
)


# What is to be done.


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOut:
    """Prepare these attempts; the workers take them in this order."""

    stamps: Sequence[Stamp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Take examples from the stream until there have been so many."""

    upto: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Propose:
    """Propose an outcome for an attempt whose worker cannot."""

    stamp: Stamp
    kind: OutcomeKind
    stage: Stage
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Give up what is in hand; the run is over."""

    ended: Ended


Effect = HandOut | Fetch | Propose | End


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a schedule keeps to."""

    run: str
    """Names the run."""
    in_hand: int
    """Attempts prepared, running, or not yet accepted, at a time."""
    total: int | None
    """How many examples there are; `None` for a stream."""
    trials: int = 1
    """How often each is measured."""
    timeout: float | None = None
    """Seconds for one attempt, to say so."""
    metric_timeout: float | None = None
    """Seconds for its metric, to say so."""
    max_errors: int | None = None
    """Failures after which to end."""
    attempts: Mapping[Key, int] = field(default_factory=lambda: _NO_ATTEMPTS)
    """The last attempt that an earlier run made, where it made one."""


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
        self._again: deque[Stamp] = deque()
        self._next = self._settled.watermark
        self._total = terms.total
        self._arrived = terms.total or 0
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
    def waiting(self) -> Sequence[Stamp]:
        """Attempts that are to be made again."""
        return tuple(self._again)

    @property
    def frontier(self) -> int:
        """Examples before this one have been handed out with all their trials."""
        return self._next // self._terms.trials

    @property
    def paused(self) -> bool:
        """Whether nothing is handed out at present."""
        return self._paused

    # What it decides.

    def begin(self) -> list[Effect]:
        """What is to be done first."""
        return self._concluded([])

    def handle(self, event: Happened) -> list[Effect]:
        """What is to be done about an event; nothing once the run is over."""
        if self.ended is not None:
            return []
        effects: list[Effect] = []
        match event:
            case Settle():
                self._settle(event, effects)
            case WorkerLost():
                self._worker_lost(event, effects)
            case Arrived():
                self._arrived = max(self._arrived, event.count)
            case StreamEnded():
                self._total = self._arrived = event.count
                self._broken = event.error
            case Pause():
                self._paused = True
            case Resume():
                self._paused = False
            case SetInHand():
                self._limit = event.in_hand
                self._configuration = event.configuration
            case Stop():
                self._end(event.ended, effects)
            case _:
                assert_never(event)
        return self._concluded(effects)

    def _concluded(self, effects: list[Effect]) -> list[Effect]:
        if self.ended is None and not self._paused:
            self._hand_out(effects)
        if self.ended is None and self._is_complete():
            self._end(self._last_word(), effects)
        return effects

    def _is_complete(self) -> bool:
        if self._total is None:
            return False
        return len(self._settled) >= self._total * self._terms.trials

    def _last_word(self) -> Ended:
        if self._broken is not None:
            return Ended(reason="stream", error=self._broken)
        return Ended(reason="complete")

    def _end(self, ended: Ended, effects: list[Effect]) -> None:
        self.ended = ended
        effects.append(End(ended=ended))

    # Handing out.

    def _hand_out(self, effects: list[Effect]) -> None:
        room = self._limit - len(self._in_hand)
        stamps: list[Stamp] = []
        while len(stamps) < room:
            stamp = self._next_stamp()
            if stamp is None:
                break
            self._in_hand[stamp.key] = stamp
            stamps.append(stamp)
        if stamps:
            effects.append(HandOut(stamps=stamps))
        if self._total is None:
            self._fetch(room - len(stamps), effects)

    def _next_stamp(self) -> Stamp | None:
        while self._again:
            stamp = self._again.popleft()
            if self._place(stamp.key) not in self._settled:
                return stamp
        trials = self._terms.trials
        end = self._arrived * trials
        while self._next < end:
            place = self._next
            self._next += 1
            key = divmod(place, trials)
            if place not in self._settled and key not in self._in_hand:
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
        tally, most = event.tally, self._terms.max_errors
        if tally.fatal is not None:
            self._end(Ended(reason="fatal", outcome=tally.fatal), effects)
        elif most is not None and tally.errors >= most:
            self._end(Ended(reason="max_errors", outcome=tally.last_error), effects)

    def _worker_lost(self, event: WorkerLost, effects: list[Effect]) -> None:
        stamp = event.stamp
        if self._in_hand.get(stamp.key) != stamp:
            return
        propose = self._verdict(event)
        if propose is not None:
            # In hand until that outcome is accepted.
            effects.append(propose)
            return
        # Somebody else's doing: run again, charged to nobody.
        del self._in_hand[stamp.key]
        again = replace(
            stamp, attempt=stamp.attempt + 1, configuration=self._configuration
        )
        self._again.append(again)

    def _verdict(self, event: WorkerLost) -> Propose | None:
        stamp = event.stamp
        if event.overdue is not None:
            return Propose(
                stamp=stamp,
                kind=OutcomeKind.TIMEOUT,
                stage="metric" if event.overdue == "metric" else "runtime",
                text=self._too_slow(event),
            )
        made = stamp.attempt - self._terms.attempts.get(stamp.key, 0)
        if event.begun:
            text = (
                f"its worker was killed from outside after {event.begun[-1]!r} "
                "had begun, which is marked retry=False and never run again"
            )
        elif made >= MAX_ATTEMPTS:
            text = f"its worker was killed from outside {made} times"
        else:
            return None
        return Propose(
            stamp=stamp, kind=OutcomeKind.INFRASTRUCTURE, stage="runtime", text=text
        )

    def _too_slow(self, event: WorkerLost) -> str:
        number = event.stamp.example
        if event.overdue == "metric":
            return (
                f"the metric of example {number} was not done after "
                f"{self._terms.metric_timeout:g} s and was given up. Give it more time "
                "with metric_timeout=, or find out what hangs."
            )
        return (
            f"example {number} was not done after {self._terms.timeout:g} s and was "
            "given up. Give it more time with timeout=, or find out what hangs."
        )
