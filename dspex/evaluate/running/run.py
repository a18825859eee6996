"""One run under the tree: starts its branch, waits for its end, ends it in order.

The caller only waits here, so a Ctrl-C, a cancelled task or a notebook's interrupt
reaches the run as a message and never kills the part that hands out work.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self, TypeVar

from dspex.client.call import ATTEMPT
from dspex.core.errors import EvaluationError
from dspex.core.events import RUN_START, RUN_STOP
from dspex.core.spawner import the_spawner
from dspex.evaluate.record.reader import Status, Worked
from dspex.evaluate.running.aggregator import GetStanding, Look
from dspex.evaluate.running.answers import offer
from dspex.evaluate.running.belongings import Belongings, Names, Wishes
from dspex.evaluate.running.branch import run_branch
from dspex.evaluate.running.coordinator import Obey
from dspex.evaluate.running.earlier import Earlier
from dspex.evaluate.running.explaining import explained
from dspex.evaluate.running.journal import Journal, RequestLog, Tally
from dspex.evaluate.running.left_open import given_up_among, left_open
from dspex.evaluate.running.live import LiveEvaluation, join, leave
from dspex.evaluate.running.plan import Ended, Plan
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.running.why import Explained, Waiting, in_short
from dspex.evaluate.scheduling.source import Check, Source, unchecked
from dspex.evaluate.working.floor import Floor
from dspex.evaluate.working.workers import ThreadWorkers, Workers
from dspex.runtime import tree
from dspex.runtime.runtime import Runtime
from supervisors import (
    ActorDownError,
    CallTimeoutError,
    ChildSpec,
    DynamicSupervisor,
    ExitReason,
    Handle,
    ReplyFuture,
    last_words,
)
from supervisors.scope import check_scopes, current_scopes

T = TypeVar("T")

COUNT_WITHIN = 1.0
"""Seconds for outcomes that wait to be counted, after a second Ctrl-C."""
SETTLE_WITHIN = 2.0
"""Seconds to wait at a run's end for the fate of requests that were given up."""


