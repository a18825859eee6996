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

from dspex.evaluate.results.outcome import Outcome, Stamp
from dspex.evaluate.running.aggregator import (
    Accepted,
    GetStanding,
    RecordMoved,
    Recount,
    SentBack,
    Standing,
)
from dspex.evaluate.running.attempts import Attempts
from dspex.evaluate.running.belongings import Belongings, Names, Outlook
from dspex.evaluate.running.comebacks import Comeback
from dspex.evaluate.running.plan import Ended
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.running.why import Planned
from dspex.evaluate.scheduling import steps as s
from dspex.evaluate.scheduling.outage import Sign
from dspex.evaluate.scheduling.schedule import Schedule
from dspex.evaluate.scheduling.source import StreamMoved, TakeExamples
from dspex.evaluate.scheduling.steering import Steering
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
        self._attempts = Attempts(belongings)
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
        if self._workers.opens_from_lanes:
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
        self._attempts.settle(done)
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
        self._attempts.settle(keys)
        if self._plan.steering is not None:
            # First: what it needs no more is not handed out for the places now free.
            self._steer(self._plan.steering, message.outcomes)
        self._decide(s.Settle(keys=keys, tally=message.tally))

    def _sent_back(self, comebacks: Iterable[Comeback]) -> None:
        for each in comebacks:
            self._decide(s.CameBack(stamp=each.stamp, wait=each.wait, sign=each.sign))

    def _steer(self, steering: Steering, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            steering.hear(outcome)
        course, wished = steering.course, self._wishes.concurrency
        if wished is not None:
            course = replace(course, at_once=min(course.at_once, wished))
        self._floor.set_concurrency(course.at_once)
        self._decide(s.Steer(course=course))

    def _worker_ended(self, stamp: Stamp) -> None:
        loss = self._attempts.loss_of(stamp)
        if loss is not None:
            self._decide(loss)

    def _stream_moved(self) -> None:
        source = self._source
        # Before the reading: what comes after it is told again.
        source.rung = False
        if source.is_used_up:
            self._decide(s.StreamEnded(count=source.taken, error=source.error))
        else:
            self._decide(s.Arrived(count=source.taken))

    def _look_at_time(self) -> None:
        now = self._floor.clock.monotonic()
        look = self._attempts.give_up_late(now)
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
        steering = self._plan.steering
        if wishes.concurrency is not None and steering is not None:
            self._steer(steering, ())
        elif wishes.concurrency is not None:
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
        floor, attempts = self._floor, self._attempts
        for effect in self._schedule.handle(event, floor.clock.monotonic()):
            match effect:
                case s.HandOut():
                    attempts.hand_out(effect.stamps, frontier=self._schedule.frontier)
                case s.Hold():
                    floor.pause(paused=effect.on)
                case s.LetThrough():
                    attempts.let_through(effect.stamp)
                case s.WakeAt():
                    self.send_after(effect.at - floor.clock.monotonic(), Wake())
                case s.Fetch():
                    self._stream.cast(TakeExamples(upto=effect.upto))
                case s.Withdraw():
                    attempts.settle(effect.keys, "enough is known without it")
                case s.Propose():
                    attempts.propose(effect.stamp, effect.verdict)
                case s.End():
                    self._end(effect.ended)
                case _:
                    assert_never(effect)

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
        for_an_outage = ended.outage is not None
        given_up = self._attempts.end_all(for_an_outage=for_an_outage)
        self._finished.resolve(replace(ended, given_up=given_up))
