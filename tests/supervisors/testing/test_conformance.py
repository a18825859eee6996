"""The suite for anyone's tree passes sound trees and fails each kind of broken one."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    Actor,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    DynamicSupervisorActor,
    EventLoopActor,
    Handle,
    Intensity,
    LoopActor,
    Restart,
    Strategy,
    Supervisor,
    SupervisorActor,
)
from supervisors.supervisor import AnySupervisor
from supervisors.testing import (
    TreeConformance,
    check_recovery,
    check_stop,
    check_tree,
    living,
)
from tests.supervisors.actors.parts import Scripted, worker


def branch(child_id: str, *children: ChildSpec, **more: Any) -> ChildSpec:
    return worker(
        child_id, SupervisorActor, args=(children,), kwargs=more, kind="supervisor"
    )


class Crowd(DynamicSupervisorActor):
    """A dynamic supervisor; `make` starts its jobs from outside."""


def make() -> AnySupervisor:
    """One tree with everything in it."""
    top = Supervisor.start(
        [
            worker("loop", EventLoopActor),
            worker("on loop", LoopActor, loop="loop"),
            branch(
                "all",
                worker("a"),
                worker("b", restart=Restart.TRANSIENT),
                worker("c", restart=Restart.TEMPORARY),
                strategy=Strategy.ONE_FOR_ALL,
            ),
            worker("jobs", Crowd, kind="supervisor"),
            branch("strict", worker("d"), intensity=Intensity(max_restarts=0)),
            worker("patient", backoff=Backoff(initial=60.0, maximum=60.0)),
        ],
        intensity=Intensity(max_restarts=3),
    )
    jobs = DynamicSupervisor(top.registry, "jobs")
    for restart in (Restart.PERMANENT, Restart.TEMPORARY):
        jobs.start_child(ChildSpec(id="job", actor=Actor, restart=restart))
    return top


def test_a_sound_tree_passes_and_the_report_tells_what_each_actor_did() -> None:
    before = living()
    report = check_tree(make)

    assert [(each.path, each.outcome) for each in report.actors] == [
        ("loop", "came back"),
        ("on loop", "came back"),
        ("all", "came back"),
        ("all/a", "came back"),
        ("all/b", "came back"),
        ("all/c", "stayed away"),
        ("jobs", "came back"),
        ("jobs/job", "came back"),
        ("jobs/job", "stayed away"),
        ("strict", "came back"),
        ("strict/d", "came back"),
        ("patient", "waits for its backoff"),
    ]
    assert 0 < report.stop_seconds < 30
    text = str(report).splitlines()
    assert text[5].startswith("all/c: stayed away (temporary, ")
    assert text[-1].startswith("stopped in ")
    assert living() == before


class TestMakeConforms(TreeConformance):
    """The suite as a class of tests."""

    def make_tree(self) -> AnySupervisor:
        return make()


def test_a_class_of_tests_must_say_how_its_tree_starts() -> None:
    suite = TreeConformance()

    with pytest.raises(NotImplementedError):
        suite.test_it_stops_in_order_and_leaves_nothing_alive()
    with pytest.raises(NotImplementedError):
        suite.test_each_actor_comes_back_or_stays_away_as_its_spec_says()


def test_a_tree_whose_intensity_is_too_low_fails() -> None:
    def fragile() -> AnySupervisor:
        return Supervisor.start([worker("a")], intensity=Intensity(max_restarts=0))

    with pytest.raises(AssertionError, match="a is permanent and did not come back"):
        check_tree(fragile)


def test_an_actor_that_starts_only_once_fails() -> None:
    def once() -> AnySupervisor:
        runs: list[int] = []

        class Once(Actor):
            def on_start(self) -> None:
                runs.append(1)
                if len(runs) > 1:
                    raise RuntimeError("the port is taken")

        return Supervisor.start([worker("once", Once)])

    with pytest.raises(AssertionError, match=r"The tree is over: .*port is taken"):
        check_recovery(once, 0)


def test_a_temporary_actor_that_somebody_starts_again_fails() -> None:
    spec = ChildSpec(id="t", actor=Actor, restart=Restart.TEMPORARY)

    class Keeper(Actor):
        """Starts it again whenever it ends, which nobody asked for."""

        def on_continue(self, term: Any) -> None:
            self.on_receive(None)

        def on_start(self) -> None:
            self.continue_with()

        def on_receive(self, message: Any) -> None:
            parent = self.surroundings.parent
            assert parent is not None
            jobs = DynamicSupervisor(self.surroundings.registry, "jobs")
            self.monitor(jobs.start_child(spec))

    def make_kept() -> AnySupervisor:
        jobs = worker("jobs", DynamicSupervisorActor, kind="supervisor")
        return Supervisor.start([jobs, worker("keeper", Keeper)])

    with pytest.raises(AssertionError, match="jobs/t is temporary, and there is anoth"):
        check_recovery(make_kept, 1)


def test_a_name_that_is_lost_fails() -> None:
    class Thief(Actor):
        """Takes the name of another away when it is started again."""

        def on_start(self) -> None:
            registry = self.surroundings.registry
            robbed = registry.whereis("b")
            if robbed is not None:
                registry.unregister("b", robbed)

    def robbed() -> AnySupervisor:
        return Supervisor.start([worker("a", Thief), worker("b")])

    with pytest.raises(AssertionError, match=r"nobody has these names: \['b'\]"):
        check_recovery(robbed, 0)


def test_an_actor_that_ends_with_another_stops_out_of_order() -> None:
    class EndsFirst(Scripted):
        """Takes the one before it along when it is told to stop."""

        def on_end(self, reason: Any) -> None:
            self.surroundings.registry.resolve("first").kill()

    def hasty() -> AnySupervisor:
        return Supervisor.start([worker("first"), worker("second", EndsFirst)])

    with pytest.raises(AssertionError, match="'first' of the root ended before 'seco"):
        check_stop(hasty)


def test_actors_that_wait_for_each_other_fail_the_recovery() -> None:
    class Asks(Actor):
        """Asks the other one, when that one asks it."""

        def __init__(self, other: str) -> None:
            super().__init__()
            self.other = other

        def on_start(self) -> None:
            if self.other == "a":
                self.continue_with()

        def on_continue(self, term: Any) -> None:
            Handle(self.surroundings.registry, "a").call(None, timeout=None)

        def on_receive(self, message: Any) -> Any:
            Handle(self.surroundings.registry, "b").call(None, timeout=None)

    def knotted() -> AnySupervisor:
        specs = [
            worker(one, Asks, args=(other,), shutdown="brutal_kill")
            for one, other in (("a", "b"), ("b", "a"))
        ]
        return Supervisor.start(specs)

    with pytest.raises(AssertionError, match="not settled"):
        check_recovery(knotted, 0, deadline=0.5)


def test_a_tree_that_stops_too_slowly_fails() -> None:
    class Slow(Actor):
        def on_end(self, reason: Any) -> None:
            self.surroundings.registry.await_name("never", 2.0)

    def slow() -> AnySupervisor:
        return Supervisor.start([worker("slow", Slow, shutdown="infinity")])

    with pytest.raises(AssertionError, match=r"did not stop within 0\.1 s"):
        check_stop(slow, deadline=0.1)
