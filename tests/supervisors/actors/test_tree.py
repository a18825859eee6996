"""The picture of a tree, also of one that is stuck."""

from __future__ import annotations

from supervisors import (
    ChildSpec,
    Intensity,
    Restart,
    Supervisor,
    SupervisorActor,
    draw,
    snapshot,
)
from supervisors._messages import AddChild, TerminateChild
from supervisors.testing import Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    Counter,
    Scripted,
    Told,
    letting_go,
    refs,
    worker,
)


def branch(*children: ChildSpec) -> ChildSpec:
    return ChildSpec(
        id="branch",
        name="branch",
        actor=SupervisorActor,
        args=(children,),
        kind="supervisor",
    )


def test_a_snapshot_shows_the_tree_in_start_order() -> None:
    with Supervisor.start([branch(worker("a"), worker("b")), worker("c")]) as top:
        top.terminate_child("c")

        picture = snapshot(top)

        assert picture.id == "root"
        assert [child.id for child in picture.children] == ["branch", "c"]
        node = picture.find("branch", "b")
        assert node is not None
        assert (node.kind, node.state) == ("Scripted", "up")
        assert node.uptime > 0
        down = picture.find("c")
        assert down is not None
        assert (down.kind, down.state, down.uptime) == ("-", "down", 0.0)
        assert picture.find("branch", "ghost") is None
        assert snapshot(top.ref()).id == "root"


def test_restarts_are_shown_with_their_cause() -> None:
    with Supervisor.start(
        [branch(worker("a", Counter))], intensity=Intensity(max_restarts=10)
    ) as top:
        handle = top.handle("a")
        handle.cast("boom")
        handle.call("get", WAIT, idempotent=True)
        Supervisor(top.registry, "branch").which_children()

        picture = snapshot(top)

        assert picture.total_restarts == 1
        node = picture.find("branch")
        assert node is not None
        assert node.last_restart is not None
        assert node.last_restart.child_id == "a"
        assert "(last a: crashed: BoomError: boom)" in draw(picture)


def test_a_stuck_actor_is_shown_with_what_it_has_in_hand() -> None:
    with letting_go(Block()) as block, Supervisor.start([worker("a")]) as top:
        ref = refs(top)["a"]
        ref.cast(block)
        block.inside()
        ref.cast(block)

        node = snapshot(top).find("a")

        assert node is not None
        assert node.in_hand == "Block"
        assert node.in_hand_for > 0
        assert node.mailbox == 1
        assert "a  busy with Block for 0." in draw(node)
        assert "1 waiting" in draw(node)
        block.release.set()


def test_a_supervisor_that_is_busy_is_not_asked() -> None:
    probe = Probe()
    with letting_go(Block()) as block:

        def slow() -> bool:
            block(None)
            return False

        with Supervisor.start([worker("a")]) as top:
            spec = worker("slow", Told, args=(probe,), kwargs={"fails": slow})
            pending = top.ref().submit(AddChild(spec=spec))
            block.inside()

            picture = snapshot(top)

            assert picture.in_hand == "AddChild"
            assert [child.id for child in picture.children] == ["a"]
            block.release.set()
            pending.get(timeout=WAIT)


def test_a_snapshot_of_a_dead_tree_is_a_picture_too() -> None:
    top = Supervisor.start([worker("a")])
    top.stop(WAIT)

    picture = snapshot(top)

    assert picture.state == "down"
    assert [child.state for child in picture.children] == ["down"]


def test_draw_shows_one_actor_a_line() -> None:
    children = branch(worker("a"), worker("b", restart=Restart.TRANSIENT))
    with Supervisor.start([children, worker("c")]) as top:
        top.terminate_child("c")

        assert draw(snapshot(top)).splitlines() == [
            "root",
            "├─ branch",
            "│  ├─ a",
            "│  └─ b",
            "└─ c  down",
        ]


def test_snapshots_while_children_come_and_go() -> None:
    with Supervisor.start([worker("a", Scripted)]) as top:
        seen = set()
        for number in range(100):
            spec = worker(f"w{number}", restart=Restart.TEMPORARY)
            top.start_child(spec)
            pending = top.ref().submit(TerminateChild(child=spec.id))
            while not pending.done():
                seen.add(len(snapshot(top).children))
            pending.get()

        assert seen <= {1, 2}
