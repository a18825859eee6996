"""The coordinator: keeps so many workers alive, watches them, and knows when to stop.

It hands out examples in order, gives up those that are out of time, runs again what a
death from outside interrupted, and ends the run when all is counted or nothing more can
be. It only sends messages; the outcomes belong to the aggregator.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from dspex.core.example import Example
from dspex.evaluate.aggregator import Accepted, GetAccepted
from dspex.evaluate.journal import OpenAttempt, Roster
from dspex.evaluate.outcome import ErrorNote, Outcome, OutcomeKind, Stamp
from dspex.evaluate.steering import Course, Steering
from dspex.evaluate.worker import Propose, Work, WorkerActor
from supervisors import (
    Actor,
    ActorDownError,
    ChildSpec,
    DynamicSupervisor,
    ExitReason,
    Handle,
    ReplyFuture,
    Restart,
    Scope,
)
from supervisors.exits import NO_PROCESS

MAX_ATTEMPTS = 5
"""How often an example is tried whose worker dies from outside each time."""

PAUSE = 0.02
"""Seconds until work is handed out again when there was nobody to start workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run, as it was ordered."""

    run: str
    """Names the run."""
    examples: Sequence[Example]
    """What to work on, in order."""
    work: Work
    """What to do with each."""
    concurrency: int
    """Workers alive at a time."""
    timeout: float | None
    """Seconds one example may take; `None` for no limit."""
    max_errors: int | None
    """Failures after which the run stops; `None` for no limit."""
    context: contextvars.Context
    """What the caller's context was; each worker gets a copy of it."""
    steering: Steering | None = None
    """Who decides how far to go, instead of `max_errors`; `None` goes to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended."""

    reason: str
    """`complete`, `enough`, `cancelled`, `fatal` or `max_errors`."""
    outcome: Outcome | None = None
    """The outcome that ended it, for the last two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEnded:
    """A worker has ended. Cast by the monitor on it."""

    stamp: Stamp
    reason: ExitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfTime:
    """An attempt's deadline has come. Sent by a timer."""

    stamp: Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Give everything up. Cast by the run's handle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOut:
    """See whether work can be handed out. Sent by a timer."""


@dataclass(frozen=True, slots=True)
class _Begin:
    """Start handing out. Cast to oneself."""


Message = Accepted | WorkerEnded | OutOfTime | Cancel | HandOut | _Begin


