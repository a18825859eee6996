"""Interleavings without threads: who goes next is drawn from a seed, and replayed.

A process is a generator. It runs without interruption from one `yield` to the next, and
what it yields says what it waits for. Time is virtual: it moves when nobody can go on,
to the nearest moment somebody waits for.

Use it for what is decided in plain functions and state machines: give each a process
that drives it, and try a thousand orders of events in a second. It knows no actors and
no threads; `SimulatedSupervisor` is a process of this kind for the supervisors' own
machines.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for a message, which is the value of the `yield`; `None` is a timeout."""

    timeout: float | None = None
    """Virtual seconds; `None` waits for ever."""


@dataclass(frozen=True, slots=True)
class Until:
    """Wait until something holds; the value of the `yield` says whether it does."""

    holds: Callable[[], bool]
    """Looked at again and again; it must change nothing."""
    timeout: float | None = None
    """Virtual seconds; `None` waits for ever."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait; 0 seconds let others go first, if the draw says so."""

    seconds: float = 0.0
    """Virtual ones; `math.inf` is for ever."""


Waiting = Receive | Until | Sleep
"""What a process can wait for."""

Script = Generator[Waiting, Any, None]
"""What a process does, from its start to its end."""


class Process:
    """One process of a simulation; made by `Simulation.spawn`."""

    def __init__(self, name: str, life: Script, now: float) -> None:
        self.name = name
        self.mailbox: deque[Any] = deque()
        """Messages that wait, oldest first."""
        self.alive = True
        """Whether it has not ended."""
        self._life = life
        self._waiting: Waiting = Sleep()
        self._due = now

    def __repr__(self) -> str:
        return f"<Process {self.name}>"

    def send(self, message: Any) -> None:
        """Add a message; one to a dead process is dropped."""
        if self.alive:
            self.mailbox.append(message)

    def kill(self) -> None:
        """End it between two of its steps. Not for a process to use on itself."""
        if self.alive:
            self._end()

    def ready(self, now: float) -> bool:
        """Whether it can go on."""
        return self._has_what_it_waits_for() or now >= self._due

    def due(self) -> float:
        """When it goes on at the latest."""
        return self._due

    def step(self, now: float) -> None:
        """Run it to its next `yield`."""
        try:
            self._waiting = self._life.send(self._answer())
        except StopIteration:
            self._end()
            return
        except BaseException:
            self._end()
            raise
        match self._waiting:
            case Sleep(seconds):
                self._due = now + seconds
            case Receive(timeout) | Until(_, timeout):
                self._due = math.inf if timeout is None else now + timeout

    def _has_what_it_waits_for(self) -> bool:
        match self._waiting:
            case Receive():
                return bool(self.mailbox)
            case Until(holds):
                return holds()
            case _:
                return False

    def _answer(self) -> Any:
        match self._waiting:
            case Receive():
                return self.mailbox.popleft() if self.mailbox else None
            case Until(holds):
                return holds()
            case _:
                return None

    def _end(self) -> None:
        self.alive = False
        self.mailbox.clear()
        self._life.close()


