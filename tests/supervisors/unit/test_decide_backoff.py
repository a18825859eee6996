"""Restarts that wait: planned, counted once, called off, growing and starting over."""

from __future__ import annotations

from typing import Any

from supervisors._decide import (
    ChildState,
    GaveUp,
    Ignored,
    Machine,
    Report,
    RetryLater,
    Started,
    StartFailed,
)
from supervisors.backoff import Backoff
from supervisors.child_spec import ChildSpec, Intensity, Restart, Strategy
from supervisors.exits import Failed, RestartLimitReached
from tests.supervisors.unit.driving import Driver, child

BOOM = Failed("boom")
BAD = Failed("bad")
BACKOFF = Backoff(initial=1.0, maximum=8.0, jitter=0.5, reset_after=60.0)


def _running(
    *specs: ChildSpec,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    most: int = 50,
    chance: float = 0.0,
) -> tuple[Machine, Driver]:
    machine = Machine(
        specs, strategy, Intensity(max_restarts=most), jitter=lambda: chance
    )
    driver = Driver()
    driver.run(machine.start())
    driver.did()
    return machine, driver


def _waiting(child_id: str) -> ChildSpec:
    return child(child_id, backoff=BACKOFF)


def _crash(machine: Machine, driver: Driver, child_id: str, now: float) -> Any:
    ref = driver.ref_of(child_id)
    del driver.alive[ref]
    return driver.run(machine.child_ended(child_id, ref, BOOM, now))


def _planned(driver: Driver) -> list[RetryLater]:
    planned = [effect for effect in driver.seen if isinstance(effect, RetryLater)]
    driver.seen.clear()
    return planned


def _states(machine: Machine) -> dict[str, str]:
    children = reversed(machine.which_children())
    return {status.spec.id: status.state.value for status in children}


def test_a_restart_waits_before_it_is_made() -> None:
    machine, driver = _running(_waiting("a"), child("b"))

    assert _crash(machine, driver, "a", now=5.0) is None

    assert driver.seen == [Report("child_exit", "a", BOOM), RetryLater("a", 1.0)]
    assert _states(machine) == {"a": "restarting", "b": "up"}
    assert machine.which_children()[1].ref is None
    driver.did()

    assert driver.run(machine.retry("a", now=6.0)) is None

    assert driver.told() == [Report("child_restart", "a", BOOM)]
    assert _states(machine) == {"a": "up", "b": "up"}


def test_chance_shortens_the_wait() -> None:
    machine, driver = _running(_waiting("a"), chance=0.5)

    _crash(machine, driver, "a", now=0.0)

    assert _planned(driver) == [RetryLater("a", 0.75)]


def test_a_restart_that_waits_is_counted_once() -> None:
    machine, driver = _running(_waiting("a"), most=1)

    assert _crash(machine, driver, "a", now=0.0) is None
    assert driver.run(machine.retry("a", now=1.0)) is None
    result = _crash(machine, driver, "a", now=2.0)

    assert result.cause == RestartLimitReached("a", BOOM, 1, 5.0)


def test_a_restart_over_the_limit_does_not_wait() -> None:
    machine, driver = _running(_waiting("a"), child("b"), most=0)

    result = _crash(machine, driver, "a", now=0.0)

    assert isinstance(result, GaveUp)
    assert driver.did() == ["stop b"]
    assert _states(machine) == {"a": "down", "b": "down"}


def test_a_failed_start_is_counted_and_waits_longer() -> None:
    machine, driver = _running(_waiting("a"), most=2)
    driver.starts["a"] = StartFailed(BAD)
    _crash(machine, driver, "a", now=0.0)
    driver.did()

    assert driver.run(machine.retry("a", now=1.0)) is None

    assert driver.told() == [Report("child_start_failed", "a", BAD)]
    assert _planned(driver) == [RetryLater("a", 2.0)]

    result = driver.run(machine.retry("a", now=3.0))

    assert isinstance(result, GaveUp)
    assert result.cause == RestartLimitReached("a", BAD, 2, 5.0)


def test_quick_failures_in_a_row_wait_longer_and_longer() -> None:
    machine, driver = _running(_waiting("a"))
    now, waits = 0.0, []
    for _ in range(5):
        _crash(machine, driver, "a", now)
        (planned,) = _planned(driver)
        waits.append(planned.after)
        now += planned.after
        driver.run(machine.retry("a", now))

    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0]


def test_a_child_that_stayed_up_long_enough_starts_over() -> None:
    waits = []
    for stayed in (59.0, 60.0):
        machine, driver = _running(_waiting("a"))
        _crash(machine, driver, "a", now=0.0)
        driver.run(machine.retry("a", now=1.0))
        driver.did()
        _crash(machine, driver, "a", now=1.0 + stayed)
        waits += [planned.after for planned in _planned(driver)]

    assert waits == [2.0, 1.0]


def test_a_child_that_was_restarted_by_hand_starts_over() -> None:
    machine, driver = _running(_waiting("a"))
    _crash(machine, driver, "a", now=0.0)
    driver.run(machine.terminate_child("a"))
    driver.run(machine.restart_child("a"))
    driver.did()

    _crash(machine, driver, "a", now=2.0)

    assert _planned(driver) == [RetryLater("a", 1.0)]


def test_terminating_a_child_calls_its_restart_off() -> None:
    machine, driver = _running(_waiting("a"))
    _crash(machine, driver, "a", now=0.0)
    driver.did()

    assert driver.run(machine.terminate_child("a")) is None
    assert driver.run(machine.retry("a", now=1.0)) is None

    assert driver.seen == []
    assert machine.state_of("a") is ChildState.DOWN


