"""The floor of a run: who works on what, shared by coordinator and workers.

The coordinator puts attempts here ahead of time, and a worker's thread that is done
takes the next one itself; what came of it goes into the tray of the aggregator. Nobody
waits for anybody in between. All of it outlives the actors that use it: it belongs to
the run.
"""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from dspex.core.errors import RunFencedError
from dspex.core.example import Example
from dspex.core.once import Unrepeatable
from dspex.core.spending import Spending
from dspex.evaluate.outage import DOUBTFUL, Sign
from dspex.evaluate.outcome import Outcome, Stage, Stamp
from dspex.evaluate.plan import GivenUp
from dspex.evaluate.quarantine import Death
from dspex.evaluate.recording import Recording
from dspex.evaluate.traced_call import TracedCall
from dspex.evaluate.tray import Proposal, Tray
from dspex.evaluate.worker import AsyncWork, Work, aperform, perform
from supervisors import (
    SYSTEM_CLOCK,
    ActorDownError,
    Clock,
    Estate,
    ExitReason,
    Normal,
    Ref,
    ScopeCancelledError,
    StartError,
)


class Attempt:
    """One attempt at one example: a worker, from its preparation to its outcome.

    It is what a lane runs: see `supervisors.LaneTask`.
    """

    __slots__ = (
        "_floor",
        "_given_up",
        "answered",
        "began",
        "begun",
        "example",
        "lane",
        "metric_began",
        "overdue",
        "proposed",
        "reason",
        "ref",
        "sign",
        "spending",
        "stamp",
        "traced",
        "where",
    )

    def __init__(
        self, stamp: Stamp, example: Example, floor: Floor, *, answered: int = 0
    ) -> None:
        self.stamp = stamp
        self.answered = answered
        """How many earlier attempts failed after an answer: this one asks anew."""
        self.example = example
        self._floor = floor
        self._given_up: str | None = None
        self.begun = Unrepeatable(self._begins_unrepeatable)
        """What the worker has begun that is never run again."""
        self.spending = Spending()
        """What its worker has had from models."""
        self.lane: Lane | None = None
        """Where it runs, or ran."""
        self.ref: Ref[Any] | None = None
        """Its worker, once that has begun."""
        self.began = 0.0
        """When that was, on the tree's clock."""
        self.metric_began: float | None = None
        """When its metric began, once it has."""
        self.overdue: Stage | None = None
        """Where it was when its time was over, if it was given up for that."""
        self.sign: Sign | None = None
        """The outage that it waited for then, if it did."""
        self.traced: Callable[[], tuple[TracedCall, ...]] = tuple
        """Gives the calls it made so far, where they are kept."""
        self.where = ""
        """Where its thread was when its time was over, as `traceback` prints it."""
        self.proposed = False
        """Whether its worker has handed an outcome in."""
        self.reason: ExitReason | None = None
        """How its worker ended, once it has."""

    @property
    def label(self) -> str:
        """What errors and pictures call its worker."""
        return f"example {self.stamp.example} attempt {self.stamp.attempt}"

    @property
    def tags(self) -> Mapping[str, Any]:
        """What the calls of its worker belong to, for their record."""
        return self.stamp.tags()

    @property
    def context(self) -> contextvars.Context:
        """Of which its worker gets a copy."""
        return self._floor.context

    @property
    def is_prepared(self) -> bool:
        """Whether no worker has begun it yet."""
        return self.ref is None and self.reason is None and not self.proposed

    @property
    def is_lost(self) -> bool:
        """Whether its worker ended and handed nothing in."""
        return self.reason is not None and not self.proposed

    @property
    def is_at_work(self) -> bool:
        """Whether a worker has taken it and is not done."""
        return self.lane is not None and self.reason is None and not self.proposed

    @property
    def is_running(self) -> bool:
        """Whether its worker has begun and is not done."""
        return self.ref is not None and self.is_at_work

    @property
    def has_shown(self) -> bool:
        """Whether it had an answer, or began what is never run again."""
        return bool(self.begun) or self.spending.total().calls > 0

    def metric_begins(self) -> None:
        """Note that the program is done and its metric begins."""
        self.metric_began = self._floor.clock.monotonic()

    def run(self) -> None:
        """Work on the example, and hand the outcome in."""
        outcome = perform(self, cast("Work", self._floor.work))
        self._floor.propose(self, outcome)

    async def arun(self) -> None:
        """Do the same on an event loop, where the work is a coroutine function."""
        outcome = await aperform(self, cast("AsyncWork", self._floor.work))
        self._floor.propose(self, outcome)

    def started(self, ref: Ref[Any]) -> None:
        """Take note of the worker."""
        self.began = self._floor.clock.monotonic()
        self.ref = ref
        self._floor.announce(self)
        if self._given_up is not None:
            self.give_up(self._given_up)

    def _begins_unrepeatable(self, name: str) -> None:
        """Have it written down that something begins which is never run again.

        Raises:
            ScopeCancelledError: The worker was given up: another may do it now.
            RunFencedError: Another owner took the run over, and may do it.
        """
        if self.is_given_up or self.reason is not None:
            msg = (
                f"{name!r} is marked retry=False and was not begun: the attempt that "
                "wanted to had been given up. Its example may be tried again."
            )
            raise ScopeCancelledError(msg)
        self._floor.announce_unrepeatable(self, name)

    def ended(self, reason: ExitReason) -> None:
        """Take note of the worker's end; it is news unless the work was done."""
        self.reason = reason
        if not self.proposed or not isinstance(reason, Normal):
            self._floor.lost(self)

    def give_up(self, why: str) -> None:
        """End the worker, at once or as soon as it begins.

        The scope first: from now on every call of its thread is refused, so it stops
        spending even though it cannot be killed.
        """
        # Before the look for a worker, which is noted before the look for this.
        self._given_up = why
        if self.ref is not None:
            self.ref.life.scope.cancel(why)
            self.ref.kill()

    @property
    def seconds(self) -> float:
        """How long it has taken until now; 0 when no worker has begun it."""
        if self.ref is None:
            return 0.0
        return self._floor.clock.monotonic() - self.began

    def as_given_up(self) -> GivenUp:
        """What is said of it when the run ends before it is done."""
        return GivenUp(
            stamp=self.stamp,
            latency=self.seconds,
            spent=self.spending.total(),
            stage="program" if self.metric_began is None else "metric",
            may_run_again=not self.begun,
        )

    @property
    def is_given_up(self) -> bool:
        """Whether the calls of its worker are refused."""
        return self._given_up is not None


