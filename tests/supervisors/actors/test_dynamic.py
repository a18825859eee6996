"""Children that come and go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from supervisors import (
    ChildSpec,
    ChildStateError,
    DynamicSupervisor,
    DynamicSupervisorActor,
    Intensity,
    Killed,
    Restart,
    Shutdown,
    Supervisor,
)
from supervisors.testing import Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    Counter,
    Told,
    letting_go,
    refs,
    worker,
)


def dynamic(**options: Any) -> ChildSpec:
    return ChildSpec(
        id="many",
        name="many",
        actor=DynamicSupervisorActor,
        kwargs=options,
        kind="supervisor",
    )


@pytest.fixture
def top() -> Iterator[Supervisor]:
    with Supervisor.start(
        [dynamic(intensity=Intensity(max_restarts=100), max_children=3)]
    ) as top:
        yield top


@pytest.fixture
def many(top: Supervisor) -> DynamicSupervisor:
    return DynamicSupervisor(top.registry, "many")


def test_children_come_and_go(many: DynamicSupervisor) -> None:
    many.start_child(worker("a", Counter))
    ref = many.start_child(worker("b", Counter, restart=Restart.TEMPORARY))
    many.terminate_child(ref)

    assert not ref.is_alive()
    assert list(refs(many)) == ["a"]
    assert many.ref() == many.ref()


def test_each_is_restarted_on_its_own(top: Supervisor, many: DynamicSupervisor) -> None:
    a = many.start_child(worker("a", Counter))
    b = many.start_child(worker("b", Counter))

    a.cast("boom")

    assert a.wait(WAIT) is not None
    assert top.handle("a").call("get", WAIT, idempotent=True) == 0
    assert b.is_alive()


def test_there_may_be_only_so_many(many: DynamicSupervisor) -> None:
    first, _, _ = [many.start_child(worker(name)) for name in "abc"]

    with pytest.raises(ChildStateError, match="max_children") as caught:
        many.start_child(worker("d"))
    assert caught.value.state == "max_children"

    many.terminate_child(first)
    many.start_child(worker("d"))


def test_they_are_stopped_side_by_side(
    top: Supervisor, many: DynamicSupervisor
) -> None:
    # Each waits for the other's end, so one after the other would take for ever.
    probe = Probe()
    first, second = Block(), Block()

    class Waits(Told):
        def __init__(self, probe: Probe, mine: Block, other: Block) -> None:
            super().__init__(probe)
            self.mine, self.other = mine, other

        def on_end(self, reason: Any) -> None:
            self.mine.release.set()
            assert self.other.release.wait(WAIT)
            super().on_end(reason)

    many.start_child(worker("a", Waits, args=(probe, first, second)))
    many.start_child(worker("b", Waits, args=(probe, second, first)))

    assert top.stop(WAIT) == Shutdown()

    seen = [probe.expect() for _ in range(4)]
    assert sorted(seen[2:]) == [("end", "a"), ("end", "b")]


def test_stuck_children_share_one_span(
    top: Supervisor, many: DynamicSupervisor
) -> None:
    with letting_go(Block()) as a, letting_go(Block()) as b, letting_go(Block()) as c:
        stuck = []
        for name, block in (("a", a), ("b", b), ("c", c)):
            ref = many.start_child(worker(name, shutdown=0.3))
            ref.cast(block)
            block.inside()
            stuck.append(ref)

        reason = top.stop(0.8)

        assert reason == Shutdown()
        assert [ref.wait(0) for ref in stuck] == [Killed()] * 3