def test_the_message_of_a_restart_called_off_does_not_hasten_a_later_one() -> None:
    machine, driver = _running(_waiting("a"))
    _crash(machine, driver, "a", now=0.0)
    driver.run(machine.terminate_child("a"))
    driver.run(machine.restart_child("a"))
    _crash(machine, driver, "a", now=0.75)
    driver.did()

    assert driver.run(machine.retry("a", now=1.0)) is None

    assert driver.seen == [RetryLater("a", 0.75)]
    assert machine.state_of("a") is ChildState.RESTARTING

    driver.run(machine.retry("a", now=1.75))

    assert machine.state_of("a") is ChildState.UP


def test_a_group_is_stopped_at_once_and_started_after_the_delay() -> None:
    for strategy, stopped, started in (
        (Strategy.ONE_FOR_ALL, ["stop c", "stop a"], ["start a", "start b", "start c"]),
        (Strategy.REST_FOR_ONE, ["stop c"], ["start b", "start c"]),
    ):
        machine, driver = _running(
            child("a"), _waiting("b"), child("c"), strategy=strategy
        )

        _crash(machine, driver, "b", now=0.0)

        assert driver.did() == [*stopped, "retry b"]
        assert _states(machine)["c"] == "down"

        driver.run(machine.retry("b", now=1.0))

        assert driver.did() == started
        assert set(_states(machine).values()) == {"up"}


def test_a_temporary_sibling_of_a_waiting_group_is_forgotten() -> None:
    machine, driver = _running(
        child("t", Restart.TEMPORARY), _waiting("a"), strategy=Strategy.ONE_FOR_ALL
    )
    _crash(machine, driver, "a", now=0.0)

    driver.run(machine.retry("a", now=1.0))

    assert _states(machine) == {"a": "up"}


def test_a_sibling_that_fails_to_start_stops_its_group_and_waits_for_itself() -> None:
    machine, driver = _running(
        child("a"), _waiting("b"), strategy=Strategy.ONE_FOR_ALL, most=3
    )
    driver.starts["b"] = StartFailed(BAD)

    assert _crash(machine, driver, "a", now=0.0) is None

    assert driver.did() == ["stop b", "start a", "start b", "stop a", "retry b"]
    assert _states(machine) == {"a": "down", "b": "restarting"}
    driver.starts.clear()
    driver.run(machine.retry("b", now=1.0))
    assert _states(machine) == {"a": "up", "b": "up"}


def test_a_failing_sibling_without_backoff_is_retried_at_once() -> None:
    machine, driver = _running(
        _waiting("a"), child("b"), strategy=Strategy.ONE_FOR_ALL, most=2
    )
    driver.starts["b"] = StartFailed(BAD)
    _crash(machine, driver, "a", now=0.0)
    driver.did()

    assert driver.run(machine.retry("a", now=1.0)) is None

    assert _planned(driver) == [RetryLater("b", 0.0)]
    assert _states(machine) == {"a": "up", "b": "restarting"}

    assert driver.run(machine.retry("b", now=1.0)) is None
    result = driver.run(machine.retry("b", now=1.0))

    assert result is not None, "the retry of a failed start is counted"


def test_a_waiting_restart_may_be_ignored() -> None:
    machine, driver = _running(_waiting("a"))
    _crash(machine, driver, "a", now=0.0)
    driver.starts["a"] = Ignored()
    driver.did()

    assert driver.run(machine.retry("a", now=1.0)) is None

    assert driver.told() == []
    assert machine.state_of("a") is ChildState.DOWN


def test_a_waiting_child_can_be_neither_started_nor_deleted() -> None:
    machine, driver = _running(_waiting("a"))
    _crash(machine, driver, "a", now=0.0)

    errors: list[Any] = [
        driver.run(machine.restart_child("a")),
        driver.run(machine.delete_child("a")),
        driver.run(machine.start_child(child("a"))),
    ]

    assert [error.state for error in errors] == [
        "restarting",
        "restarting",
        "already_present",
    ]


def test_stopping_calls_off_what_waits() -> None:
    machine, driver = _running(_waiting("a"), child("b"))
    _crash(machine, driver, "a", now=0.0)
    driver.did()

    driver.run(machine.stop())
    driver.run(machine.retry("a", now=1.0))

    assert driver.did() == ["stop b"]
    assert _states(machine) == {"a": "down", "b": "down"}


def test_a_group_restart_by_another_child_makes_the_waiting_one_too() -> None:
    machine, driver = _running(
        child("a"), _waiting("b"), strategy=Strategy.REST_FOR_ONE
    )
    _crash(machine, driver, "b", now=0.0)

    _crash(machine, driver, "a", now=0.5)

    assert _states(machine) == {"a": "up", "b": "up"}
    driver.did()
    assert driver.run(machine.retry("b", now=1.0)) is None
    assert driver.seen == []


def test_the_message_of_a_restart_called_off_leaves_a_child_that_is_up_alone() -> None:
    machine, driver = _running(_waiting("a"))
    _crash(machine, driver, "a", now=0.0)
    driver.run(machine.terminate_child("a"))

    result = driver.run(machine.restart_child("a"))

    assert result == Started(driver.ref_of("a"))
    assert driver.run(machine.retry("a", now=1.0)) is None
    assert machine.state_of("a") is ChildState.UP
