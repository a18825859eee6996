"""A supervisor in a `Simulation`: the real rules over pretended children."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, assert_never, cast

from supervisors._decide_common import RestartingMachine
from supervisors._effects import (
    Effect,
    GaveUp,
    Ignored,
    Outcome,
    Report,
    RetryLater,
    StartChild,
    Started,
    StartFailed,
    StartOutcome,
    Steps,
    StopChild,
    StopChildren,
)
from supervisors.child_spec import ChildSpec, ShutdownPolicy
from supervisors.exits import KILLED, NORMAL, SHUTDOWN, ExitReason, Failed
from supervisors.testing.simulation import (
    Receive,
    Script,
    Simulation,
    Sleep,
    Until,
    Waiting,
)

T = TypeVar("T")
Act = Generator[Waiting, Any, T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretended:
    """How one incarnation of a child behaves."""

    start: Literal["up", "fails", "ignores"] = "up"
    """How its start goes."""
    start_seconds: float = 0.0
    """How long that takes."""
    lives: float = math.inf
    """Seconds after which it ends by itself."""
    ends_with: ExitReason = NORMAL
    """Why it does."""
    stop_seconds: float = 0.0
    """How long it takes to end when it is asked to; `math.inf` is one that hangs."""


Behave = Callable[[ChildSpec, int], Pretended]
"""Says how the next incarnation behaves: of which spec, and the how many-th."""


class SimulatedChild:
    """One incarnation. Its supervisor's machine takes it for a ref."""

    def __init__(self, spec: ChildSpec, key: Hashable, number: int) -> None:
        self.spec = spec
        self.key = key
        self.number = number
        """The how many-th of its spec's id, from 1."""
        self.ended: ExitReason | None = None
        """Why it ended."""
        self.was_asked = False
        """Whether its supervisor wants its end."""
        self.outcome: StartOutcome | None = None
        """How its start went."""

    def __repr__(self) -> str:
        return f"<{self.spec.id} {self.number}>"


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of a supervisor's history."""

    what: Literal["start", "up", "end"]
    """A start begins, a child is up, or a child has ended."""
    child: SimulatedChild
    """Which incarnation."""
    at: float
    """When, in virtual seconds."""


@dataclass(frozen=True, slots=True)
class _Ended:
    child: SimulatedChild


@dataclass(frozen=True, slots=True)
class _Retry:
    key: Hashable


@dataclass(frozen=True, slots=True)
class _Call:
    ask: Callable[[Any], Steps[Any]]
    answers: list[Any]


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


