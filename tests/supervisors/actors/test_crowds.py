"""Handles on supervisors whose children come and go: dynamic and simple ones."""

from __future__ import annotations

import pytest

from supervisors import (
    Actor,
    ChildNotFoundError,
    ChildStateError,
    DynamicSupervisor,
    Ignore,
    Intensity,
    Ref,
    Restart,
    SimpleSupervisor,
)
from supervisors._messages import DeleteChild, RestartChild
from tests.supervisors.actors.parts import WAIT, Counter, Scripted, crash, worker


class Shy(Actor):
    def on_start(self) -> None:
        raise Ignore


def alive(supervisor: DynamicSupervisor | SimpleSupervisor) -> list[Ref[Counter]]:
    return [status.ref for status in supervisor.which_children()]


def test_children_of_a_dynamic_supervisor_may_share_an_id() -> None:
    with DynamicSupervisor.start() as jobs:
        spec = worker("job", name=None)
        first, second = jobs.start_child(spec), jobs.start_child(spec)

        assert first != second
        assert jobs.count_children().active == 2


def test_an_ignored_start_leaves_nothing() -> None:
    with DynamicSupervisor.start() as jobs:
        assert jobs.start_child(worker("shy", Shy)) is None
        assert jobs.which_children() == ()


def test_a_child_of_a_dynamic_supervisor_is_known_by_its_present_ref() -> None:
    with DynamicSupervisor.start(intensity=Intensity(max_restarts=9)) as jobs:
        first = jobs.start_child(worker("job"))
        crash(first)
        second = jobs.registry.await_name("job", WAIT)

        with pytest.raises(ChildNotFoundError):
            jobs.terminate_child(first)
        jobs.terminate_child(second)

        assert jobs.which_children() == ()


def test_a_temporary_child_is_forgotten_at_its_end() -> None:
    with DynamicSupervisor.start() as jobs:
        ref = jobs.start_child(worker("job", restart=Restart.TEMPORARY))
        crash(ref)

        assert jobs.which_children() == ()


def test_instances_of_a_template_differ_in_their_arguments() -> None:
    template = worker("counter", Counter, name=None)
    with SimpleSupervisor.start(template) as counters:
        first, second = counters.start_child(5), counters.start_child(first=7)

        assert (first.call("get"), second.call("get")) == (5, 7)
        assert set(alive(counters)) == {first, second}
        assert counters.count_children().specs == 1
        assert counters.get_childspec("counter") == template


def test_an_instance_is_restarted_with_its_own_arguments() -> None:
    template = worker("counter", Counter, name=None)
    with SimpleSupervisor.start(template, intensity=Intensity(max_restarts=9)) as top:
        ref = top.start_child(5)
        ref.cast("boom")
        assert ref.wait(WAIT) is not None

        (again,) = alive(top)
        assert again != ref
        assert again.call("get") == 5


def test_terminating_a_dead_instance_is_in_order_and_a_stranger_is_not_found() -> None:
    stranger = Scripted.start()
    template = worker("counter", Counter, name=None, restart=Restart.TEMPORARY)
    with SimpleSupervisor.start(template) as top:
        ref = top.start_child()
        top.terminate_child(ref)
        top.terminate_child(ref)

        with pytest.raises(ChildNotFoundError):
            top.terminate_child(stranger)
        with pytest.raises(ChildNotFoundError):
            top.get_childspec("another")
    stranger.stop()


@pytest.mark.parametrize(
    "message", [RestartChild(child_id="counter"), DeleteChild(child_id="counter")]
)
def test_a_template_is_no_child_to_be_named(message: object) -> None:
    with (
        SimpleSupervisor.start(worker("counter", Counter)) as top,
        pytest.raises(ChildStateError) as caught,
    ):
        top.call(message)

    assert caught.value.state == "simple_one_for_one"