def new_run_id() -> str:
    """A name for a run that has none; sorted, they are in the order of beginning."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return f"{moment}-{uuid.uuid4().hex[:8]}"


async def _aside(step: Callable[[], T]) -> T:
    return await the_spawner().in_thread(step, label="a run's beginning or end")


class Run:
    """A run, as its caller holds it. A context manager: leaving it ends the branch.

    Args:
        runtime: The tree to run in.
        plan: What was ordered.
        earlier: What was measured before; the final outcomes are kept.
        check: What each example of a stream has to pass.
        workers: What carries out the work; threads unless given.
        recording: What is written of it; `None` keeps no record.
    """

    def __init__(
        self,
        runtime: Runtime,
        plan: Plan,
        earlier: Earlier,
        *,
        check: Check = unchecked,
        workers: Workers | None = None,
        recording: Recording | None = None,
    ) -> None:
        known = earlier.outcomes
        self.plan = plan
        self.recording = recording
        self.left_open = {each.stamp.key: each for each in known if not each.is_settled}
        """By example and trial: open outcomes of what was begun and is not counted."""
        self.runtime = runtime
        """The tree it runs in."""
        self._names = Names(run=plan.run)
        # Of a stream nothing is kept here that its record has.
        keeps = recording is None or plan.total is not None
        self._journal = Journal(plan.trials, known, keeps=keeps, rules=plan.retry)
        if recording is not None:
            record = recording.record
            self._journal.go_on(record.settled(), record.totals())
        self._floor = Floor(plan.work, plan.context, plan.concurrency, recording)
        self._source = Source(plan.examples, check)
        self._wishes = Wishes()
        self._workers = ThreadWorkers() if workers is None else workers
        self._finished: ReplyFuture[Ended] = ReplyFuture()
        self._closed = threading.Event()
        self._requests = RequestLog(plan.run, recording, earlier.requests, self._fenced)
        self._refused_before = earlier.refused
        # What was measured before took, and what earlier owners of its record did.
        self._before = Worked(seconds=earlier.seconds, restarts=earlier.restarts)
        if recording is not None:
            self._before += recording.record.worked_before
        self._began = time.monotonic()
        self._took: float | None = None
        self._restarts_before = 0
        self._live = LiveEvaluation(self)
        self._restarts = 0

    def __enter__(self) -> Self:
        runtime = self.runtime
        self._aggregator = self._handle(self._names.aggregator)
        self._floor.tray.ring = self._ring
        evaluations = DynamicSupervisor(runtime.start().registry, tree.EVALUATIONS)
        self._restarts_before = runtime.restarts
        self._handler = runtime.events.attach(self._requests, ATTEMPT)
        self._began = time.monotonic()
        offer()
        # Before its first example begins, which may look for its run.
        join(self._live)
        try:
            # Whole, also when whoever begins it is given up meanwhile: a branch that
            # was still being started would belong to nobody.
            with last_words():
                self._branch = evaluations.start_child(self._spec())
            self._branch.monitor(self._branch_ended)
        except BaseException:
            # Nothing of it has begun, so whoever goes on finds its record free.
            leave(self._live)
            runtime.events.detach(self._handler)
            if self.recording is not None:
                self.recording.record.let_go()
            raise
        try:
            self._tell_of_start()
            check_scopes(current_scopes())
        except BaseException as error:
            with last_words():
                self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is not None:
                self.cancel()
            self._branch.shutdown()
            self._branch.wait(10.0)
            # What was given up is being broken off; its fate comes a moment later.
            self._requests.wait_settled(SETTLE_WITHIN)
        except KeyboardInterrupt:
            # A second Ctrl-C: nobody waits for an end in order any more.
            self._abandon()
            raise
        finally:
            leave(self._live)
            self.runtime.events.detach(self._handler)
            # After its branch has ended, which has told of its own by then.
            self._restarts = self.runtime.restarts - self._restarts_before
            self._took = time.monotonic() - self._began
            self._leave_open()
            if self.recording is not None:
                self._close(self.recording)
            self._closed.set()
            self._tell_of_end()

    def _tell_of_start(self) -> None:
        measured = {"trials": self.plan.trials}
        if self.plan.total is not None:
            measured["examples"] = self.plan.total
        self.runtime.events.emit(RUN_START, measured, run=self.plan.run)

    def _tell_of_end(self) -> None:
        measured = {"seconds": self.seconds, "outcomes": self.tally.accepted}
        name, status = self.plan.run, self._status()
        self.runtime.events.emit(RUN_STOP, measured, run=name, status=status)

    async def __aenter__(self) -> Self:
        """Begin as `with` does; the running loop goes on meanwhile."""
        beginning = asyncio.ensure_future(_aside(self.__enter__))
        try:
            await asyncio.shield(beginning)
        except asyncio.CancelledError:
            # It is not to be left half begun.
            await beginning
            await self.__aexit__(asyncio.CancelledError, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Cancelled once more, nobody waits for the end, which comes all the same.
        await asyncio.shield(_aside(lambda: self.__exit__(kind, error, trace)))

    def _leave_open(self) -> None:
        """Say of what was in hand that it is not measured."""
        journal, ended = self._journal, self._ended()
        if ended is None:
            # It did not come to an end of its own: its parts are gone, or abandoned.
            given_up = given_up_among(self._floor.close(), journal.comebacks.begun)
            ended = Ended(reason="cancelled", given_up=given_up)
        self.left_open |= left_open(ended, journal.comebacks.begun)
        self.left_open = {
            key: outcome
            for key, outcome in self.left_open.items()
            if not journal.has(key)
        }

    def _abandon(self) -> None:
        """Begin nothing more, count what waits for it, and end all parts at once."""
        self._floor.close()
        try:
            self._floor.tray.press()
            with contextlib.suppress(ActorDownError, CallTimeoutError):
                # Answered behind what is in the tray.
                self._aggregator.call(GetStanding(), timeout=COUNT_WITHIN)
        finally:
            self._branch.kill()

    def _close(self, recording: Recording) -> None:
        # This owner's own: whoever reads the record adds them up.
        facts = {"seconds": self._took, "restarts": self._restarts}
        recording.close(self._status(), facts, tuple(self.left_open.values()))

    def _ended(self) -> Ended | None:
        """How it ended; `None` when its own parts could not go on."""
        finished = self._finished
        return None if not finished.done() or finished.failed() else finished.get()

    def _status(self) -> Status:
        ended = self._ended()
        if ended is None or ended.reason == "cancelled":
            return "interrupted"
        return "complete" if ended.reason in ("complete", "enough") else "stopped"

    # What the caller does.

    def wait(self, tick: float, on_tick: Callable[[Tally], None]) -> Ended:
        """Wait for the end, calling `on_tick` about every `tick` seconds.

        Raises:
            EvaluationError: The run's own branch gave up.
        """
        while not self._finished.wait(tick):
            on_tick(self.tally)
        on_tick(self.tally)
        ended: Ended = self._finished.get()
        return ended

    async def await_end(self, tick: float, on_tick: Callable[[Tally], None]) -> Ended:
        """Do as `wait` does, on the running loop."""
        while not await self._ends_within(tick):
            on_tick(self.tally)
        on_tick(self.tally)
        ended: Ended = self._finished.get()
        return ended

    async def _ends_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._finished
        return self._finished.done()

    def cancel(self, within: float = 10.0) -> None:
        """Give up what is not done, and wait until that is so.

        Args:
            within: Seconds to wait at most.
        """
        self._wishes.is_cancelled = True
        self._obey()
        self._finished.wait(within)

    def pause(self, *, paused: bool) -> None:
        """Begin nothing more, or go on."""
        wishes = self._wishes
        if paused != wishes.is_paused:
            wishes.paused_at = self._floor.clock.monotonic() if paused else None
            wishes.is_paused = paused
            if paused:
                # At once; the coordinator hears of it a moment later.
                self._floor.pause(paused=True)
            self._obey()

    def set_concurrency(self, concurrency: int) -> None:
        """Work on so many examples at a time from now on."""
        self._wishes.configuration += 1
        self._wishes.concurrency = concurrency
        self._obey()

    def _fenced(self) -> None:
        # In the client's thread: whoever works asks nothing more from now on.
        for attempt in self._floor.open_attempts():
            attempt.give_up("another owner took the run over")
        self._obey()

    def _obey(self) -> None:
        # Else there is nobody, or a new one that sees the wishes when it begins.
        # Also from work that was given up itself, and ends what it has begun.
        with last_words():
            self._handle(self._names.coordinator).cast(Obey())

    def why(self) -> tuple[Waiting, ...]:
        """What each open example waits for, as far as that is known just now."""
        return self.explain().waiting

    def explain(self, timeout: float = 1.0) -> Explained:
        """What each open example waits for, and who did not say.

        Args:
            timeout: Seconds the coordinator may take, and after it the clients.
        """
        return explained(
            self.plan.run,
            self.runtime,
            self._handle(self._names.coordinator),
            self._floor,
            paused_at=self._wishes.paused_at,
            timeout=timeout,
        )

    def waits_for(self) -> str:
        """What holds it up, in a few words; empty when nothing does."""
        return "" if self.finished else in_short(self.why())

    @property
    def finished(self) -> bool:
        """Whether it has ended, though not everything may be cleaned up."""
        return self._finished.done()

    def wait_closed(self, timeout: float) -> bool:
        """Wait until it has ended and its record is closed; whether it is."""
        return self._closed.wait(timeout)

    @property
    def state(self) -> str:
        """A word for where it is: `ending`, `paused`, `held` or `running`."""
        if self.finished:
            return "ending"
        if self._wishes.is_paused:
            return "paused"
        return "held" if self._floor.is_held else "running"

    @property
    def concurrency(self) -> int:
        """How many examples are worked on at a time."""
        changed = self._wishes.concurrency
        return self.plan.concurrency if changed is None else changed

    @property
    def journal(self) -> Journal:
        """What was accepted; read it when the branch has ended."""
        return self._journal

    @property
    def tally(self) -> Tally:
        """How far it is; the dollars are those of all its requests."""
        tally, cost = self._journal.tally, self._requests.cost
        return tally if cost is None else replace(tally, cost=cost)

    @property
    def taken(self) -> int:
        """Examples taken from a stream, in this process."""
        return self._source.taken

    @property
    def requests(self) -> RequestLog:
        """The requests made."""
        return self._requests

    @property
    def restarts(self) -> int:
        """Parts of the tree restarted while it ran, this run's own included.

        Earlier owners of its record are counted too.
        """
        return self._before.restarts + self._restarts

    @property
    def refused(self) -> int:
        """Outcomes that came late or twice, those of an earlier result included."""
        return self._refused_before + self._journal.tally.refused

    @property
    def seconds(self) -> float:
        """Wall time since it began, or until its end; and that of earlier owners."""
        took = time.monotonic() - self._began if self._took is None else self._took
        return self._before.seconds + took

    # The branch.

    def _handle(self, name: str) -> Handle:
        return Handle(self.runtime.start().registry, name)

    def _ring(self) -> None:
        # Also when a worker that was given up rings: the bell is not its own.
        with last_words():
            self._aggregator.cast(Look())

    def _spec(self) -> ChildSpec:
        intensity = tree.branch_intensity(self.runtime.config)
        return run_branch(self._belongings(), self._names, self._journal, intensity)

    def _belongings(self) -> Belongings:
        return Belongings(
            plan=self.plan,
            floor=self._floor,
            source=self._source,
            wishes=self._wishes,
            workers=self._workers,
            recording=self.recording,
            finished=self._finished,
            standings=self.runtime.standings,
            comebacks=self._journal.comebacks,
        )

    def _branch_ended(self, reason: ExitReason) -> None:
        gave_up = self._branch.life.gave_up or reason
        self._finished.reject(
            EvaluationError(f"the evaluation's own parts could not go on: {gave_up}")
        )