class Lane:
    """A place where one worker at a time works: see `supervisors.LaneSource`."""

    __slots__ = ("_floor", "begun")

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self.begun = False
        """Whether its thread has asked for work."""

    def next_task(self) -> Attempt | None:
        """The next attempt; `None` ends the lane."""
        return self._floor.take(self)

    def refused(self, task: Any, error: Exception, /) -> None:  # noqa: ARG002 - of `LaneSource`
        """Put the attempt back: there is nobody to run under just now."""
        self._floor.put_back(self, task)

    def give_up(self) -> None:
        """Count this lane no more: what it was to run on is gone."""
        self._floor.close_lanes((self,))
        self._floor.on_refused()


class Floor(Estate):
    """Attempts in hand, and the lanes where they are worked on.

    Args:
        work: What to do with each example.
        context: Of which each worker gets a copy.
        concurrency: Lanes at a time.
        recording: Where attempts are announced; `None` for a run without a record.
    """

    def __init__(
        self,
        work: Work | AsyncWork,
        context: contextvars.Context,
        concurrency: int,
        recording: Recording | None = None,
    ) -> None:
        self.work = work
        self._recording = recording
        self.context = context
        self.clock: Clock = SYSTEM_CLOCK
        """The tree's; set by the coordinator."""
        self.tray = Tray()
        """Outcomes on their way to the aggregator."""
        self.run_over: float | None = None
        """When the run's time is over, on that clock; set by the first coordinator."""
        self.on_lost: Callable[[Attempt], object] = lambda _attempt: None
        """Hears of workers that ended without an outcome, or after it by a kill."""
        self.on_refused: Callable[[], object] = lambda: None
        """Hears that a lane found nobody to run under."""
        self.open_lane: Callable[[Lane], object] | None = None
        """Opens a lane from the thread of another; `None` leaves all of them to the
        coordinator."""
        self.on_record: Callable[[], object] = lambda: None
        """Hears that the record cannot be written, or is another owner's."""
        # Protects what follows: coordinator and lanes take and give in one step.
        self._lock = threading.Lock()
        self._open: dict[tuple[int, int], Attempt] = {}
        self._ready: deque[Attempt] = deque()
        self._lanes: set[Lane] = set()
        # How many of them have been opened and did not ask for work yet.
        self._unbegun = 0
        self._most = concurrency
        self._paused = False
        # How many attempts may be taken all the same.
        self._passes = 0
        # Failures that may be the first of an outage: nothing is begun until somebody
        # has decided whether they are, or each worker would burn one example more.
        self._doubts: set[tuple[int, int]] = set()
        self.deaths: dict[tuple[int, int], tuple[Death, ...]] = {}
        """How the workers of examples without an outcome died; the coordinator's."""
        self._closed = False

    # For the coordinator.

    def hand_out(self, attempts: Iterable[Attempt]) -> None:
        """Prepare attempts; lanes take them in this order."""
        with self._lock:
            for attempt in attempts:
                self._open[attempt.stamp.key] = attempt
                self._ready.append(attempt)

    def let_through(self, attempt: Attempt) -> None:
        """Prepare an attempt that is taken next, also during a pause."""
        with self._lock:
            self._open[attempt.stamp.key] = attempt
            self._ready.appendleft(attempt)
            self._passes += 1

    def settle(self, keys: Iterable[tuple[int, int]]) -> list[Attempt]:
        """Forget the attempts at these; those that still run."""
        running = []
        with self._lock:
            for key in keys:
                self.deaths.pop(key, None)
                attempt = self._open.pop(key, None)
                if attempt is not None and attempt.is_at_work:
                    running.append(attempt)
        return running

    def wanted_lanes(self) -> list[Lane]:
        """Lanes to open now; whoever opens none of them has to say so (`close`)."""
        if not self._ready:
            return []
        with self._lock:
            if self._closed or self._doubts:
                return []
            work = self._passes if self._paused else len(self._ready)
            count = min(self._most - len(self._lanes), work)
            if self.open_lane is not None:
                # One at a time: each opens the next when it begins, so that quick work
                # wakes few threads, and slow work soon has all of them.
                count = min(count, 1 - self._unbegun)
            lanes = [Lane(self) for _ in range(count)]
            self._lanes.update(lanes)
            self._unbegun += len(lanes)
        return lanes

    def close_lanes(self, lanes: Iterable[Lane]) -> None:
        """Count these lanes no more."""
        with self._lock:
            for lane in lanes:
                self._forget(lane)

    def drop_unbegun(self) -> None:
        """Count no lane that never began: who was to open it died before."""
        with self._lock:
            self._lanes = {lane for lane in self._lanes if lane.begun}
            self._unbegun = 0

    def set_concurrency(self, most: int) -> None:
        """Allow so many lanes; those beyond end when their work in hand is done."""
        with self._lock:
            self._most = most

    def pause(self, *, paused: bool) -> None:
        """Begin no more work but what is let through, or begin again."""
        with self._lock:
            self._paused = paused
            if not paused:
                self._passes = 0

    def clear_doubts(self, keys: Iterable[tuple[int, int]] | None = None) -> None:
        """Go on: it is decided what these failures mean, or those of all."""
        with self._lock:
            if keys is None:
                self._doubts.clear()
            else:
                self._doubts.difference_update(keys)

    def close(self) -> tuple[Attempt, ...]:
        """End the work for good; what was in hand."""
        with self._lock:
            self._closed = True
            attempts = tuple(self._open.values())
            self._open.clear()
            self._ready.clear()
        return attempts

    def open_attempts(self) -> Sequence[Attempt]:
        """Attempts in hand, in the order of handing out."""
        with self._lock:
            return tuple(self._open.values())

    def attempt(self, key: tuple[int, int]) -> Attempt | None:
        """The attempt in hand at an example."""
        return self._open.get(key)

    @property
    def is_held(self) -> bool:
        """Whether nothing but a look is begun at present."""
        return self._paused or bool(self._doubts)

    @property
    def lanes(self) -> int:
        """How many lanes there are."""
        return len(self._lanes)

    # For lanes and workers.

    def take(self, lane: Lane) -> Attempt | None:
        """The next attempt of a lane; `None` ends it."""
        with self._lock:
            if lane not in self._lanes:
                return None
            if not lane.begun:
                lane.begun = True
                self._unbegun -= 1
            attempt = self._next()
            if attempt is None:
                self._lanes.discard(lane)
                return None
            # In the same step: whoever settles its example sees who works on it.
            attempt.lane = lane
        if self._ready and not self._unbegun and len(self._lanes) < self._most:
            self._open_another()
        return attempt

    def _open_another(self) -> None:
        open_lane = self.open_lane
        if open_lane is None:
            return
        for lane in self.wanted_lanes():
            try:
                open_lane(lane)
            except (ActorDownError, StartError):
                self.close_lanes([lane])
                self.on_refused()

    def _forget(self, lane: Lane) -> None:
        if lane in self._lanes:
            self._lanes.discard(lane)
            self._unbegun -= not lane.begun

    def _next(self) -> Attempt | None:
        is_held = self._doubts or (self._paused and not self._passes)
        if is_held or self._closed or len(self._lanes) > self._most:
            return None
        while self._ready:
            attempt = self._ready.popleft()
            if self._open.get(attempt.stamp.key) is attempt:
                self._passes = max(0, self._passes - 1)
                return attempt
            # Settled, or needed no more, before it began.
        return None

    def put_back(self, lane: Lane, attempt: Attempt) -> None:
        """Take back an attempt that was not begun, and close its lane."""
        with self._lock:
            self._forget(lane)
            attempt.lane = attempt.ref = None
            if not self._closed:
                self._ready.appendleft(attempt)
                self._passes += self._paused
        self.on_refused()

    def announce(self, attempt: Attempt) -> None:
        """Write down that an attempt begins; one that must not is given up."""
        recording = self._recording
        if recording is None:
            return
        try:
            recording.attempt_begins(attempt.stamp, attempt.example)
        except RunFencedError:
            attempt.give_up("another owner took the run over")
        if recording.fenced is not None or recording.trouble is not None:
            self.on_record()

    def announce_unrepeatable(self, attempt: Attempt, name: str) -> None:
        """Write down that an attempt begins what is never run again."""
        recording = self._recording
        if recording is None:
            return
        try:
            recording.unrepeatable_begins(attempt.stamp, name)
        except RunFencedError:
            self.on_record()
            raise

    def propose(self, attempt: Attempt, outcome: Outcome) -> None:
        """Hand in what came of an attempt; called in its worker."""
        is_void = attempt.reason is not None or attempt.is_given_up
        attempt.proposed = not is_void
        if not is_void and outcome.kind in DOUBTFUL:
            with self._lock:
                self._doubts.add(attempt.stamp.key)
        self.tray.put(Proposal(outcome, is_void=is_void))

    def lost(self, attempt: Attempt) -> None:
        """A worker was killed: its thread may never come back to its lane."""
        lane = attempt.lane
        if lane is not None:
            with self._lock:
                self._forget(lane)
        self.on_lost(attempt)
