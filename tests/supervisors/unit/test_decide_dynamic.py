"""What a dynamic supervisor decides, beyond what the golden traces show."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from supervisors._decide_dynamic import DynamicMachine
from supervisors._effects import (
    ChildCounts,
    ChildState,
    ChildStatus,
    GaveUp,
    Ignored,
    Report,
    RetryLater,
    StartChild,
    Started,
    StartFailed,
    StopChild,
    StopChildren,
)
from supervisors.actor import Actor
from supervisors.backoff import Backoff
from supervisors.child_spec import ChildSpec, Intensity, Restart
from supervisors.errors import (
    ChildNotFoundError,
    ChildStateError,
    ConfigError,
    StartError,
)
from supervisors.exits import NORMAL, SHUTDOWN, Failed, RestartLimitReached
from tests.supervisors.unit.driving import Driver, child

BOOM = Failed("boom")
BAD = Failed("bad")


def _running(
    *specs: ChildSpec, most: int = 5, **options: Any
) -> tuple[DynamicMachine, Driver]:
    machine = DynamicMachine(Intensity(max_restarts=most), **options)
    driver = Driver()
    driver.run(machine.start())
    for spec in specs:
        assert isinstance(driver.run(machine.start_child(spec)), Started)
    driver.did()
    return machine, driver


def _crash(
    machine: DynamicMachine, driver: Driver, child_id: str, now: float = 0.0
) -> Any:
    ref = driver.ref_of(child_id)
    del driver.alive[ref]
    return driver.run(machine.child_ended(driver.keys[ref], ref, BOOM, now))


def _states(machine: DynamicMachine) -> dict[str, str]:
    return {each.spec.id: each.state.value for each in machine.which_children()}


# Starting


def test_nothing_is_there_at_the_start() -> None:
    machine, driver = _running()

    assert len(machine) == 0
    assert machine.which_children() == ()
    assert driver.run(machine.start()) is None
    assert driver.seen == []


def test_children_may_share_an_id_and_are_told_apart_by_their_keys() -> None:
    machine, driver = _running()
    spec = child("a")

    for _ in range(2):
        driver.run(machine.start_child(spec))

    assert driver.seen == [StartChild(spec, 1), StartChild(spec, 2)]
    assert machine.which_children() == tuple(
        ChildStatus(spec, ChildState.UP, ref) for ref in driver.alive
    )
    assert len(machine) == 2


def test_a_child_that_does_not_run_is_not_kept() -> None:
    machine, driver = _running()
    driver.starts = {"a": StartFailed(BAD), "b": Ignored()}

    error = driver.run(machine.start_child(child("a")))
    ignored = driver.run(machine.start_child(child("b")))

    assert isinstance(error, StartError)
    assert error.reason == BAD
    assert str(error).startswith("child 'a' did not start (failed: bad)")
    assert ignored == Ignored()
    assert len(machine) == 0


def test_no_more_children_than_allowed_are_started() -> None:
    machine, driver = _running(child("a"), child("b"), max_children=2)

    error = driver.run(machine.start_child(child("c")))

    assert driver.seen == []
    assert isinstance(error, ChildStateError)
    assert (error.child_id, error.state) == ("c", "max_children")
    assert str(error).startswith("this supervisor has 2 children, its max_children;")


def test_a_child_that_waits_for_its_restart_takes_a_place() -> None:
    machine, driver = _running(child("a"), max_children=1)
    driver.starts["a"] = StartFailed(BAD)
    _crash(machine, driver, "a")

    refused = driver.run(machine.start_child(child("b")))
    (waiting,) = driver.keys
    driver.run(machine.terminate_child(waiting))

    assert isinstance(refused, ChildStateError)
    assert isinstance(driver.run(machine.start_child(child("b"))), Started)


def test_a_limit_of_no_children_makes_sense_and_a_negative_one_does_not() -> None:
    machine, driver = _running(max_children=0)

    assert isinstance(driver.run(machine.start_child(child("a"))), ChildStateError)
    with pytest.raises(ConfigError, match=r"^max_children is -1; .*Pass 0 or more"):
        DynamicMachine(max_children=-1)


def test_a_significant_child_is_a_child_like_any_other() -> None:
    machine, driver = _running(child("a", Restart.TRANSIENT, significant=True))
    ref = driver.ref_of("a")

    assert driver.run(machine.child_ended(1, ref, NORMAL, 0.0)) is None


# Ends


def test_a_restart_is_reported_and_keeps_the_key() -> None:
    machine, driver = _running(child("a"))
    before = driver.ref_of("a")

    assert _crash(machine, driver, "a") is None

    assert driver.told() == [
        Report("child_exit", "a", BOOM),
        Report("child_restart", "a", BOOM),
    ]
    after = driver.ref_of("a")
    assert after != before
    assert driver.keys[after] == driver.keys[before]
    assert machine.which_children()[0].ref == after


@pytest.mark.parametrize(
    ("restart", "reason"),
    [(Restart.TEMPORARY, BOOM), (Restart.TRANSIENT, NORMAL)],
)
def test_a_child_that_ends_for_good_is_forgotten(restart: Restart, reason: Any) -> None:
    machine, driver = _running(child("a", restart))
    ref = driver.ref_of("a")

    assert driver.run(machine.child_ended(1, ref, reason, 0.0)) is None

    assert driver.seen == [Report("child_exit", "a", reason)]
    assert len(machine) == 0
    assert isinstance(driver.run(machine.terminate_child(ref)), ChildNotFoundError)


def test_a_child_that_ignores_its_restart_is_forgotten() -> None:
    machine, driver = _running(child("a"))
    ref = driver.ref_of("a")
    driver.starts["a"] = Ignored()

    assert _crash(machine, driver, "a") is None

    assert driver.told() == [Report("child_exit", "a", BOOM)]
    assert len(machine) == 0
    assert isinstance(driver.run(machine.terminate_child(ref)), ChildNotFoundError)


def test_news_of_an_older_incarnation_or_a_stranger_is_ignored() -> None:
    machine, driver = _running(child("a"))
    old = driver.ref_of("a")
    _crash(machine, driver, "a")
    driver.did()

    assert driver.run(machine.child_ended(1, old, BOOM, 0.0)) is None
    assert driver.run(machine.child_ended(2, old, BOOM, 0.0)) is None
    assert driver.run(machine.retry(1, 0.0)) is None
    assert driver.run(machine.retry(2, 0.0)) is None

    assert driver.seen == []


def test_a_failed_restart_is_planned_again_and_counted() -> None:
    machine, driver = _running(child("a"), child("b"), most=1)
    driver.starts["a"] = StartFailed(BAD)

    assert _crash(machine, driver, "a") is None

    assert driver.seen[2:] == [Report("child_start_failed", "a", BAD), RetryLater(1)]
    assert _states(machine) == {"a": "restarting", "b": "up"}
    assert machine.which_children()[0].ref is None
    driver.did()

    result = driver.run(machine.retry(1, 0.0))

    assert result == GaveUp(SHUTDOWN, RestartLimitReached("a", BAD, 1, 5.0))
    assert driver.told() == [Report("gave_up", "a", BAD)]
    assert driver.did() == ["stop b"]


def test_a_retry_that_works_reports_the_failed_start() -> None:
    machine, driver = _running(child("a"))
    driver.starts["a"] = StartFailed(BAD)
    _crash(machine, driver, "a")
    driver.starts.clear()
    driver.did()

    driver.run(machine.retry(1, 0.0))

    assert driver.told() == [Report("child_restart", "a", BAD)]
    assert _states(machine) == {"a": "up"}


def test_a_restart_waits_for_the_backoff_of_its_child() -> None:
    backoff = Backoff(initial=2.0, jitter=0.5)
    machine, driver = _running(
        child("a", backoff=backoff), child("b"), jitter=lambda: 0.5
    )

    _crash(machine, driver, "a", now=1.0)

    assert driver.seen[1:] == [RetryLater(1, 1.5)]
    assert _states(machine) == {"a": "restarting", "b": "up"}
    driver.run(machine.retry(1, 2.5))
    assert _states(machine) == {"a": "up", "b": "up"}


def test_one_restart_in_five_seconds_is_the_default_and_precise_an_option() -> None:
    for machine, survives in (
        (DynamicMachine(), False),
        (DynamicMachine(precise=True), True),
    ):
        driver = Driver()
        driver.run(machine.start_child(child("a")))
        assert _crash(machine, driver, "a", now=1.0) is None

        result = _crash(machine, driver, "a", now=6.9)

        assert (result is None) is survives


# Calls


def test_terminating_a_child_stops_and_forgets_it() -> None:
    machine, driver = _running(child("a"), child("b"))
    ref = driver.ref_of("a")

    assert driver.run(machine.terminate_child(ref)) is None

    assert driver.seen == [StopChild("a", ref, 5.0)]
    assert _states(machine) == {"b": "up"}


def test_a_waiting_restart_is_called_off_by_the_ref_that_ended() -> None:
    machine, driver = _running(child("a"))
    ref = driver.ref_of("a")
    driver.starts["a"] = StartFailed(BAD)
    _crash(machine, driver, "a")
    driver.did()

    assert driver.run(machine.terminate_child(ref)) is None
    assert driver.run(machine.retry(1, 0.0)) is None

    assert driver.seen == []
    assert len(machine) == 0


def test_a_ref_that_was_restarted_names_no_child() -> None:
    machine, driver = _running(child("a"))
    old = driver.ref_of("a")
    _crash(machine, driver, "a")

    error = driver.run(machine.terminate_child(old))

    assert isinstance(error, ChildNotFoundError)
    assert (error.child_id, error.known) == ("1", ())
    assert str(error).startswith("1 runs no child of this supervisor; ")


def test_all_children_are_stopped_side_by_side() -> None:
    slow = dataclasses.replace(child("b"), shutdown="infinity")
    machine, driver = _running(child("a"), slow, child("c"))
    driver.starts["c"] = StartFailed(BAD)
    _crash(machine, driver, "c")
    driver.seen.clear()
    refs = {name: driver.ref_of(name) for name in "ab"}

    driver.run(machine.stop())

    stops = (StopChild("a", refs["a"], 5.0), StopChild("b", refs["b"], "infinity"))
    assert driver.seen == [StopChildren(stops)]
    assert _states(machine) == dict.fromkeys("abc", "down")
    assert [status.ref for status in machine.which_children()] == [None] * 3
    assert isinstance(
        driver.run(machine.terminate_child(refs["a"])), ChildNotFoundError
    )


def test_children_are_listed_as_running_until_all_have_ended() -> None:
    machine, driver = _running(child("a"))
    steps = machine.stop()

    next(steps)

    assert machine.which_children()[0].ref == driver.ref_of("a")


def test_stopping_without_children_asks_for_nothing() -> None:
    machine, driver = _running()

    driver.run(machine.stop())

    assert driver.seen == []


def test_count_children_takes_all_that_are_up_for_alive_unless_told_otherwise() -> None:
    supervisor = ChildSpec(id="s", actor=Actor, kind="supervisor")
    machine, driver = _running(child("a"), child("b"), supervisor, child("c"))
    driver.starts["c"] = StartFailed(BAD)
    _crash(machine, driver, "c")
    dead = driver.ref_of("b")

    assert machine.count_children() == ChildCounts(
        specs=4, active=3, supervisors=1, workers=3
    )
    assert machine.count_children(lambda ref: ref != dead).active == 2
