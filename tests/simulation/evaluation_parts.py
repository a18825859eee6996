"""What stands in for threads, mailboxes, workers and a disk in a simulated run.

The actors are the real ones. Only what carries them is not: a mailbox here may lose its
order and hold a message twice, an actor may crash at whatever it tells somebody, and
each of these is drawn from the seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, Protocol, cast

from dspex.core.errors import RecordFullError
from dspex.evaluate.record.entries import Entry, Intent
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.working.floor import Lane
from dspex.evaluate.working.workers import ThreadWorkers
from supervisors import Actor, ActorDownError, Crashed, Events, ExitReason, Registry
from supervisors.exits import KILLED, NO_PROCESS
from supervisors.surroundings import Surroundings
from supervisors.testing import Process, Receive, Simulation, Sleep


class InjectedCrash(Exception):  # noqa: N818 - nobody is to take it for a mistake
    """What an actor crashes with here."""


class Chances(Protocol):
    """What the world draws for those that carry its actors."""

    def crashes(self) -> bool:
        """Whether whoever is at work crashes now."""

    def delay(self) -> float:
        """Seconds a message is on its way."""

    def doubles(self) -> bool:
        """Whether it comes twice."""


class VirtualClock:
    """The simulation's time, for actors."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self._sim.now

    def subscribe(self, poke: Callable[[], None]) -> Callable[[], None]:
        """Never poke: timers here are processes of the simulation."""
        del poke
        return lambda: None


class Post:
    """Names, and the mailboxes behind them: in the place of a tree's registry."""

    def __init__(self, sim: Simulation, chances: Chances) -> None:
        self.sim = sim
        self.chances = chances
        self.changes = 0
        self.at_work: Life | None = None
        """Whose handler runs at this moment."""
        self._lives: dict[str, Life] = {}
        self._begin: dict[str, Callable[[], Actor]] = {}

    def add(self, name: str, begin: Callable[[], Actor]) -> None:
        """Start an actor and keep it in its place."""
        self._begin[name] = begin
        self.start(name)

    def start(self, name: str) -> Life:
        """Start the next incarnation, unless there is one."""
        living = self._lives.get(name)
        if living is not None and living.is_alive():
            return living
        self.changes += 1
        life = Life(self, name, self._begin[name]())
        self._lives[name] = life
        return life

    def kill(self, name: str, reason: ExitReason = KILLED) -> None:
        """End an actor from outside; its supervisor starts another."""
        life = self._lives[name]
        if life.is_alive():
            life.end(reason)
            self.restart_later(name)

    def restart_later(self, name: str) -> None:
        """Let a supervisor see the end of an actor, soon."""

        def restarting() -> Any:
            yield Sleep(self.sim.random.choice([0.0, 0.001, 0.5]))
            self.start(name)

        self.sim.spawn(f"supervisor of {name}", restarting())

    def close(self, name: str) -> Life:
        """Let an actor be restarted no more."""
        self._begin.pop(name)
        return self._lives[name]

    def life(self, name: str) -> Life:
        """The last incarnation of that name."""
        return self._lives[name]

    # What `supervisors.Handle` asks a registry.

    def whereis(self, name: str) -> Life | None:
        """The living one of that name."""
        life = self._lives.get(name)
        return life if life is not None and life.is_alive() else None

    def resolve(self, name: str) -> Life:
        """The same, or an error."""
        life = self.whereis(name)
        if life is None:
            raise ActorDownError(name, NO_PROCESS)
        return life

    def await_name(self, name: str, timeout: float | None = None) -> Life:
        """Wait for it: here the next incarnation starts at once."""
        del timeout
        return self.start(name)


