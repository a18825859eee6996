"""The coordinator: keeps so many workers alive, watches them, and knows when to stop.

`Schedule` decides; this actor carries out. It prepares attempts on the floor, opens
lanes where workers take them, gives up those that are out of time, and ends the run. It
never waits for a worker, and the outcomes belong to the aggregator. One that died is
followed by one that makes a new schedule from what is settled and what is in hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from dspex.core.example import Example
from dspex.evaluate import steps as s
from dspex.evaluate.aggregator import (
    Accepted,
    GetStanding,
    RecordMoved,
    Recount,
    SentBack,
    Standing,
)
from dspex.evaluate.belongings import Belongings, Names, Outlook
from dspex.evaluate.comebacks import Comeback
from dspex.evaluate.deadlines import Limits, overdue
from dspex.evaluate.floor import Attempt
from dspex.evaluate.looking import where_is
from dspex.evaluate.outage import Sign
from dspex.evaluate.outcome import ErrorNote, Outcome, Stamp
from dspex.evaluate.plan import Ended
from dspex.evaluate.quarantine import Death
from dspex.evaluate.recording import Recording
from dspex.evaluate.schedule import Schedule
from dspex.evaluate.signs import only_waits, sign_of_waiting
from dspex.evaluate.source import StreamMoved, TakeExamples
from dspex.evaluate.steering import Steering
from dspex.evaluate.tray import Proposal
from dspex.evaluate.why import Planned
from dspex.evaluate.worker import spent_by
from dspex.evaluate.workers import ThreadWorkers
from supervisors import Actor, ActorDownError, Handle, StartError

RECORD = "the run's record"
"""What is away while the disk is full."""

PAUSE = 0.02
"""Seconds until lanes are opened again when there was nobody to run under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEnded:
    """A worker was ended from outside. Cast in the thread that ended it."""

    stamp: Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtTime:
    """Somebody may be overdue. Sent by a timer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOver:
    """The time of the whole run has passed. Sent by a timer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obey:
    """The wishes have changed. Cast by the run's handle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLanes:
    """Open what lanes there is work for. Sent by a timer, or cast by a closed lane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """Something that waits for its time may be due. Sent by a timer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOutlook:
    """What is yet to be handed out. Asked; the reply is an `Outlook`."""


Message = (
    Accepted | SentBack | WorkerEnded | StreamMoved | LookAtTime | RunOver | Obey
    | OpenLanes | Wake | GetOutlook | RecordMoved | Recount
)  # fmt: skip


class CoordinatorActor(Actor):
    """Carries out what the schedule decides."""

    _schedule: Schedule

    def __init__(self, belongings: Belongings, names: Names) -> None:
        super().__init__()
        self._plan = belongings.plan
        self._floor = belongings.floor
        self._source = belongings.source
        self._wishes = belongings.wishes
        self._workers = belongings.workers
        self._recording = belongings.recording
        self._finished = belongings.finished
        self._comebacks = belongings.comebacks
        self._standings = belongings.standings
        self._names = names
        self._configuration = 1

    def on_start(self) -> None:
        """Take the floor over; find out later what happened while nobody looked."""
        floor, registry, me = self._floor, self.surroundings.registry, self.actor_ref
        floor.inherit(self)
        floor.clock = self.surroundings.clock
        floor.on_lost = lambda attempt: me.cast(WorkerEnded(stamp=attempt.stamp))
        floor.on_refused = lambda: me.cast(OpenLanes())
        floor.on_record = lambda: me.cast(RecordMoved())
        floor.drop_unbegun()
        self._aggregator = Handle(registry, self._names.aggregator)
        self._stream = Handle(registry, self._names.source)
        self._workers.bind(registry, self._names.workers)
        if isinstance(self._workers, ThreadWorkers):
            floor.open_lane = self._workers.open_lane
        # Ahead of what others send it from the moment it has its name.
        self.continue_with()
        me.cast(LookAtTime())
        if self._plan.run_timeout is not None:
            if floor.run_over is None:
                floor.run_over = floor.clock.monotonic() + self._plan.run_timeout
            self.send_after(floor.run_over - floor.clock.monotonic(), RunOver())

    def on_continue(self, term: None = None) -> None:
        """Make the schedule, then begin."""
        del term
        if not self._finished.done():
            self._recount()
            self._open_lanes()

    def on_receive(self, message: Message) -> Outlook | None:  # noqa: C901 - a line a message
        """Hand each message to its method, then open what lanes there is work for."""
        if isinstance(message, GetOutlook):
            return self._outlook()
        if self._finished.done():
            return None
        match message:
            case Accepted():
                self._accepted(message)
            case SentBack():
                self._sent_back(message.comebacks)
                self._floor.clear_doubts(message.judged)
            case WorkerEnded():
                self._worker_ended(message.stamp)
            case StreamMoved():
                self._stream_moved()
            case LookAtTime():
                self._look_at_time()
            case RunOver():
                self._decide(s.Stop(ended=Ended(reason="time")))
            case Obey() | RecordMoved():
                self._obey()
            case Wake():
                self._decide(s.Tick())
            case OpenLanes():
                pass
            case Recount():
                self._recount()
            case _:
                assert_never(message)
        self._open_lanes()
        return None

    def _outlook(self) -> Outlook | None:
        if not hasattr(self, "_schedule"):
            # It has just begun, and has not counted yet.
            return None
        schedule, now = self._schedule, self._floor.clock.monotonic()
        return Outlook(
            planned=tuple(
                Planned(key=stamp.key, attempt=stamp.attempt, left=max(0.0, at - now))
                for stamp, at in schedule.waiting
            ),
            next_example=schedule.next_place[0],
            not_handed_out=schedule.not_handed_out,
            outages=tuple(schedule.outages),
            at=now,
        )

    # Beginning, also after a death.

    def _recount(self) -> None:
        """Make a new schedule from what is settled and what is in hand."""
        standing: Standing = self._aggregator.call(
            GetStanding(with_outcomes=self._plan.steering is not None),
            timeout=None,
            idempotent=True,
        )
        plan, floor, settled = self._plan, self._floor, standing.settled
        done = [
            attempt.stamp.key
            for attempt in floor.open_attempts()
            if attempt.stamp.example * plan.trials + attempt.stamp.trial in settled
        ]
        self._settle(done)
        in_hand = floor.open_attempts()
        self._configuration = 1
        self._schedule = Schedule(
            self._terms(), settled, (attempt.stamp for attempt in in_hand)
        )
        if plan.steering is not None:
            self._steer(plan.steering, standing.outcomes)
        # An outage that the last coordinator knew of is found again by who meets it.
        floor.pause(paused=self._wishes.is_paused)
        self._decide(s.Settle(keys=(), tally=standing.tally))
        self._obey()
        self._sent_back(standing.comebacks)
        # Who was to tell of what is judged may have died.
        floor.clear_doubts()
        if self._source.is_stream:
            self._stream_moved()
        for attempt in in_hand:
            if attempt.is_lost:
                self._worker_ended(attempt.stamp)

    def _terms(self) -> s.Terms:
        plan = self._plan
        return s.Terms(
            run=plan.run,
            in_hand=plan.in_hand,
            total=plan.total,
            trials=plan.trials,
            timeout=plan.timeout,
            metric_timeout=plan.metric_timeout,
            max_errors=plan.max_errors,
            attempts=plan.attempts,
            max_outage=plan.max_outage,
            is_steered=plan.steering is not None,
        )

    # What happened.

    def _accepted(self, message: Accepted) -> None:
        keys = [outcome.stamp.key for outcome in message.outcomes]
        self._settle(keys)
        if self._plan.steering is not None:
            # First: what it needs no more is not handed out for the places now free.
            self._steer(self._plan.steering, message.outcomes)
        self._decide(s.Settle(keys=keys, tally=message.tally))

    def _sent_back(self, comebacks: Iterable[Comeback]) -> None:
        for each in comebacks:
            self._decide(s.CameBack(stamp=each.stamp, wait=each.wait, sign=each.sign))

    def _settle(
        self, keys: Sequence[s.Key], why: str = "its example has an outcome"
    ) -> None:
        for attempt in self._floor.settle(keys):
            # It is needed no more: an earlier attempt was quicker, or enough is known.
            attempt.give_up(why)

    def _steer(self, steering: Steering, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            steering.hear(outcome)
        course = steering.course
        self._floor.set_concurrency(course.at_once)
        self._decide(s.Steer(course=course))

    def _worker_ended(self, stamp: Stamp) -> None:
        attempt = self._floor.attempt(stamp.key)
        if attempt is None or attempt.stamp != stamp or not attempt.is_lost:
            return
        self._decide(
            s.WorkerLost(
                stamp=stamp,
                begun=attempt.begun.names,
                overdue=attempt.overdue,
                sign=attempt.sign,
                deaths=self._deaths_with(attempt),
            )
        )

    def _deaths_with(self, attempt: Attempt) -> tuple[Death, ...]:
        """How the workers of an example died, with the one that just did."""
        floor, stamp, reason = self._floor, attempt.stamp, attempt.reason
        deaths = floor.deaths.get(stamp.key, ())
        is_known = any(death.attempt == stamp.attempt for death in deaths)
        if reason is not None and attempt.overdue is None and not is_known:
            seconds = floor.clock.monotonic() - attempt.began
            death = Death(attempt=stamp.attempt, reason=reason, seconds=seconds)
            deaths = floor.deaths[stamp.key] = (*deaths, death)
        return deaths

    def _stream_moved(self) -> None:
        source = self._source
        # Before the reading: what comes after it is told again.
        source.rung = False
        if source.is_used_up:
            self._decide(s.StreamEnded(count=source.taken, error=source.error))
        else:
            self._decide(s.Arrived(count=source.taken))

    def _look_at_time(self) -> None:
        limits = Limits(attempt=self._plan.timeout, metric=self._plan.metric_timeout)
        if limits.shortest is None:
            return
        running = [each for each in self._floor.open_attempts() if each.is_running]
        now = self._floor.clock.monotonic()
        late, look = overdue(running, limits, now)
        standings = self._standings() if late else ()
        for attempt, stage in late:
            attempt.overdue = stage
            # Before it is given up, which ends what it is at.
            attempt.where = where_is(attempt)
            attempt.sign = sign_of_waiting(attempt.stamp, standings)
            attempt.give_up("its time is over")
        if look is not None:
            self.send_after(look - now, LookAtTime())

    def _obey(self) -> None:
        wishes = self._wishes
        if wishes.is_cancelled:
            self._decide(s.Stop(ended=Ended(reason="cancelled")))
            return
        recording = self._recording
        if recording is not None and recording.fenced is not None:
            ended = Ended(reason="record", error=recording.fenced)
            self._decide(s.Stop(ended=ended))
            return
        if recording is not None:
            self._look_at_record(recording)
        if wishes.is_paused != self._schedule.paused:
            self._decide(s.Pause() if wishes.is_paused else s.Resume())
        # Its caller holds the floor at once; both wishes may have come together.
        self._floor.pause(paused=self._schedule.is_held)
        if wishes.concurrency is not None:
            self._floor.set_concurrency(wishes.concurrency)
            self._decide(
                s.SetInHand(
                    in_hand=self._plan.in_hand_with(wishes.concurrency),
                    configuration=wishes.configuration,
                )
            )

    def _look_at_record(self, recording: Recording) -> None:
        """Begin nothing whose outcome could not be written down."""
        trouble = recording.trouble
        is_known = any(each.what == RECORD for each in self._schedule.outages)
        if trouble is not None and not is_known:
            sign = Sign(what=RECORD, text=str(trouble), error=trouble)
            self._decide(s.OutageBegan(sign=sign))
        elif trouble is None and is_known:
            self._decide(s.OutageEnded(what=RECORD))

    # What is to be done.

    def _decide(self, event: s.Happened) -> None:
        floor = self._floor
        for effect in self._schedule.handle(event, floor.clock.monotonic()):
            match effect:
                case s.HandOut():
                    self._hand_out(effect.stamps)
                case s.Hold():
                    floor.pause(paused=effect.on)
                case s.LetThrough():
                    floor.let_through(self._attempt(effect.stamp))
                case s.WakeAt():
                    self.send_after(effect.at - floor.clock.monotonic(), Wake())
                case s.Fetch():
                    self._stream.cast(TakeExamples(upto=effect.upto))
                case s.Withdraw():
                    self._settle(effect.keys, "enough is known without it")
                case s.Propose():
                    self._propose(effect)
                case s.End():
                    self._end(effect.ended)
                case _:
                    assert_never(effect)

    def _hand_out(self, stamps: Sequence[Stamp]) -> None:
        floor = self._floor
        floor.hand_out([self._attempt(stamp) for stamp in stamps])
        if self._source.is_stream:
            self._source.forget(self._schedule.frontier)

    def _attempt(self, stamp: Stamp) -> Attempt:
        # Read only: the aggregator changes it in one step.
        latest = self._comebacks.latest.get(stamp.key)
        answered = 0 if latest is None else latest.past.answered
        example = self._example(stamp)
        return Attempt(stamp, example, self._floor, answered=answered)

    def _example(self, stamp: Stamp) -> Example:
        before = self._floor.attempt(stamp.key)
        return self._source.example(stamp.example) if before is None else before.example

    def _propose(self, effect: s.Propose) -> None:
        attempt, verdict = self._floor.attempt(effect.stamp.key), effect.verdict
        outcome = Outcome(
            stamp=effect.stamp,
            kind=verdict.kind,
            stage=verdict.stage,
            error=ErrorNote(
                stage=verdict.stage,
                type=verdict.kind.value,
                message=verdict.text,
                where="" if attempt is None else attempt.where,
            ),
            latency=0.0 if attempt is None else attempt.seconds,
            evidence=verdict.evidence,
            trace=() if attempt is None else attempt.traced(),
            may_run_again=attempt is None or not attempt.begun,
            **({} if attempt is None else spent_by(attempt)),
        )
        self._floor.tray.put(Proposal(outcome, is_decided=True))

    def _open_lanes(self) -> None:
        lanes = self._floor.wanted_lanes()
        for number, lane in enumerate(lanes):
            try:
                self._workers.open_lane(lane)
            except (ActorDownError, StartError):
                self._floor.close_lanes(lanes[number:])
                self.send_after(PAUSE, OpenLanes())
                return

    def _end(self, ended: Ended) -> None:
        at_work = [each for each in self._floor.close() if each.is_at_work]
        # Before they are given up, which ends their calls.
        standings = self._standings() if ended.outage is not None else ()
        for attempt in at_work:
            attempt.give_up("the evaluation is over")
        given_up = tuple(
            attempt.as_given_up()
            for attempt in at_work
            if attempt.has_shown or not only_waits(attempt.stamp, standings)
        )
        self._finished.resolve(replace(ended, given_up=given_up))