class CoordinatorActor(Actor):
    """Decides who works on what."""

    def __init__(
        self,
        plan: Plan,
        roster: Roster,
        *,
        finished: ReplyFuture[Ended],
        aggregator: str,
        workers: str,
    ) -> None:
        super().__init__()
        self._plan = plan
        self._roster = roster
        self._finished = finished
        self._aggregator_name = aggregator
        self._workers_name = workers

    def on_start(self) -> None:
        """Take the roster over; find out what happened while nobody looked."""
        self._roster.inherit(self)
        names = self.surroundings.registry
        self._aggregator = Handle(names, self._aggregator_name)
        self._workers = DynamicSupervisor(names, self._workers_name)
        self.actor_ref.cast(_Begin())

    def on_receive(self, message: Message) -> None:
        """Hand each message to its method, then hand out what can be."""
        match message:
            case Accepted():
                self._settle(message.outcome)
            case WorkerEnded():
                self._worker_ended(message.stamp)
            case OutOfTime():
                self._out_of_time(message.stamp)
            case Cancel():
                self._end(Ended(reason="cancelled"))
            case HandOut():
                pass
            case _Begin():
                self._begin()
            case _:
                assert_never(message)
        self._hand_out()

    def _begin(self) -> None:
        accepted = self._aggregator.call(GetAccepted(), timeout=None, idempotent=True)
        for outcome in accepted:
            self._settle(outcome)
        for entry in tuple(self._roster.open.values()):
            self._watch(entry)

    # Handing out.

    def _hand_out(self) -> None:
        roster = self._roster
        while not self._finished.done() and len(roster.open) < self._course.at_once:
            stamp = self._next()
            if stamp is None:
                break
            if not self._start(stamp):
                return
        if not roster.open and not roster.again and self._all_handed_out():
            self._end(Ended(reason="complete"))

    @property
    def _course(self) -> Course:
        plan, total = self._plan, len(self._plan.examples)
        if plan.steering is not None:
            return plan.steering.course
        return Course(needed=total, until=total, at_once=plan.concurrency)

    def _all_handed_out(self) -> bool:
        return self._roster.next_example >= self._course.needed

    def _next(self) -> Stamp | None:
        roster = self._roster
        if roster.again:
            return roster.again.popleft()
        while roster.next_example < self._course.until:
            number = roster.next_example
            roster.next_example += 1
            # Settled before it began: a run that goes on from an earlier result.
            if (number, 0) not in roster.settled:
                return Stamp(run=self._plan.run, example=number)
        return None

    def _start(self, stamp: Stamp) -> bool:
        """Start a worker; `False` when those who start workers are not there now."""
        plan = self._plan
        scope = Scope(f"example {stamp.example}", tags=stamp.tags())
        entry = self._roster.open[stamp.key] = OpenAttempt(stamp, scope)
        spec = ChildSpec(
            id=f"example {stamp.example} attempt {stamp.attempt}",
            actor=WorkerActor,
            kwargs={
                "stamp": stamp,
                "example": plan.examples[stamp.example],
                "work": plan.work,
                "scope": scope,
                "begun": entry.begun,
                "context": plan.context,
                "aggregator": self._aggregator_name,
            },
            restart=Restart.TEMPORARY,
            shutdown="brutal_kill",
        )
        try:
            entry.ref = self._workers.start_child(spec)
        except ActorDownError:
            del self._roster.open[stamp.key]
            self._roster.again.appendleft(replace(stamp, attempt=stamp.attempt + 1))
            self.send_after(PAUSE, HandOut())
            return False
        if plan.timeout is not None:
            entry.deadline = self.surroundings.clock.monotonic() + plan.timeout
        self._watch(entry)
        return True

    def _watch(self, entry: OpenAttempt) -> None:
        me, stamp = self.actor_ref, entry.stamp
        if entry.ref is None:
            # We died between noting the attempt and starting its worker.
            me.cast(WorkerEnded(stamp=stamp, reason=NO_PROCESS))
            return
        entry.ref.monitor(
            lambda reason: me.cast(WorkerEnded(stamp=stamp, reason=reason))
        )
        # Also for a worker of before our restart: its timer died with our last life.
        if entry.deadline is not None:
            left = entry.deadline - self.surroundings.clock.monotonic()
            self.send_after(max(0.0, left), OutOfTime(stamp=stamp))

    # What comes back.

    def _settle(self, outcome: Outcome) -> None:
        roster = self._roster
        key = outcome.stamp.key
        if key in roster.settled:
            return
        steering = self._plan.steering
        if steering is not None:
            # Before we note it: a steering hears twice rather than not at all.
            steering.hear(outcome)
        roster.settled[key] = outcome
        if steering is not None:
            self._follow(steering.course)
        # What an earlier run left behind was judged then.
        elif outcome.stamp.run == self._plan.run:
            roster.errors += counts_as_error(outcome)
            self._judge(outcome)

    def _judge(self, outcome: Outcome) -> None:
        """See whether this outcome ends the run."""
        roster, plan = self._roster, self._plan
        if outcome.is_fatal:
            self._end(Ended(reason="fatal", outcome=outcome))
        elif plan.max_errors is not None and roster.errors >= plan.max_errors:
            self._end(Ended(reason="max_errors", outcome=outcome))

    def _follow(self, course: Course) -> None:
        """Give up what a steering needs no more."""
        if course.done:
            self._end(Ended(reason="enough"))
            return
        roster = self._roster
        for key, entry in tuple(roster.open.items()):
            if entry.stamp.example >= course.needed:
                self._give_up(entry, "enough is known without it")
                del roster.open[key]
        roster.again = deque(
            stamp for stamp in roster.again if stamp.example < course.needed
        )

    def _worker_ended(self, stamp: Stamp) -> None:
        entry = self._roster.open.get(stamp.key)
        if entry is None or entry.stamp != stamp:
            return
        del self._roster.open[stamp.key]
        if stamp.key in self._roster.settled or self._finished.done():
            return
        if entry.out_of_time:
            self._propose(entry, OutcomeKind.TIMEOUT, self._too_slow(stamp))
        elif entry.begun:
            text = (
                f"its worker was killed from outside after {entry.begun.names[-1]!r} "
                "had begun, which is marked retry=False and never run again"
            )
            self._propose(entry, OutcomeKind.INFRASTRUCTURE, text)
        elif stamp.attempt >= MAX_ATTEMPTS:
            text = f"its worker was killed from outside {stamp.attempt} times"
            self._propose(entry, OutcomeKind.INFRASTRUCTURE, text)
        else:
            # Somebody else's doing: run again, charged to nobody.
            again = replace(stamp, attempt=stamp.attempt + 1)
            self._roster.again.append(again)

    def _too_slow(self, stamp: Stamp) -> str:
        return (
            f"example {stamp.example} was not done after {self._plan.timeout:g} s and "
            "was given up. Give it more time with timeout=, or find out what hangs."
        )

    def _propose(self, entry: OpenAttempt, kind: OutcomeKind, text: str) -> None:
        error = ErrorNote(stage="runtime", type=kind.value, message=text, where="")
        outcome = Outcome(
            stamp=entry.stamp,
            kind=kind,
            stage="runtime",
            error=error,
            may_run_again=not entry.begun,
        )
        self._aggregator.call(Propose(outcome=outcome), timeout=None, idempotent=True)

    def _out_of_time(self, stamp: Stamp) -> None:
        entry = self._roster.open.get(stamp.key)
        if entry is not None and entry.stamp == stamp and entry.ref is not None:
            entry.out_of_time = True
            self._give_up(entry, "its time is over")

    @staticmethod
    def _give_up(entry: OpenAttempt, why: str) -> None:
        # The scope first: from now on every call of that thread is refused, so it
        # stops spending even though it cannot be killed.
        entry.scope.cancel(why)
        if entry.ref is not None:
            entry.ref.kill()

    def _end(self, ended: Ended) -> None:
        if self._finished.done():
            return
        for entry in tuple(self._roster.open.values()):
            self._give_up(entry, "the evaluation is over")
        self._roster.open.clear()
        self._finished.resolve(ended)


def counts_as_error(outcome: Outcome) -> bool:
    """Whether `max_errors` counts it.

    A model's answer that does not fit is a measurement of the model and not a mistake
    of the evaluation, so it does not count.
    """
    return outcome.kind not in (OutcomeKind.SCORED, OutcomeKind.MODEL)
