"""A run's actors, workers, stream, disk and caller, without threads.

Coordinator, aggregator and source are the real actors over the real schedule, floor,
journal and record. Any of them may be killed between two messages or crash at whatever
it tells another or writes down, messages are late, out of order and doubled, workers
die, the provider and the disk go away, and the process itself is killed and goes on
from its record. What comes out must be what an undisturbed run gives.
"""

from __future__ import annotations

import contextvars
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from dspex.core.errors import CircuitOpenError, LMConnectionError
from dspex.core.example import Example
from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind, note
from dspex.evaluate.running.aggregator import GATHER_FOR, AggregatorActor, Look
from dspex.evaluate.running.belongings import Belongings, Names, Wishes
from dspex.evaluate.running.coordinator import CoordinatorActor, Obey
from dspex.evaluate.running.journal import Journal
from dspex.evaluate.running.opening import last_attempts
from dspex.evaluate.running.plan import Ended, Plan
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.scheduling.quarantine import DEATHS
from dspex.evaluate.scheduling.retrying import RetryRules
from dspex.evaluate.scheduling.source import Source, SourceActor, unchecked
from dspex.evaluate.working.attempt import Attempt
from dspex.evaluate.working.floor import Floor, Lane
from dspex.evaluate.working.tray import Proposal, Tray
from dspex.evaluate.working.worker import Measured
from supervisors import ActorDownError, ExitReason, ReplyFuture
from supervisors.exits import KILLED, NO_PROCESS, NORMAL, SHUTDOWN
from supervisors.testing import Process, Script, Simulation, Sleep
from tests.simulation.evaluation_parts import (
    Life,
    Post,
    SimulatedRecord,
    SimulatedWorkers,
    WorkerRef,
)

RUN = "simulated"
TIMEOUT = 10.0
"""Seconds an attempt may take, where there is a limit."""
QUIET_AFTER = 60.0
"""Seconds after which nothing is disturbed any more."""
PATIENCE = 3_000.0
"""Seconds after which a run that has not ended stands still."""

Key = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What a run is like; drawn from its seed."""

    examples: int
    trials: int
    concurrency: int
    is_stream: bool
    is_recorded: bool
    has_timeout: bool
    hanging: float
    """Share of examples that never end, where there is a timeout."""
    broken: float
    """Share of examples whose program raises."""
    unlucky: float
    """Share of attempts that get no answer, at first."""
    crashing: float
    """Share of what actors tell others at which they crash."""
    late: float
    """Share of messages that are on their way for a while."""
    doubled: float
    """Share of messages that come twice."""
    proposed_twice: float
    """Share of outcomes that are handed in twice."""
    kills: int
    """How often an actor is killed."""
    worker_kills: int
    """How often a worker is."""
    process_kills: int
    """How often the whole process is; only with a record."""
    nobody_home: float
    """Share of lanes that find no supervisor to run under."""
    outage: tuple[float, float]
    """From when to when the provider is away."""
    full: tuple[float, float]
    """From when to when the disk is full."""
    meddling: int
    """How often the caller pauses, goes on, or changes the number of workers."""

    @classmethod
    def drawn(cls, sim: Simulation) -> Weather:
        draw = sim.random
        outage, full = draw.uniform(0.0, 15.0), draw.uniform(0.0, 15.0)
        is_recorded = draw.random() < 0.5
        return cls(
            examples=draw.choice([1, 3, 8, 20, 60]),
            trials=draw.choice([1, 1, 2, 3]),
            concurrency=draw.choice([1, 2, 4, 8]),
            is_stream=is_recorded and draw.random() < 0.4,
            is_recorded=is_recorded,
            has_timeout=draw.random() < 0.4,
            hanging=draw.choice([0.0, 0.1]),
            broken=draw.choice([0.0, 0.2]),
            unlucky=draw.choice([0.0, 0.0, 0.3]),
            crashing=draw.choice([0.0, 0.01, 0.1]),
            late=draw.choice([0.0, 0.1, 0.5]),
            doubled=draw.choice([0.0, 0.1, 0.5]),
            proposed_twice=draw.choice([0.0, 0.2]),
            kills=draw.choice([0, 3, 10]),
            worker_kills=draw.choice([0, 0, 5]),
            process_kills=draw.choice([0, 0, 1, 3]) if is_recorded else 0,
            nobody_home=draw.choice([0.0, 0.0, 0.2]),
            outage=(outage, outage + draw.choice([0.0, 0.0, 10.0])),
            full=(full, full + draw.choice([0.0, 0.0, 5.0])),
            meddling=draw.choice([0, 0, 5]),
        )


class DoublingTray(Tray):
    """Takes some proposals twice; counts what it took."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def put(self, proposal: Proposal) -> None:
        """Take a proposal once or twice."""
        world = self._world
        world.proposed += 1
        super().put(proposal)
        if world.is_disturbed(world.weather.proposed_twice, "outcomes doubled"):
            world.sim.spawn("outcome once more", self._once_more(proposal))

    def _once_more(self, proposal: Proposal) -> Script:
        yield Sleep(self._world.sim.random.choice([0.0, 0.0, 0.5, 3.0]))
        self._world.doubled[proposal.outcome.stamp.key] += 1
        super().put(proposal)


