"""What a machine decides, beyond what the golden traces show.

The traces hold the order of starts and stops, results and states. Here: causes,
reports, error texts, stale news, and the machine's own checks.
"""

from __future__ import annotations

import weakref
from typing import Any

import pytest

from supervisors._decide import (
    ChildCounts,
    ChildState,
    GaveUp,
    Ignored,
    Machine,
    Report,
    SignificantChildEnded,
    Started,
    StartFailed,
    StopChild,
)
from supervisors.actor import Actor
from supervisors.child_spec import ChildSpec, Intensity, Restart, Strategy
from supervisors.errors import (
    ChildNotFoundError,
    ChildStateError,
    ConfigError,
    StartError,
)
from supervisors.exits import (
    NORMAL,
    SHUTDOWN,
    Failed,
    FailedToStartChild,
    RestartLimitReached,
    Shutdown,
)
from tests.supervisors.unit.driving import Driver, child

BOOM = Failed("boom")
BAD = Failed("bad")


class Incarnation:
    """What runs a child, for a weak reference to follow."""


def _running(
    *specs: ChildSpec,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    most: int = 5,
    **options: Any,
) -> tuple[Machine, Driver]:
    machine = Machine(specs, strategy, Intensity(max_restarts=most), **options)
    driver = Driver()
    assert driver.run(machine.start()) is None
    driver.did()
    return machine, driver


def _crash(machine: Machine, driver: Driver, child_id: str, now: float = 0.0) -> Any:
    ref = driver.ref_of(child_id)
    del driver.alive[ref]
    return driver.run(machine.child_ended(child_id, ref, BOOM, now))


def _states(machine: Machine) -> dict[str, str]:
    children = reversed(machine.which_children())
    return {status.spec.id: status.state.value for status in children}


# Construction


def test_children_may_not_share_an_id() -> None:
    with pytest.raises(ConfigError, match="two children have the id 'a'"):
        Machine([child("a"), child("b"), child("a")])


def test_a_significant_child_needs_a_supervisor_that_shuts_down() -> None:
    spec = child("a", Restart.TRANSIENT, significant=True)

    with pytest.raises(ConfigError, match="auto_shutdown='never'"):
        Machine([spec])
    assert Machine([spec], auto_shutdown="any_significant").state_of("a")