class Simulation:
    """Processes, a virtual clock, and a seed that decides who goes next.

    Example:
        Who comes first is chance, and the same chance for the same seed:

        >>> def racer(sim, name, finish):
        ...     yield Sleep(1.0)
        ...     finish.append((name, sim.now))
        >>> def race(seed):
        ...     sim, finish = Simulation(seed), []
        ...     for name in "abc":
        ...         racing = sim.spawn(name, racer(sim, name, finish))
        ...     sim.run()
        ...     return finish
        >>> race(1) == race(1), len({str(race(seed)) for seed in range(50)})
        (True, 6)
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed: int | None = seed
        """What the order follows from; `None` when `explore` decides."""
        self.random = random.Random(seed)  # noqa: S311 - to be repeated
        """For what else a scenario leaves to chance."""
        self.now = 0.0
        """Virtual seconds since the start."""
        self.steps = 0
        """Steps of all processes so far."""
        self.trace: list[str] = []
        """What happened, a line each: whoever made a step, and what `note` added."""
        self._processes: list[Process] = []
        self._draw: Callable[[int], int] = self.random.randrange

    def spawn(self, name: str, life: Script) -> Process:
        """Add a process. Its first step comes when the draw says so."""
        process = Process(name, life, self.now)
        self._processes.append(process)
        return process

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.now:g} s: {text}")

    def choose(self, count: int) -> int:
        """A number from 0 up to `count`: drawn from the seed, or tried in turn.

        For what the scenario leaves open, such as whether a child crashes. In
        `explore` every answer is tried.
        """
        return self._draw(count) if count > 1 else 0

    def run(
        self,
        *,
        until: Callable[[], bool] | None = None,
        max_steps: int = 100_000,
    ) -> None:
        """Let the processes go on until none can, or until `until` holds.

        Raises:
            AssertionError: After `max_steps`: they seem to go on for ever.
            BaseException: What a process raised.
        """
        last = self.steps + max_steps
        while until is None or not until():
            process = self._next()
            if process is None:
                return
            if self.steps >= last:
                msg = f"the processes still go on after {max_steps:,} steps"
                raise AssertionError(msg)
            self.steps += 1
            self.note(process.name)
            process.step(self.now)

    def _next(self) -> Process | None:
        """Draw who goes next; let time pass when nobody can go on now."""
        self._processes = [each for each in self._processes if each.alive]
        ready = [each for each in self._processes if each.ready(self.now)]
        if not ready:
            due = min((each.due() for each in self._processes), default=math.inf)
            if math.isinf(due):
                return None
            self.now = due
            ready = [each for each in self._processes if each.ready(self.now)]
        return ready[self.choose(len(ready))]


Scenario = Callable[[Simulation], object]
"""Sets processes up, runs them, and asserts what must hold."""

SHOWN_LINES = 20
"""How many of a failed run's last lines of trace are shown."""


def simulate(scenario: Scenario, seeds: Iterable[int]) -> None:
    """Run a scenario once for each seed.

    Raises:
        BaseException: What the first run raised that failed; a note on it has the seed
            and the end of the trace.
    """
    for seed in seeds:
        _run(scenario, Simulation(seed), f"seed {seed}: replay it with Simulation")


@dataclass(frozen=True, slots=True)
class Explored:
    """How far `explore` came."""

    runs: int
    """How many orders were run."""
    complete: bool
    """Whether those are all there are."""


def explore(scenario: Scenario, *, limit: int = 10_000) -> Explored:
    """Run a small scenario in every order there is, one after the other.

    The scenario must leave nothing to chance but what `Simulation.choose` answers.

    Args:
        scenario: Set up anew at each run.
        limit: How many runs at most; the number of orders grows very fast.

    Raises:
        BaseException: What the first run raised that failed; a note on it has the
            choices and the end of the trace.

    Example:
        >>> def scenario(sim):
        ...     def both(letters):
        ...         for letter in letters:
        ...             words.append(letter)
        ...             yield Sleep()
        ...     words = []
        ...     first, second = sim.spawn("ab", both("ab")), sim.spawn("x", both("x"))
        ...     sim.run()
        ...     seen.add("".join(words))
        >>> seen = set()
        >>> explored = explore(scenario)
        >>> sorted(seen), explored.complete
        (['abx', 'axb', 'xab'], True)
    """
    made: list[int] = []
    for run in range(1, limit + 1):
        sim = Simulation()
        sim.seed = None
        path = _Path(made)
        sim._draw = path.draw  # noqa: SLF001 - this module
        _run(scenario, sim, "choices so far", path.made)
        made = path.following()
        if not made:
            return Explored(run, complete=True)
    return Explored(limit, complete=False)


class _Path:
    """The choices of one run: those given, and then always the first."""

    def __init__(self, given: list[int]) -> None:
        self.made: list[int] = []
        self._given = given
        self._counts: list[int] = []

    def draw(self, count: int) -> int:
        at = len(self.made)
        choice = self._given[at] if at < len(self._given) else 0
        self.made.append(choice)
        self._counts.append(count)
        return choice

    def following(self) -> list[int]:
        """The next path in order; empty after the last."""
        for at in range(len(self.made) - 1, -1, -1):
            if self.made[at] + 1 < self._counts[at]:
                return [*self.made[:at], self.made[at] + 1]
        return []


def _run(
    scenario: Scenario, sim: Simulation, how: str, choices: list[int] | None = None
) -> None:
    try:
        scenario(sim)
    except BaseException as error:
        known = how if choices is None else f"{how}: {choices}"
        lines = "\n  ".join(sim.trace[-SHOWN_LINES:])
        error.add_note(f"{known}; step {sim.steps}, the end of the trace:\n  {lines}")
        raise
