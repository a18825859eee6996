"""Single flight in every order of events: nobody is forgotten, and one leads at most.

Callers ask, leave, die and lose patience; the store answers, late or never; the memory
restarts. Each run follows from its seed, which a failure prints.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from dspex.cache.flights import Flights, Move
from supervisors.testing import (
    Process,
    Receive,
    Script,
    Simulation,
    Sleep,
    explore,
    simulate,
)

SEEDS = 2_000
KEYS = ("k", "l")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller is told: the answer, or to lead."""

    leads: bool = False
    too_late: bool = False


@dataclass
class World:
    """The memory tier without actors: the machine, and who waits behind a name."""

    sim: Simulation
    answers_by_itself: bool = True
    """Whether the store ever answers; else only the memory's patience ends."""
    flights: Flights = field(default_factory=Flights)
    processes: dict[str, Process] = field(default_factory=dict)
    leading: dict[str, str] = field(default_factory=dict)
    """By key, who leads in this incarnation of the memory."""
    done: dict[str, str] = field(default_factory=dict)
    """By caller, how it ended."""
    calling: set[str] = field(default_factory=set)
    """Callers that have asked and read no reply yet."""
    incarnation: int = 0
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def ask(self, key: str, caller: str) -> None:
        move = self.flights.ask(key, caller, can_read=self.sim.choose(2) == 1)
        if move is Move.LEAD:
            self._lead(key, caller)
        if move is Move.READ:
            reading = self.flights.reading(key)
            assert reading is not None
            self.sim.spawn("the store", self._read(key, reading))

    def _lead(self, key: str, caller: str) -> None:
        # At most one leads: whoever led before has settled or left.
        assert self.leading.get(key, caller) == caller, f"{key} has two leaders"
        self.leading[key] = caller
        self.processes[caller].send(Answer(leads=True))

    def _read(self, key: str, reading: int) -> Script:
        born = self.incarnation
        yield Sleep(self.sim.random.choice([0.0, 0.05, 0.2]))
        if self.incarnation != born:
            return
        if self.answers_by_itself and self.sim.choose(2):
            self._tell(self.flights.found(key))
            return
        after = self.flights.not_found(key, reading)
        if after is not None:
            self._lead(key, after)

    def settle(self, key: str, caller: str) -> None:
        if self.leading.get(key) == caller:
            del self.leading[key]
        else:
            # The outcome of a call from before a restart: who leads now does so no
            # longer, and finds its own call answered.
            self.leading.pop(key, None)
        self._tell(self.flights.settle(key))

    def land(self, key: str, caller: str) -> None:
        if self.flights.is_led_by(key, caller):
            self.settle(key, caller)

    def leave(self, key: str, caller: str) -> None:
        if self.leading.get(key) == caller:
            del self.leading[key]
        after = self.flights.leave(key, caller)
        if after is not None:
            self._lead(key, after)

    def lose_patience(self, key: str, caller: str) -> None:
        if self.flights.expire(key, caller):
            self.processes[caller].send(Answer(too_late=True))

    def restart(self) -> None:
        """The memory dies: who waits for its answer asks the next incarnation."""
        self.incarnation += 1
        self.flights = Flights()
        self.leading.clear()
        for caller in sorted(self.calling):
            process = self.processes[caller]
            process.mailbox.clear()
            process.send("asked again")

    def _tell(self, waiting: tuple[str, ...]) -> None:
        assert len(set(waiting)) == len(waiting)
        for caller in waiting:
            self.processes[caller].send(Answer())

    # Callers.

    def start(self, key: str) -> str:
        caller = f"{key}{next(self.numbers)}"
        self.processes[caller] = self.sim.spawn(caller, self._live(key, caller))
        return caller

    def _live(self, key: str, caller: str) -> Script:
        self.calling.add(caller)
        self.ask(key, caller)
        patience = self.sim.random.choice([None, 0.1, 0.3])
        if patience is not None:
            self.sim.spawn(f"deadline of {caller}", self._deadline(key, caller))
        while True:
            told = yield Receive()
            if told == "asked again":
                self.ask(key, caller)
                continue
            break
        self.calling.discard(caller)
        assert isinstance(told, Answer)
        if not told.leads:
            self.done[caller] = "too late" if told.too_late else "answered"
            return
        yield from self._fetch(key, caller)

    def _deadline(self, key: str, caller: str) -> Script:
        yield Sleep(self.sim.random.choice([0.1, 0.3]))
        self.lose_patience(key, caller)

    def _fetch(self, key: str, caller: str) -> Script:
        yield Sleep(self.sim.random.choice([0.0, 0.1, 0.5]))
        if self.sim.choose(3) == 0:
            self.leave(key, caller)
            self.done[caller] = "left"
        else:
            if self.sim.choose(4):
                self.settle(key, caller)
                yield Sleep()
            # Else the client's word was lost, and the caller's own must do.
            self.land(key, caller)
            self.done[caller] = "answered"

    def restarts(self, count: int) -> Script:
        for _ in range(count):
            yield Sleep(self.sim.random.choice([0.0, 0.05, 0.3]))
            self.restart()

    def deaths(self, callers: list[str], count: int) -> Script:
        """Callers die while they wait or lead; their last words are that they leave."""
        for _ in range(count):
            yield Sleep(self.sim.random.choice([0.0, 0.1, 0.2]))
            caller = callers[self.sim.choose(len(callers))]
            process = self.processes[caller]
            if process.alive and not process.mailbox:
                process.kill()
                self.calling.discard(caller)
                self.done[caller] = "dead"
                self.leave(caller[0], caller)


def all_end_well(world: World) -> None:
    forgotten = world.processes.keys() - world.done.keys()
    assert not forgotten, f"nobody told {sorted(forgotten)}"
    assert len(world.flights) == 0
    assert not world.leading


def crowd(sim: Simulation) -> None:
    """Eight callers of two keys, deaths and restarts among them."""
    world = World(sim)
    callers = [world.start(KEYS[number % 2]) for number in range(8)]
    sim.spawn("restarts", world.restarts(sim.random.randrange(3)))
    sim.spawn("deaths", world.deaths(callers, sim.random.randrange(4)))
    sim.run()
    all_end_well(world)


def without_a_store(sim: Simulation) -> None:
    """The store never answers: the memory's patience ends each reading."""
    world = World(sim, answers_by_itself=False)
    for number in range(6):
        world.start(KEYS[number % 2])
    sim.run()
    all_end_well(world)


@pytest.mark.parametrize("scenario", [crowd, without_a_store])
def test_nobody_is_forgotten_and_one_leads_at_most(
    scenario: Callable[[Simulation], None],
) -> None:
    simulate(scenario, range(SEEDS))


def test_two_callers_of_one_key_in_every_order() -> None:
    def scenario(sim: Simulation) -> None:
        sim.random.choice = lambda options: options[0]  # type: ignore[method-assign,assignment] # all delays alike
        world = World(sim)
        world.start("k")
        world.start("k")
        sim.run()
        all_end_well(world)

    explored = explore(scenario)

    assert explored.complete
    assert explored.runs > 100


def test_a_machine_that_forgets_is_caught() -> None:
    """The simulation itself can fail: here a settled flight tells one caller less."""

    class Forgetful(Flights):
        def settle(self, key: str) -> tuple[str, ...]:
            return super().settle(key)[1:]

    def scenario(sim: Simulation) -> None:
        world = World(sim, flights=Forgetful())
        for _ in range(4):
            world.start("k")
        sim.run()
        all_end_well(world)

    with pytest.raises(AssertionError, match="nobody told"):
        simulate(scenario, range(50))
