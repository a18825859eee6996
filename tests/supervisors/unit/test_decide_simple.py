"""What a simple_one_for_one supervisor decides, beyond the golden traces."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from supervisors._decide_simple import SimpleMachine
from supervisors._effects import (
    ChildCounts,
    ChildState,
    ChildStatus,
    GaveUp,
    Ignored,
    Report,
    RetryLater,
    SignificantChildEnded,
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
from supervisors.exits import NORMAL, SHUTDOWN, ExitReason, Failed, RestartLimitReached
from tests.supervisors.unit.driving import Driver, child

BOOM = Failed("boom")
BAD = Failed("bad")


def _running(
    count: int, template: ChildSpec | None = None, most: int = 5, **options: Any
) -> tuple[SimpleMachine, Driver]:
    machine = SimpleMachine(
        template or child("t"), Intensity(max_restarts=most), **options
    )
    driver = Driver()
    driver.run(machine.start())
    for _ in range(count):
        assert isinstance(driver.run(machine.start_child()), Started)
    driver.did()
    return machine, driver


def _end(
    machine: SimpleMachine,
    driver: Driver,
    ref: int,
    reason: ExitReason = BOOM,
    *,
    now: float = 0.0,
) -> GaveUp | None:
    del driver.alive[ref]
    return driver.run(machine.child_ended(driver.keys[ref], ref, reason, now))


def _leave_a_phantom(machine: SimpleMachine, driver: Driver, ref: int) -> None:
    driver.starts["t"] = Ignored()
    assert _end(machine, driver, ref) is None
    driver.starts.clear()
    driver.did()


def _states(machine: SimpleMachine) -> list[str]:
    return [status.state.value for status in machine.which_children()]


# Starting


def test_arguments_go_behind_the_templates_own() -> None:
    template = ChildSpec(id="t", actor=Actor, args=(1, 2), kwargs={"x": 1, "y": 1})
    machine, driver = _running(0, template)

    outcome = driver.run(machine.start_child([3], {"y": 2, "z": 2}))

    spec = dataclasses.replace(
        template, args=(1, 2, 3), kwargs={"x": 1, "y": 2, "z": 2}
    )
    assert driver.seen == [StartChild(spec, 1)]
    assert outcome == Started(driver.ref_of("t"))
    assert template.kwargs == {"x": 1, "y": 1}


def test_a_restart_has_the_arguments_of_the_start() -> None:
    machine, driver = _running(0)
    driver.run(machine.start_child(["first"]))
    driver.run(machine.start_child(["second"]))
    _, second = driver.alive
    driver.seen.clear()

    _end(machine, driver, second)

    (start,) = [effect for effect in driver.seen if isinstance(effect, StartChild)]
    assert (start.spec.args, start.key) == (("second",), 2)


def test_a_child_that_does_not_run_is_not_kept() -> None:
    machine, driver = _running(0)
    driver.starts["t"] = StartFailed(BAD)
    error = driver.run(machine.start_child())
    driver.starts["t"] = Ignored()
    ignored = driver.run(machine.start_child())

    assert isinstance(error, StartError)
    assert error.reason == BAD
    assert str(error).startswith("child 't' did not start (failed: bad)")
    assert ignored == Ignored()
    assert machine.which_children() == ()


def test_a_significant_template_needs_a_supervisor_that_shuts_down() -> None:
    template = child("t", Restart.TRANSIENT, significant=True)

    with pytest.raises(ConfigError, match="child 't' is significant under"):
        SimpleMachine(template)
    machine = SimpleMachine(template, auto_shutdown="any_significant")
    assert machine.spec_of("t") is template


def test_an_unknown_automatic_shutdown_is_refused() -> None:
    with pytest.raises(ConfigError, match="'sometimes'; expected one of"):
        SimpleMachine(child("t"), auto_shutdown="sometimes")  # type: ignore[arg-type]  # on purpose


# Ends


def test_a_failed_restart_is_planned_again_and_counted() -> None:
    machine, driver = _running(2, most=1)
    first, second = driver.alive
    driver.starts["t"] = StartFailed(BAD)

    assert _end(machine, driver, first) is None

    assert driver.seen[2:] == [Report("child_start_failed", "t", BAD), RetryLater(1)]
    assert _states(machine) == ["restarting", "up"]
    driver.seen.clear()

    result = driver.run(machine.retry(1, 0.0))

    assert result == GaveUp(SHUTDOWN, RestartLimitReached("t", BAD, 1, 5.0))
    stop = StopChildren((StopChild("t", second, 5.0),))
    assert driver.seen == [Report("gave_up", "t", BAD), stop]


def test_a_restart_waits_for_the_backoff_of_the_template() -> None:
    template = child("t", backoff=Backoff(initial=2.0, jitter=0.5))
    machine, driver = _running(1, template, jitter=lambda: 0.5)

    _end(machine, driver, driver.ref_of("t"))

    assert driver.seen[1:] == [RetryLater(1, 1.5)]
    driver.run(machine.retry(1, 1.5))
    assert _states(machine) == ["up"]


def test_one_restart_in_five_seconds_is_the_default_and_precise_an_option() -> None:
    for machine, survives in (
        (SimpleMachine(child("t")), False),
        (SimpleMachine(child("t"), precise=True), True),
    ):
        driver = Driver()
        driver.run(machine.start_child())
        assert _end(machine, driver, driver.ref_of("t"), now=1.0) is None

        result = _end(machine, driver, driver.ref_of("t"), now=6.9)

        assert (result is None) is survives


def test_any_significant_end_shuts_the_supervisor_down() -> None:
    template = child("t", Restart.TRANSIENT, significant=True)
    machine, driver = _running(2, template, auto_shutdown="any_significant")
    first, second = driver.alive

    result = _end(machine, driver, first, NORMAL)

    assert result == GaveUp(SHUTDOWN, SignificantChildEnded("t", NORMAL))
    assert driver.seen[-1] == StopChildren((StopChild("t", second, 5.0),))


def test_the_last_significant_end_shuts_the_supervisor_down() -> None:
    template = child("t", Restart.TRANSIENT, significant=True)
    machine, driver = _running(3, template, auto_shutdown="all_significant")
    first, second, third = driver.alive

    assert _end(machine, driver, first, NORMAL) is None
    driver.starts["t"] = StartFailed(BAD)
    assert _end(machine, driver, second) is None
    assert _end(machine, driver, third, NORMAL) is None, "one waits for its restart"
    driver.starts.clear()
    driver.run(machine.retry(2, 0.0))
    (last,) = driver.alive
    result = _end(machine, driver, last, NORMAL)

    assert result == GaveUp(SHUTDOWN, SignificantChildEnded("t", NORMAL))


def test_an_insignificant_end_shuts_nothing_down() -> None:
    for mode in ("any_significant", "all_significant"):
        template = child("t", Restart.TEMPORARY)
        machine, driver = _running(1, template, auto_shutdown=mode)

        assert _end(machine, driver, driver.ref_of("t")) is None


# The phantom


def test_an_ignored_restart_leaves_one_entry_without_a_child() -> None:
    machine, driver = _running(3)
    first, second, third = driver.alive

    _leave_a_phantom(machine, driver, first)
    _leave_a_phantom(machine, driver, second)

    phantom = ChildStatus(child("t"), ChildState.DOWN, None)
    assert machine.which_children() == (
        ChildStatus(child("t"), ChildState.UP, third),
        phantom,
    )
    assert machine.count_children() == ChildCounts(
        specs=1, active=2, supervisors=0, workers=2
    )
    assert driver.run(machine.child_ended("phantom", None, BOOM, 0.0)) is None
    assert driver.run(machine.retry("phantom", 0.0)) is None
    assert driver.seen == []


def test_terminating_a_dead_ref_takes_the_phantom_away() -> None:
    machine, driver = _running(1)
    ref = driver.ref_of("t")
    _leave_a_phantom(machine, driver, ref)

    assert driver.run(machine.terminate_child(ref)) is None

    assert machine.which_children() == ()


def test_the_phantom_is_not_stopped() -> None:
    machine, driver = _running(1)
    _leave_a_phantom(machine, driver, driver.ref_of("t"))

    driver.run(machine.stop())

    assert driver.seen == []


# Calls


def test_terminating_a_child_stops_and_forgets_it() -> None:
    machine, driver = _running(2)
    first, second = driver.alive

    assert driver.run(machine.terminate_child(first)) is None

    assert driver.seen == [StopChild("t", first, 5.0)]
    assert [status.ref for status in machine.which_children()] == [second]


def test_a_waiting_restart_is_called_off_by_the_ref_that_ended() -> None:
    machine, driver = _running(1)
    ref = driver.ref_of("t")
    driver.starts["t"] = StartFailed(BAD)
    _end(machine, driver, ref)
    driver.did()

    assert driver.run(machine.terminate_child(ref)) is None
    assert driver.run(machine.retry(1, 0.0)) is None

    assert driver.seen == []
    assert machine.which_children() == ()


def test_a_dead_ref_is_in_order_and_a_living_stranger_is_not() -> None:
    machine, driver = _running(1)

    assert driver.run(machine.terminate_child(99)) is None
    error = driver.run(machine.terminate_child(99, lambda ref: ref == 99))

    assert isinstance(error, ChildNotFoundError)
    assert (error.child_id, error.known) == ("99", ())
    assert driver.seen == []


@pytest.mark.parametrize("call", ["terminate_child", "restart_child", "delete_child"])
def test_a_call_by_id_is_refused(call: str) -> None:
    machine, driver = _running(1)

    error = driver.run(getattr(machine, call)("t"))

    assert isinstance(error, ChildStateError)
    assert (error.child_id, error.state) == ("t", "simple_one_for_one")
    assert str(error).startswith(f"{call}('t') names a child by its id, and all ")
    assert _states(machine) == ["up"]


def test_the_template_is_found_by_its_id() -> None:
    template = child("t")
    machine, _ = _running(1, template)

    assert machine.spec_of("t") is template
    error = machine.spec_of("x")
    assert isinstance(error, ChildNotFoundError)
    assert (error.child_id, error.known) == ("x", ("t",))


def test_count_children_knows_one_spec_and_counts_what_waits_as_inactive() -> None:
    template = ChildSpec(id="t", actor=Actor, kind="supervisor")
    machine, driver = _running(3, template)
    first, _, third = driver.alive
    driver.starts["t"] = StartFailed(BAD)
    _end(machine, driver, first)

    assert machine.count_children() == ChildCounts(
        specs=1, active=2, supervisors=3, workers=0
    )
    assert machine.count_children(lambda ref: ref == third).active == 1