@dataclass(slots=True)
class Hidden:
    """What the examples are really like, whoever works on them and how often."""

    hanging: set[int] = field(default_factory=set)
    broken: set[int] = field(default_factory=set)

    def outcome(self, attempt: Attempt) -> Outcome:
        """What an attempt at an example comes to when nothing disturbs it."""
        number = attempt.stamp.example
        if number in self.broken:
            error = ZeroDivisionError(f"example {number} is broken")
            return Outcome(
                stamp=attempt.stamp,
                kind=OutcomeKind.PROGRAM,
                stage="program",
                error=note(error, "program"),
            )
        return Outcome(
            stamp=attempt.stamp,
            kind=OutcomeKind.SCORED,
            score=(number % 5) / 4,
            prediction={"answer": f"a{number}.{attempt.stamp.trial}"},
        )

    def expected(self, key: Key) -> tuple[OutcomeKind, float | None, Any]:
        """What must be counted for an example and trial."""
        number, trial = key
        if number in self.hanging:
            return OutcomeKind.TIMEOUT, None, None
        if number in self.broken:
            return OutcomeKind.PROGRAM, None, None
        answer = {"answer": f"a{number}.{trial}"}
        return OutcomeKind.SCORED, (number % 5) / 4, answer


class World:
    """One run, through all the processes that work on it."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.weather = weather = Weather.drawn(sim)
        self.hidden = Hidden(
            hanging=self._some(weather.hanging if weather.has_timeout else 0.0),
            broken=self._some(weather.broken),
        )
        self.names = Names(run=RUN)
        self.proposed = 0
        self.doubled: Counter[Key] = Counter()
        self.accepted: Counter[Key] = Counter()
        self.unanswered: Counter[Key] = Counter()
        self.deaths: Counter[Key] = Counter()
        self.processes = 0
        self.refused = 0
        self.disturbances: Counter[str] = Counter()
        self.record: SimulatedRecord | None = None
        if weather.is_recorded:
            made = SimulatedRecord.create(
                RunPlace(run=RUN, home=None),
                RunHead(
                    run=RUN,
                    created=0.0,
                    version="0",
                    trials=weather.trials,
                    total=None if weather.is_stream else weather.examples,
                ),
                wall_clock=lambda: sim.now,
            )
            self.record = cast("SimulatedRecord", made)
            self.record.is_full = self.is_disk_full

    def _some(self, share: float) -> set[int]:
        numbers = range(self.weather.examples)
        return {number for number in numbers if self.sim.random.random() < share}

    # What is drawn.

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is disturbed any more, so that the run can end."""
        return self.sim.now > QUIET_AFTER

    def is_disturbed(self, share: float, what: str) -> bool:
        """Whether something that happens to such a share happens now."""
        happens = not self.is_quiet and self.sim.random.random() < share
        self.disturbances[what] += happens
        return happens

    def crashes(self) -> bool:
        """Whether the actor at work crashes here."""
        return self.is_disturbed(self.weather.crashing, "crashes")

    def delay(self) -> float:
        """Seconds a message is on its way."""
        is_late = self.is_disturbed(self.weather.late, "messages late")
        return self.sim.random.choice([0.001, 0.1, 3.0]) if is_late else 0.0

    def doubles(self) -> bool:
        """Whether it comes twice."""
        return self.is_disturbed(self.weather.doubled, "messages doubled")

    def is_disk_full(self) -> bool:
        """Whether nothing can be written now."""
        begins, ends = self.weather.full
        return begins <= self.sim.now < ends

    def is_away(self) -> bool:
        """Whether the provider is not there now."""
        begins, ends = self.weather.outage
        return begins <= self.sim.now < ends

    # The run, one process after another.

    def run(self) -> None:
        """Let processes work on the run until one has ended it."""
        kills = self.weather.process_kills
        while True:
            self.processes += 1
            process = RunProcess(self)
            if kills:
                kills -= 1
                killed_at = self.sim.now + self.sim.random.uniform(0.0, 10.0)
                self._go_on(process, until=killed_at)
            else:
                self._go_on(process)
            if process.finished.done():
                process.end()
                self.check_end(process)
                return
            process.vanish()
            self.disturbances["processes killed"] += 1

    def _go_on(self, process: RunProcess, until: float = PATIENCE) -> None:
        sim = self.sim
        # Somebody has to be there for time to pass.
        alarm = sim.spawn("alarm", _alarm(until - sim.now))
        sim.run(until=lambda: process.finished.done() or not alarm.alive)
        if alarm.alive:
            alarm.kill()
        elif until == PATIENCE:
            raise AssertionError(f"the run stands still: {process}")

    # What must hold.

    def check_end(self, process: RunProcess) -> None:
        """Each place has its one outcome, and nothing is left open."""
        weather = self.weather
        self.refused = process.journal.tally.refused
        ended: Ended = process.finished.get()
        assert ended.reason == "complete", ended
        keys = [(n, t) for n in range(weather.examples) for t in range(weather.trials)]
        assert set(process.journal.settled) == set(range(len(keys)))
        assert not process.floor.open_attempts()
        assert not process.floor.tray.look(1)
        assert not process.journal.comebacks.latest
        assert process.journal.tally.accepted == len(keys)
        counted = self._counted(process, keys)
        for key, outcome in zip(keys, counted, strict=True):
            assert outcome is not None, f"{key} has no outcome"
            assert outcome.stamp.key == key
            found = (outcome.kind, outcome.score, outcome.prediction)
            assert found == self.hidden.expected(key), f"{key}: {outcome}"
        if self.processes == 1:
            assert set(self.accepted) == set(keys)
            assert set(self.accepted.values()) <= {1}, "something was counted twice"
        if self._only_doubles():
            assert process.journal.tally.refused == sum(self.doubled.values())

    def _counted(
        self, process: RunProcess, keys: Sequence[Key]
    ) -> list[Outcome | None]:
        held = process.journal.outcomes
        if self.record is None:
            return [held.get(key) for key in keys]
        kept = list(self.record.outcomes(stop=len(keys)))
        for key, outcome in zip(keys, kept, strict=True):
            if key in held:
                assert outcome is not None
                assert (outcome.stamp, outcome.score) == (
                    held[key].stamp,
                    held[key].score,
                )
        return kept

    def _only_doubles(self) -> bool:
        """Whether nothing but what was handed in twice can have been refused."""
        weather = self.weather
        begins, ends = weather.outage
        return (
            self.processes == 1
            and not weather.worker_kills
            and not weather.unlucky
            and not self.hidden.hanging
            and not weather.has_timeout
            and begins == ends
        )