def test_an_unknown_automatic_shutdown_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'sometimes'; expected one of \('never', "):
        Machine(auto_shutdown="sometimes")  # type: ignore[arg-type]  # on purpose


def test_nothing_runs_before_start() -> None:
    machine = Machine([child("a")])

    assert _states(machine) == {"a": "down"}
    assert machine.which_children()[0].ref is None


def test_one_restart_in_five_seconds_is_the_default() -> None:
    machine, driver = Machine([child("a")]), Driver()
    driver.run(machine.start())

    assert _crash(machine, driver, "a", now=0.0) is None
    given_up = _crash(machine, driver, "a", now=5.0)

    assert given_up.cause == RestartLimitReached("a", BOOM, 1, 5.0)


def test_precise_counts_real_seconds() -> None:
    for precise, survives in ((False, False), (True, True)):
        intensity = Intensity(max_restarts=1, within=1.0)
        machine = Machine([child("a")], intensity=intensity, precise=precise)
        driver = Driver()
        driver.run(machine.start())
        _crash(machine, driver, "a", now=1.0)

        assert (_crash(machine, driver, "a", now=2.9) is None) is survives


# Start and stop


def test_a_failed_start_stops_the_older_siblings_and_says_why() -> None:
    machine = Machine([child("a"), child("b"), child("c"), child("d")])
    driver = Driver(starts={"c": StartFailed(BAD)})

    result = driver.run(machine.start())

    failure = FailedToStartChild("c", BAD)
    assert result == GaveUp(Shutdown(failure), failure)
    assert driver.did() == ["start a", "start b", "start c", "stop b", "stop a"]
    assert set(_states(machine).values()) == {"down"}


def test_a_stop_hands_over_what_it_takes() -> None:
    machine, driver = _running(
        ChildSpec(id="a", actor=Actor, shutdown="brutal_kill"), child("b")
    )
    refs = {name: driver.ref_of(name) for name in ("a", "b")}

    driver.run(machine.stop())

    assert driver.seen == [
        StopChild("b", refs["b"], 5.0),
        StopChild("a", refs["a"], "brutal_kill"),
    ]
    assert [status.ref for status in machine.which_children()] == [None, None]


def test_a_start_answered_with_something_else_is_an_error_of_the_driver() -> None:
    steps = Machine([child("a")]).start()
    next(steps)

    with pytest.raises(TypeError) as caught:
        steps.send(NORMAL)
    assert str(caught.value) == (
        "the start of 'a' was answered with Normal(); expected Started, Ignored or "
        "StartFailed. Mend the driver."
    )


# Ends that nobody ordered


def test_news_of_an_older_incarnation_is_ignored() -> None:
    machine, driver = _running(child("a"))
    old = driver.ref_of("a")
    _crash(machine, driver, "a")
    driver.did()

    assert driver.run(machine.child_ended("a", old, BOOM, 0.0)) is None

    assert driver.seen == []
    assert machine.state_of("a") is ChildState.UP


def test_news_of_a_child_that_was_terminated_is_ignored() -> None:
    machine, driver = _running(child("a"))
    ref = driver.ref_of("a")
    driver.run(machine.terminate_child("a"))
    driver.did()

    assert driver.run(machine.child_ended("a", ref, BOOM, 0.0)) is None

    assert driver.seen == []
    assert machine.state_of("a") is ChildState.DOWN


def test_news_of_nothing_is_not_news_of_a_child_that_is_down() -> None:
    machine, driver = _running(child("a"))
    driver.run(machine.terminate_child("a"))
    driver.did()

    driver.run(machine.child_ended("a", None, BOOM, 0.0))

    assert driver.seen == []


def test_a_restart_is_reported_with_its_cause_for_each_child_it_starts() -> None:
    machine, driver = _running(
        child("a"), child("b"), child("c"), strategy=Strategy.REST_FOR_ONE
    )

    _crash(machine, driver, "b")

    assert driver.told() == [
        Report("child_exit", "b", BOOM),
        Report("child_restart", "b", BOOM),
        Report("child_restart", "c", BOOM),
    ]


def test_a_child_that_ignores_its_restart_is_not_reported_as_restarted() -> None:
    machine, driver = _running(child("a"))
    driver.starts["a"] = Ignored()

    _crash(machine, driver, "a")

    assert driver.told() == [Report("child_exit", "a", BOOM)]
    assert _states(machine) == {"a": "down"}


def test_the_first_start_is_no_restart() -> None:
    machine, driver = Machine([child("a")]), Driver()

    driver.run(machine.start())

    assert driver.told() == []


def test_a_temporary_child_that_ends_is_reported_and_forgotten() -> None:
    machine, driver = _running(child("a", Restart.TEMPORARY), child("b"))

    assert _crash(machine, driver, "a") is None

    assert driver.told() == [Report("child_exit", "a", BOOM)]
    assert machine.state_of("a") is None


def test_giving_up_stops_the_others_and_says_which_child_and_why() -> None:
    machine, driver = _running(child("a"), child("b"), child("c"), most=0)

    result = _crash(machine, driver, "b")

    assert result == GaveUp(SHUTDOWN, RestartLimitReached("b", BOOM, 0, 5.0))
    assert driver.told() == [
        Report("child_exit", "b", BOOM),
        Report("gave_up", "b", BOOM),
    ]
    assert driver.did() == ["stop c", "stop a"]


def test_a_dead_child_is_shown_as_down_while_its_siblings_are_stopped() -> None:
    machine, driver = _running(
        child("a"), child("b"), strategy=Strategy.ONE_FOR_ALL, most=1
    )
    ref = driver.ref_of("a")
    steps = machine.child_ended("a", ref, BOOM, 0.0)
    assert next(steps) == Report("child_exit", "a", BOOM)

    assert isinstance(next(steps), StopChild)

    assert _states(machine) == {"a": "down", "b": "up"}


def test_an_automatic_shutdown_names_the_child_that_ended_last() -> None:
    machine, driver = _running(
        child("a", Restart.TEMPORARY, significant=True),
        child("b", Restart.TRANSIENT, significant=True),
        child("c"),
        auto_shutdown="all_significant",
    )
    assert _crash(machine, driver, "a") is None
    ref = driver.ref_of("b")
    del driver.alive[ref]

    result = driver.run(machine.child_ended("b", ref, NORMAL, 0.0))

    assert result == GaveUp(SHUTDOWN, SignificantChildEnded("b", NORMAL))
    assert str(result.cause) == "significant child 'b' ended (normal)"
    assert driver.alive == {}


def test_a_significant_sibling_that_waits_for_its_retry_is_not_done() -> None:
    machine, driver = _running(
        child("a", Restart.TEMPORARY, significant=True),
        child("b", Restart.TRANSIENT, significant=True),
        auto_shutdown="all_significant",
    )
    driver.starts["b"] = StartFailed(BAD)
    _crash(machine, driver, "b")

    assert _crash(machine, driver, "a") is None


# Retries


def test_a_failed_restart_is_reported_and_planned_again() -> None:
    machine, driver = _running(child("a"))
    driver.starts["a"] = StartFailed(BAD)

    assert _crash(machine, driver, "a") is None

    assert driver.told()[1:] == [Report("child_start_failed", "a", BAD)]
    assert driver.did() == ["start a", "retry a"]
    assert machine.state_of("a") is ChildState.RESTARTING


def test_a_retry_that_is_one_too_many_names_the_failed_start() -> None:
    machine, driver = _running(child("a"), most=1)
    driver.starts["a"] = StartFailed(BAD)
    _crash(machine, driver, "a")

    result = driver.run(machine.retry("a", 0.0))

    assert isinstance(result, GaveUp)
    assert result.cause == RestartLimitReached("a", BAD, 1, 5.0)


def test_a_retry_that_works_reports_the_failed_start_as_its_cause() -> None:
    machine, driver = _running(child("a"))
    driver.starts["a"] = StartFailed(BAD)
    _crash(machine, driver, "a")
    driver.starts.clear()
    driver.did()

    driver.run(machine.retry("a", 0.0))

    assert driver.told() == [Report("child_restart", "a", BAD)]
    assert machine.state_of("a") is ChildState.UP


@pytest.mark.parametrize("child_id", ["a", "nobody"])
def test_a_retry_nobody_waits_for_does_nothing(child_id: str) -> None:
    machine, driver = _running(child("a"), most=0)

    assert driver.run(machine.retry(child_id, 0.0)) is None

    assert driver.seen == []


def test_a_group_restart_starts_a_child_whose_retry_is_still_waiting() -> None:
    machine, driver = _running(
        child("a"), child("b"), strategy=Strategy.ONE_FOR_ALL, most=3
    )
    driver.starts["b"] = StartFailed(BAD)
    _crash(machine, driver, "a")
    driver.starts.clear()
    _crash(machine, driver, "a")
    driver.did()

    assert driver.run(machine.retry("b", 0.0)) is None

    assert driver.seen == []
    assert _states(machine) == {"a": "up", "b": "up"}


# Calls


def test_a_new_child_comes_last() -> None:
    machine, driver = _running(child("b"))

    result = driver.run(machine.start_child(child("a")))

    assert result == Started(driver.ref_of("a"))
    assert list(_states(machine)) == ["b", "a"]


def test_a_new_child_that_ignores_its_start_is_kept_unless_temporary() -> None:
    machine, driver = _running()
    driver.starts = {"a": Ignored(), "b": Ignored()}

    for spec in (child("a"), child("b", Restart.TEMPORARY)):
        assert driver.run(machine.start_child(spec)) == Ignored()

    assert _states(machine) == {"a": "down"}


def test_a_new_child_that_does_not_start_is_not_kept() -> None:
    machine, driver = _running()
    driver.starts["a"] = StartFailed(BAD)

    error = driver.run(machine.start_child(child("a")))

    assert isinstance(error, StartError)
    assert error.reason == BAD
    assert "child 'a' did not start (failed: bad)" in str(error)
    assert machine.which_children() == ()


def test_a_taken_id_says_what_has_it() -> None:
    machine, driver = _running(child("a"), child("b"))
    driver.run(machine.terminate_child("b"))

    running = driver.run(machine.start_child(child("a")))
    down = driver.run(machine.start_child(child("b")))

    assert isinstance(running, ChildStateError)
    assert (running.child_id, running.state) == ("a", "already_started")
    assert isinstance(down, ChildStateError)
    assert (down.child_id, down.state) == ("b", "already_present")
    assert "here already, down;" in str(down)


def test_a_significant_child_is_refused_before_it_starts() -> None:
    machine, driver = _running()
    spec = child("a", Restart.TRANSIENT, significant=True)

    error = driver.run(machine.start_child(spec))

    assert isinstance(error, ConfigError)
    assert driver.seen == []


def test_an_unknown_child_is_named_beside_those_there_are() -> None:
    machine, driver = _running(child("a"), child("b"))

    errors = [
        driver.run(machine.terminate_child("x")),
        driver.run(machine.restart_child("x")),
        driver.run(machine.delete_child("x")),
        machine.spec_of("x"),
    ]

    assert driver.seen == []
    for error in errors:
        assert isinstance(error, ChildNotFoundError)
        assert (error.child_id, error.known) == ("x", ("a", "b"))


def test_only_a_child_that_is_down_can_be_restarted_or_deleted() -> None:
    machine, driver = _running(child("a"), child("b"))
    driver.starts["b"] = StartFailed(BAD)
    _crash(machine, driver, "b")

    errors = {
        name: [
            driver.run(machine.restart_child(name)),
            driver.run(machine.delete_child(name)),
        ]
        for name in ("a", "b")
    }

    for name, state in (("a", "running"), ("b", "restarting")):
        for call, error in zip(("restart", "delete"), errors[name], strict=True):
            assert isinstance(error, ChildStateError)
            assert (error.child_id, error.state) == (name, state)
            text = f"child '{name}' is {state}; {call}_child() takes one that is down"
            assert str(error).startswith(text)


def test_a_restart_by_hand_is_not_counted() -> None:
    machine, driver = _running(child("a"), most=0)
    driver.run(machine.terminate_child("a"))

    result = driver.run(machine.restart_child("a"))

    assert result == Started(driver.ref_of("a"))
    assert driver.told() == []


def test_a_restart_by_hand_that_fails_is_not_tried_again() -> None:
    machine, driver = _running(child("a"))
    driver.run(machine.terminate_child("a"))
    driver.starts["a"] = StartFailed(BAD)
    driver.did()

    error = driver.run(machine.restart_child("a"))

    assert isinstance(error, StartError)
    assert error.reason == BAD
    assert str(error).startswith("child 'a' did not start (failed: bad)")
    assert driver.did() == ["start a"]
    assert machine.state_of("a") is ChildState.DOWN


def test_a_deleted_child_is_reported_and_its_id_is_free() -> None:
    machine, driver = _running(child("a"))
    driver.run(machine.terminate_child("a"))
    driver.did()

    assert driver.run(machine.delete_child("a")) is None

    assert driver.told() == [Report("child_deleted", "a")]
    assert isinstance(driver.run(machine.start_child(child("a"))), Started)


def test_nothing_is_kept_of_what_ran_a_child_that_is_down() -> None:
    machine, driver = Machine([child("a", Restart.TRANSIENT)]), Driver()
    incarnation = Incarnation()
    driver.starts["a"] = Started(incarnation)
    driver.run(machine.start())

    driver.run(machine.child_ended("a", incarnation, NORMAL, now=0.0))

    followed = weakref.ref(incarnation)
    del driver, incarnation
    assert followed() is None


# Questions


def test_which_children_shows_the_youngest_first() -> None:
    machine, driver = _running(child("a"), child("b"))

    shown = [(status.spec.id, status.ref) for status in machine.which_children()]

    assert shown == [("b", driver.ref_of("b")), ("a", driver.ref_of("a"))]


def test_count_children_counts_the_living_among_those_up() -> None:
    supervisor = ChildSpec(id="s", actor=Actor, kind="supervisor")
    machine, driver = _running(child("a"), child("b"), supervisor, child("c"))
    driver.run(machine.terminate_child("c"))
    dead = driver.ref_of("b")

    assert machine.count_children() == ChildCounts(
        specs=4, active=3, supervisors=1, workers=3
    )
    assert machine.count_children(lambda ref: ref != dead).active == 2


def test_a_child_is_found_by_its_id() -> None:
    spec = child("a")
    machine, _ = _running(spec)

    assert machine.spec_of("a") is spec
    assert machine.state_of("a") is ChildState.UP
    assert machine.state_of("b") is None