class SimulatedSupervisor:
    """Drives a machine as a supervisor actor does, with others going on in between.

    It starts when the simulation runs. Children start late, fail, crash and hang as
    `behave` says.

    Example:
        >>> from supervisors import Actor
        >>> from supervisors._decide import Machine
        >>> specs = [ChildSpec(id=name, actor=Actor) for name in "ab"]
        >>> sim = Simulation(seed=1)
        >>> once = lambda spec, number: Pretended(lives=2 if number == 1 else math.inf)
        >>> top = SimulatedSupervisor(sim, Machine(specs), once)
        >>> sim.run()
        >>> top.reason, top.living
        (Shutdown(term=None), ())
    """

    def __init__(
        self, sim: Simulation, machine: RestartingMachine, behave: Behave
    ) -> None:
        self.machine: Any = machine
        """What decides."""
        self.history: list[Happened] = []
        """What became of the children, in order."""
        self.restarts: list[float] = []
        """When the machine was told of an end, or to retry, and started something."""
        self.reason: ExitReason | None = None
        """Why the supervisor ended, once it has."""
        self.gave_up: GaveUp | None = None
        """What it said when it gave up, if it did."""
        self._sim = sim
        self._behave = behave
        self._numbers: dict[str, int] = {}
        self._started = 0
        self._living: dict[SimulatedChild, None] = {}
        self.process = sim.spawn("supervisor", self._live())
        """Its process."""

    @property
    def living(self) -> tuple[SimulatedChild, ...]:
        """The children that have not ended, those that start included, oldest first."""
        return tuple(self._living)

    def call(self, ask: Callable[[Any], Steps[Any]]) -> list[Any]:
        """Have the machine do something when its turn comes.

        Returns:
            A list that gets the answer then, such as for
            `call(lambda machine: machine.restart_child("a"))`.
        """
        answers: list[Any] = []
        self.process.send(_Call(ask, answers))
        return answers

    def stop(self) -> None:
        """Have it stop, ahead of nothing: behind the messages that wait."""
        self.process.send(_Stop())

    def end_child(self, child: SimulatedChild, reason: ExitReason) -> None:
        """End a child from outside; nothing for a dead one."""
        if child.ended is None:
            child.ended = reason
            self._living.pop(child, None)
            self._tell("end", child)
            if isinstance(child.outcome, Started):
                self.process.send(_Ended(child))

    def _tell(self, what: Literal["start", "up", "end"], child: SimulatedChild) -> None:
        self.history.append(Happened(what, child, self._sim.now))
        self._sim.note(f"{what} {child!r}")

    # What the supervisor does.

    def _live(self) -> Script:
        self._obey((yield from self._drive(self.machine.start())))
        while self.reason is None:
            message = yield Receive()
            match message:
                case _Ended(child):
                    reason = child.ended
                    yield from self._restarting(
                        self.machine.child_ended(
                            child.key, child, reason, self._sim.now
                        )
                    )
                case _Retry(key):
                    steps = self.machine.retry(key, self._sim.now)
                    yield from self._restarting(steps)
                case _Call(ask, answers):
                    answers.append((yield from self._drive(ask(self.machine))))
                case _Stop():
                    yield from self._drive(self.machine.stop())
                    self.reason = SHUTDOWN

    def _obey(self, gave_up: GaveUp | None) -> None:
        if gave_up is not None:
            self.gave_up = gave_up
            self.reason = gave_up.reason

    def _restarting(self, steps: Steps[GaveUp | None]) -> Act[None]:
        at, before = self._sim.now, self._started
        gave_up = yield from self._drive(steps)
        if self._started > before:
            self.restarts.append(at)
        self._obey(gave_up)

    def _drive(self, steps: Steps[T]) -> Act[T]:
        outcome: Outcome = None
        while True:
            try:
                effect = steps.send(outcome)
            except StopIteration as done:
                return cast("T", done.value)
            # Others may go first between any two effects.
            yield Sleep()
            outcome = yield from self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> Act[Outcome]:
        match effect:
            case StartChild(spec, key):
                return (yield from self._start(spec, key))
            case StopChild(_, child, policy):
                yield from self._stop({child: policy})
                return cast("ExitReason", child.ended)
            case StopChildren(children):
                yield from self._stop({each.ref: each.shutdown for each in children})
            case RetryLater(key, after):
                self._retry_later(key, after)
            case Report():
                pass
            case _:
                assert_never(effect)
        return None

    def _start(self, spec: ChildSpec, key: Hashable) -> Act[StartOutcome]:
        self._started += 1
        number = self._numbers[spec.id] = self._numbers.get(spec.id, 0) + 1
        child = SimulatedChild(spec, key, number)
        self._living[child] = None
        self._tell("start", child)
        how = self._behave(spec, number)
        self._sim.spawn(repr(child), self._child_lives(child, how))
        if not (yield Until(lambda: child.outcome is not None, spec.start_timeout)):
            child.outcome = StartFailed(Failed("start timeout"))
            self.end_child(child, KILLED)
        return cast("StartOutcome", child.outcome)

    def _stop(self, policies: dict[SimulatedChild, ShutdownPolicy]) -> Act[None]:
        asked_at = self._sim.now
        for child, policy in policies.items():
            if policy == "brutal_kill":
                self.end_child(child, KILLED)
            child.was_asked = True
        for child, policy in policies.items():
            left = asked_at + _patience(policy) - self._sim.now
            if not (yield Until(_ended(child), max(0.0, left))):
                self.end_child(child, KILLED)

    def _retry_later(self, key: Hashable, after: float) -> None:
        def wait() -> Script:
            yield Sleep(after)
            self.process.send(_Retry(key))

        if after > 0:
            self._sim.spawn("timer", wait())
        else:
            self.process.send(_Retry(key))

    # What a child does.

    def _child_lives(self, child: SimulatedChild, how: Pretended) -> Script:
        yield Sleep(how.start_seconds)
        if child.ended is not None:
            return
        if how.start != "up":
            ignored = how.start == "ignores"
            child.outcome = Ignored() if ignored else StartFailed(how.ends_with)
            self.end_child(child, NORMAL if ignored else how.ends_with)
            return
        child.outcome = Started(child)
        self._tell("up", child)
        if (yield Until(lambda: child.was_asked or child.ended is not None, how.lives)):
            yield Until(_ended(child), how.stop_seconds)
            self.end_child(child, SHUTDOWN)
        else:
            self.end_child(child, how.ends_with)


def _patience(policy: ShutdownPolicy) -> float:
    match policy:
        case "brutal_kill":
            return 0.0
        case "infinity":
            return math.inf
        case seconds:
            return seconds


def _ended(child: SimulatedChild) -> Callable[[], bool]:
    return lambda: child.ended is not None
