"""Restarts that wait, on real actors and a clock that is wound by hand."""

from __future__ import annotations

from supervisors import Backoff, ChildState, Intensity, Strategy, Supervisor
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import WAIT, Told, boom, crash, nothing, worker

PATIENT = Intensity(max_restarts=100)
STEADY = Backoff(initial=1.0, maximum=8.0, jitter=0.0)


def state_of(top: Supervisor, child_id: str) -> ChildState:
    (found,) = [s for s in top.which_children() if s.spec.id == child_id]
    return found.state


def test_restarts_wait_longer_each_time() -> None:
    clock = ManualClock()
    spec = worker("a", backoff=STEADY)
    with Supervisor.start([spec], intensity=PATIENT, clock=clock) as top:
        for delay in (1.0, 2.0, 4.0, 8.0, 8.0):
            crash(top.registry.resolve("a"))
            assert state_of(top, "a") is ChildState.RESTARTING

            clock.advance(delay - 0.1)
            assert state_of(top, "a") is ChildState.RESTARTING
            clock.advance(0.1)
            assert state_of(top, "a") is ChildState.UP


def test_a_call_waits_for_the_restart_that_waits() -> None:
    clock = ManualClock()
    spec = worker("a", backoff=STEADY)
    with Supervisor.start([spec], intensity=PATIENT, clock=clock) as top:
        top.handle("a").cast(boom)
        crashed = top.registry.resolve("a").wait(WAIT)
        assert crashed is not None
        assert state_of(top, "a") is ChildState.RESTARTING
        clock.advance(1.0)

        assert top.handle("a").call(nothing, WAIT, idempotent=True) is None


def test_a_waiting_restart_is_called_off_by_terminate_child() -> None:
    clock = ManualClock()
    spec = worker("a", backoff=STEADY)
    with Supervisor.start([spec], intensity=PATIENT, clock=clock) as top:
        crash(top.registry.resolve("a"))
        top.terminate_child("a")
        clock.advance(100.0)

        assert state_of(top, "a") is ChildState.DOWN


def test_siblings_are_stopped_at_once_and_started_after_the_wait() -> None:
    clock, probe = ManualClock(), Probe()
    specs = [
        worker("a", Told, args=(probe,), backoff=STEADY),
        worker("b", Told, args=(probe,)),
    ]
    with Supervisor.start(
        specs, strategy=Strategy.ONE_FOR_ALL, intensity=PATIENT, clock=clock
    ) as top:
        assert [probe.expect(), probe.expect()] == [("start", "a"), ("start", "b")]
        crash(top.registry.resolve("a"))
        assert [probe.expect(), probe.expect()] == [("end", "a"), ("end", "b")]
        assert state_of(top, "b") is ChildState.DOWN
        probe.expect_nothing()

        clock.advance(1.0)
        assert [probe.expect(), probe.expect()] == [("start", "a"), ("start", "b")]


def test_a_tree_stops_while_a_restart_waits() -> None:
    clock = ManualClock()
    spec = worker("a", backoff=STEADY)
    top = Supervisor.start([spec], intensity=PATIENT, clock=clock)
    crash(top.registry.resolve("a"))

    assert top.stop(WAIT) is not None
