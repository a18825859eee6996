"""The floor of a run: who works on what, shared by coordinator and workers.

The coordinator puts attempts here ahead of time, and a worker's thread that is done
takes the next one itself; what came of it goes into the tray of the aggregator. Nobody
waits for anybody in between. All of it outlives the actors that use it: it belongs to
the run.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dspex.core.errors import RunFencedError
from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.scheduling.outage import DOUBTFUL
from dspex.evaluate.scheduling.quarantine import Death
from dspex.evaluate.working.attempt import Attempt
from dspex.evaluate.working.tray import Proposal, Tray
from dspex.evaluate.working.worker import AsyncWork, Work
from supervisors import (
    SYSTEM_CLOCK,
    ActorDownError,
    Clock,
    Estate,
    StartError,
)


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
        self._pid = os.getpid()
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
        self._left: tuple[Attempt, ...] = ()

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
        """End the work for good; what was in hand then, however often it is asked."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._left = tuple(self._open.values())
                self._open.clear()
                self._ready.clear()
        return self._left

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
        if self._pid != os.getpid():
            # A program has forked, and its child came back to us: all else is not ours.
            return None
        attempt = self._taken_by(lane)
        if attempt is None:
            if not self._lanes:
                # Nobody is left who could add to what waits there.
                self.tray.press()
        elif self._ready and not self._unbegun and len(self._lanes) < self._most:
            self._open_another()
        return attempt

    def _taken_by(self, lane: Lane) -> Attempt | None:
        with self._lock:
            if lane not in self._lanes:
                return None
            if not lane.begun:
                lane.begun = True
                self._unbegun -= 1
            attempt = self._next()
            if attempt is None:
                self._lanes.discard(lane)
            else:
                # In the same step: whoever settles its example sees who works on it.
                attempt.lane = lane
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
        is_doubtful = not is_void and outcome.kind in DOUBTFUL
        if is_doubtful:
            with self._lock:
                self._doubts.add(attempt.stamp.key)
        self.tray.put(Proposal(outcome, is_void=is_void))
        if is_doubtful:
            # Nothing is begun until it is judged.
            self.tray.press()

    def lost(self, attempt: Attempt) -> None:
        """A worker was killed: its thread may never come back to its lane."""
        lane = attempt.lane
        if lane is not None:
            with self._lock:
                self._forget(lane)
        self.on_lost(attempt)