class RunProcess:
    """One operating-system process that works on the run, from start to end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.post = Post(world.sim, world)
        weather, record = world.weather, world.record
        self.recording = (
            None
            if record is None
            else Recording(record, wall_clock=lambda: world.sim.now)
        )
        goes_on = record is not None and world.processes > 1
        examples = [
            Example(number=number).with_inputs("number")
            for number in range(weather.examples)
        ]
        self.plan = Plan(
            run=RUN,
            examples=iter(examples) if weather.is_stream else examples,
            work=_nobody_works,
            concurrency=weather.concurrency,
            trials=weather.trials,
            timeout=TIMEOUT if weather.has_timeout else None,
            attempts=last_attempts(record) if goes_on and record is not None else {},
            context=contextvars.copy_context(),
            max_outage=PATIENCE,
        )
        keeps = not weather.is_stream
        self.journal = CountingJournal(world, keeps=keeps, rules=RetryRules())
        if record is not None:
            self.journal.go_on(record.settled(), record.totals())
        self.floor = Floor(
            self.plan.work, self.plan.context, weather.concurrency, self.recording
        )
        self.floor.tray = DoublingTray(world)
        self.floor.tray.ring = self._ring
        self.finished: ReplyFuture[Ended] = ReplyFuture()
        self.wishes = Wishes()
        self.source = Source(self.plan.examples, unchecked)
        if record is not None:
            record.crashes = lambda: self.post.at_work is not None and world.crashes()
        self._workers: list[Worker] = []
        self._helpers: list[Process] = []
        self._start()

    def __str__(self) -> str:
        """How it stands, for a test that failed."""
        floor, latest = self.floor, self.journal.comebacks.latest
        shown = [
            f"{each.stamp.key}#{each.stamp.attempt} lane {each.lane is not None} "
            f"proposed {each.proposed} ended {each.reason} overdue {each.overdue}, "
            f"came back {[latest[k].stamp for k in latest if k == each.stamp.key]}"
            for each in floor.open_attempts()
        ]
        return (
            f"{len(self.journal.settled)} settled, {floor.lanes} lanes, held: "
            f"{floor.is_held}, waiting: {floor.tray.look(9)}; open: {shown}"
        )

    def _start(self) -> None:
        names, world = self.world.names, self.world
        belongings = Belongings(
            plan=self.plan,
            floor=self.floor,
            source=self.source,
            comebacks=self.journal.comebacks,
            wishes=self.wishes,
            workers=SimulatedWorkers(self._open_lane),
            recording=self.recording,
            finished=self.finished,
            standings=tuple,
        )
        self.post.add(
            names.aggregator,
            lambda: AggregatorActor(
                self.journal,
                self.floor.tray,
                names.coordinator,
                self.recording,
                gather_for=GATHER_FOR,
                chance=world.sim.random.random,
            ),
        )
        if self.source.is_stream:
            self.post.add(
                names.source, lambda: SourceActor(self.source, names.coordinator)
            )
        self.post.add(names.coordinator, lambda: CoordinatorActor(belongings, names))
        for script in (self._killing(), self._killing_workers(), self._meddling()):
            self._helpers.append(world.sim.spawn("fate", script))

    def _ring(self) -> None:
        life = self.post.whereis(self.world.names.aggregator)
        if life is not None:
            at_work, self.post.at_work = self.post.at_work, None
            life.cast(Look())
            self.post.at_work = at_work

    def _life(self, role: str) -> Life:
        return self.post.life(f"run {RUN}/{role}")

    # Disturbances.

    def _killing(self) -> Script:
        draw = self.world.sim.random
        roles = ["aggregator", "coordinator"]
        roles += ["source"] * self.source.is_stream
        for _ in range(self.world.weather.kills):
            yield Sleep(draw.expovariate(0.5))
            if not self.world.is_quiet:
                self.post.kill(f"run {RUN}/{draw.choice(roles)}")
                self.world.disturbances["actors killed"] += 1

    def _killing_workers(self) -> Script:
        draw = self.world.sim.random
        for _ in range(self.world.weather.worker_kills):
            yield Sleep(draw.expovariate(0.5))
            # One death more, and the example is set aside with the evidence.
            working = [
                each
                for each in self._workers
                if each.is_alive
                and self.world.deaths[each.attempt.stamp.key] < DEATHS - 1
            ]
            if working:
                worker = draw.choice(working)
                self.world.deaths[worker.attempt.stamp.key] += 1
                worker.end(KILLED)
                self.world.disturbances["workers killed"] += 1

    def _meddling(self) -> Script:
        draw, wishes = self.world.sim.random, self.wishes
        for _ in range(self.world.weather.meddling):
            yield Sleep(draw.expovariate(0.5))
            match draw.choice(["pause", "go on", "number"]):
                case "pause":
                    wishes.is_paused = True
                    self.floor.pause(paused=True)
                case "go on":
                    wishes.is_paused = False
                case _:
                    wishes.configuration += 1
                    wishes.concurrency = draw.randint(1, 8)
            self._obey()
        wishes.is_paused = False
        self._obey()

    def _obey(self) -> None:
        life = self.post.whereis(self.world.names.coordinator)
        if life is not None:
            life.cast(Obey())

    # Lanes and workers.

    def _open_lane(self, lane: Lane) -> None:
        if self.world.is_disturbed(self.world.weather.nobody_home, "lanes refused"):
            raise ActorDownError("workers", NO_PROCESS)
        self.world.sim.spawn("lane", self._lane_life(lane))

    def _lane_life(self, lane: Lane) -> Script:
        yield Sleep()
        while (attempt := lane.next_task()) is not None:
            if self.world.is_disturbed(self.world.weather.nobody_home, "lanes refused"):
                lane.refused(attempt, ActorDownError("workers", NO_PROCESS))
                return
            worker = Worker(self, attempt)
            self._workers.append(worker)
            yield from worker.work()
            self._workers.remove(worker)
            if worker.was_killed:
                return

    # Its end.

    def end(self) -> None:
        """End the branch in order, as a supervisor does."""
        names = self.world.names
        self._stop_helpers()
        self.post.close(names.coordinator).end(SHUTDOWN)
        if self.source.is_stream:
            self.post.close(names.source).end(SHUTDOWN)
        for worker in list(self._workers):
            worker.end(KILLED)
        aggregator = self.post.close(names.aggregator)
        aggregator.end(SHUTDOWN)
        aggregator._actor.on_end(SHUTDOWN)
        if self.recording is not None:
            self.recording.close("complete", {})

    def vanish(self) -> None:
        """Be gone as after `kill -9`: only what the record has stays."""
        self._stop_helpers()
        self.world.sim._processes.clear()

    def _stop_helpers(self) -> None:
        for helper in self._helpers:
            helper.kill()


class CountingJournal(Journal):
    """Notes what is counted, so that a second time is seen."""

    def __init__(self, world: World, *, keeps: bool, rules: RetryRules) -> None:
        super().__init__(world.weather.trials, keeps=keeps, rules=rules)
        self._world = world

    def accept_all(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """Count outcomes."""
        counted = super().accept_all(outcomes)
        self._world.accepted.update(outcome.stamp.key for outcome in counted)
        return counted


class Worker:
    """One attempt at work on its lane."""

    def __init__(self, process: RunProcess, attempt: Attempt) -> None:
        self.attempt = attempt
        self.is_alive = True
        self.was_killed = False
        self._process = process
        self._world = process.world

    def work(self) -> Script:
        """Work on the example, hand the outcome in, and end."""
        world, attempt, floor = self._world, self.attempt, self._process.floor
        attempt.started(WorkerRef(lambda: self.end(KILLED)))  # type: ignore[arg-type] # as far as an attempt needs it
        yield Sleep(self._seconds())
        # Also when it was killed meanwhile: its thread knows nothing of that.
        floor.propose(attempt, self._outcome())
        yield Sleep()
        self._end(NORMAL)
        del world

    def end(self, reason: ExitReason) -> None:
        """End it from outside."""
        self.was_killed = self.was_killed or self.is_alive
        self._end(reason)

    def _end(self, reason: ExitReason) -> None:
        if not self.is_alive:
            return
        self.is_alive = False
        post = self._process.post
        # What is told here is told by nobody who can crash.
        at_work, post.at_work = post.at_work, None
        try:
            self.attempt.ended(reason)
        finally:
            post.at_work = at_work

    def _seconds(self) -> float:
        draw = self._world.sim.random
        if self.attempt.stamp.example in self._world.hidden.hanging:
            return draw.choice([30.0, 200.0])
        return draw.choice([0.0, 0.0, draw.uniform(0.0, 3.0)])

    def _outcome(self) -> Outcome:
        world, attempt = self._world, self.attempt
        if world.is_away():
            error: Exception = CircuitOpenError("away", retry_in=1.0, model="m")
            return self._failed(error)
        key = attempt.stamp.key
        # The fifth would count.
        if world.unanswered[key] < 4 and world.is_disturbed(
            world.weather.unlucky, "attempts without answer"
        ):
            world.unanswered[key] += 1
            return self._failed(LMConnectionError("broke"))
        return world.hidden.outcome(attempt)

    def _failed(self, error: Exception) -> Outcome:
        told: ErrorNote = note(error, "program")
        return Outcome(
            stamp=self.attempt.stamp,
            kind=OutcomeKind.INFRASTRUCTURE,
            stage="program",
            error=told,
        )


def _alarm(seconds: float) -> Script:
    yield Sleep(max(0.0, seconds))


def _nobody_works(example: Example) -> Measured:
    raise AssertionError(f"the worker of {example} is a process of the simulation")
