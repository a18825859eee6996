"""One seed is one interleaving, and `explore` runs them all."""

from __future__ import annotations

import math
from typing import Any

import pytest

from supervisors.testing import (
    Receive,
    Script,
    Simulation,
    Sleep,
    Until,
    explore,
    simulate,
)


def counter(total: list[int]) -> Script:
    """Reads, lets others go first, and writes: loses updates when they do."""
    seen = total[0]
    yield Sleep()
    total[0] = seen + 1


def lost_update(sim: Simulation) -> None:
    total = [0]
    for name in "ab":
        sim.spawn(name, counter(total))
    sim.run()
    assert total == [2]


def test_a_race_is_found_by_some_seed_and_replayed_by_it() -> None:
    with pytest.raises(AssertionError) as caught:
        simulate(lost_update, range(100))

    (note,) = caught.value.__notes__
    seed = int(note.split(":")[0].removeprefix("seed "))
    assert "the end of the trace:\n  0 s: " in note
    for _ in range(3):
        with pytest.raises(AssertionError):
            lost_update(Simulation(seed))


def test_a_race_is_found_by_trying_all_orders() -> None:
    with pytest.raises(AssertionError) as caught:
        explore(lost_update)

    assert "choices so far: [0, 1" in caught.value.__notes__[0]


def test_all_orders_of_independent_steps_are_tried_once_each() -> None:
    seen: list[str] = []

    def scenario(sim: Simulation) -> None:
        word: list[str] = []

        def letters(of: str) -> Script:
            for letter in of:
                word.append(letter)
                yield Sleep()

        for letters_of_one in ("abc", "xy"):
            sim.spawn(letters_of_one, letters(letters_of_one))
        sim.run()
        seen.append("".join(word))

    explored = explore(scenario)

    assert explored.complete
    # 5! / (3! 2!) orders of the letters; the ends of the two give some of them twice.
    assert len(set(seen)) == 10
    assert explored.runs == len(seen)


def test_exploring_ends_at_its_limit_and_says_so() -> None:
    def scenario(sim: Simulation) -> None:
        sim.choose(3)
        sim.choose(3)

    assert explore(scenario, limit=8).complete is False
    assert explore(scenario, limit=9).complete is True


def test_the_same_seed_gives_the_same_trace_and_others_give_others() -> None:
    def trace(seed: int) -> list[str]:
        sim = Simulation(seed)
        for name in "abcd":
            sim.spawn(name, counter([0]))
        sim.run()
        return sim.trace

    assert trace(3) == trace(3)
    assert len({tuple(trace(seed)) for seed in range(30)}) > 10


def test_messages_come_in_order_and_a_timeout_is_none() -> None:
    sim = Simulation()
    got: list[Any] = []

    def reader() -> Script:
        for _ in range(3):
            got.append((yield Receive(timeout=2.0)))

    reading = sim.spawn("reader", reader())
    reading.send("first")
    reading.send("second")
    sim.run()

    assert got == ["first", "second", None]
    assert sim.now == 2.0
    assert not reading.alive
    reading.send("late")
    assert not reading.mailbox


def test_waiting_until_something_holds_says_whether_it_does() -> None:
    sim = Simulation()
    answers: list[bool] = []
    doors: list[str] = []

    def waits(timeout: float | None) -> Script:
        answers.append((yield Until(lambda: bool(doors), timeout)))

    def opens() -> Script:
        yield Sleep(5.0)
        doors.append("open")

    sim.spawn("impatient", waits(1.0))
    sim.spawn("patient", waits(None))
    sim.spawn("opens", opens())
    sim.run()

    assert answers == [False, True]
    assert sim.now == 5.0


def test_a_killed_process_goes_no_further() -> None:
    sim = Simulation()
    reached: list[str] = []

    def sleeper() -> Script:
        try:
            yield Sleep(1.0)
            reached.append("awake")
        finally:
            reached.append("closed")

    sleeping = sim.spawn("sleeper", sleeper())
    sim.run(until=lambda: sim.steps == 1)
    sleeping.kill()
    sleeping.kill()
    sim.run()

    assert reached == ["closed"]
    assert sim.now == 0.0


def test_what_a_process_raises_comes_out_of_run() -> None:
    def fails() -> Script:
        yield Sleep()
        raise ValueError("boom")

    sim = Simulation()
    failing = sim.spawn("fails", fails())

    with pytest.raises(ValueError, match="boom"):
        sim.run()
    assert not failing.alive


def test_processes_that_never_rest_are_stopped() -> None:
    def spins() -> Script:
        while True:
            yield Sleep()

    sim = Simulation()
    sim.spawn("spins", spins())

    with pytest.raises(AssertionError, match="still go on after 50 steps"):
        sim.run(max_steps=50)


def test_a_process_that_waits_for_ever_ends_the_run() -> None:
    def waits() -> Script:
        yield Sleep(math.inf)

    sim = Simulation()
    waiting = sim.spawn("waits", waits())
    sim.run()

    assert waiting.alive
    assert sim.steps == 1