class Life:
    """One incarnation of an actor: its ref, its mailbox and its thread in one."""

    def __init__(self, post: Post, name: str, actor: Actor) -> None:
        self.name = name
        self._post = post
        self._actor = actor
        self._is_ready = False
        here: Any = actor
        here._actor_ref = self
        here.send_after = self._send_after
        actor.surroundings = Surroundings(
            registry=cast("Registry", post),
            events=Events(),
            clock=VirtualClock(post.sim),
        )
        self._process: Process = post.sim.spawn(name, self._living())

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.alive

    def cast(self, message: Any) -> None:
        """Send; whoever does may crash before or after it."""
        post = self._post
        sender, chances = post.at_work, post.chances
        if sender is not None and chances.crashes():
            raise InjectedCrash(f"{sender.name} before {type(message).__name__}")
        for _ in range(2 if chances.doubles() else 1):
            self._arrive_after(chances.delay(), message)
        if sender is not None and chances.crashes():
            raise InjectedCrash(f"{sender.name} after {type(message).__name__}")

    def call(self, message: Any, timeout: float | None = None) -> Any:
        """Ask; it first does what it has in its mailbox."""
        del timeout
        caller, self._post.at_work = self._post.at_work, None
        try:
            self._make_ready()
            while self._process.mailbox:
                self._actor.on_receive(self._process.mailbox.popleft())
            return self._actor.on_receive(message)
        finally:
            self._post.at_work = caller

    def end(self, reason: ExitReason) -> None:
        """End it between two of its messages."""
        self._process.kill()
        self._actor.life.leave_thread()
        if isinstance(reason, Crashed):
            self._actor.on_end(reason)

    def _living(self) -> Any:
        yield Sleep()
        try:
            self._at_work(self._make_ready)
            while True:
                message = yield Receive()
                self._at_work(self._actor.on_receive, message)
        except InjectedCrash as crash:
            self._post.sim.note(f"crash of {crash}")
        self._actor.life.leave_thread()
        self._actor.on_end(Crashed(InjectedCrash()))
        self._post.restart_later(self.name)

    def _make_ready(self) -> None:
        if not self._is_ready:
            self._is_ready = True
            self._actor.on_start()
            while self._actor._continuations:
                self._actor.on_continue(self._actor._continuations.pop(0))

    def _at_work(self, step: Callable[..., object], *arguments: Any) -> None:
        self._post.at_work = self
        try:
            step(*arguments)
        finally:
            self._post.at_work = None

    def _send_after(self, seconds: float, message: Any) -> None:
        self._arrive_after(max(0.0, seconds), message)

    def _arrive_after(self, seconds: float, message: Any) -> None:
        if not seconds:
            self._process.send(message)
            return

        def arriving() -> Any:
            yield Sleep(seconds)
            self._process.send(message)

        if not math.isinf(seconds):
            self._post.sim.spawn(f"message to {self.name}", arriving())


class WorkerRef:
    """A worker, as an attempt knows it."""

    def __init__(self, on_kill: Callable[[], None]) -> None:
        scope = SimpleNamespace(cancel=lambda _why: None)
        self.life = SimpleNamespace(scope=scope, thread=None)
        self._on_kill = on_kill

    def kill(self) -> bool:
        """End it from outside."""
        self._on_kill()
        return True


class SimulatedWorkers(ThreadWorkers):
    """Opens lanes as processes of the simulation, if anybody is there to run under."""

    def __init__(self, open_one: Callable[[Lane], None]) -> None:
        self._open_one = open_one

    def bind(self, registry: Registry, name: str) -> None:
        """There is nobody to find."""

    def open_lane(self, lane: Lane) -> None:
        """Open one.

        Raises:
            ActorDownError: There is nobody now.
        """
        self._open_one(lane)


class SimulatedRecord(RunRecord):
    """A record in memory whose disk may be full, and whose owner may crash at it."""

    is_full: Callable[[], bool] = staticmethod(lambda: False)
    crashes: Callable[[], bool] = staticmethod(lambda: False)

    def commit(self, entries: Sequence[Entry], **options: Any) -> None:
        """Commit, unless the disk is full."""
        self._check()
        if self.crashes():
            raise InjectedCrash("the aggregator before a commit")
        super().commit(entries, **options)
        if self.crashes():
            raise InjectedCrash("the aggregator after a commit")

    def announce(self, intent: Intent) -> None:
        """Announce, unless the disk is full."""
        self._check()
        super().announce(intent)

    def _check(self) -> None:
        if self.is_full():
            raise RecordFullError("it is full", run=self.place.run, path=None)
