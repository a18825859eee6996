"""The picture of a tree, also of one that is stuck."""

from __future__ import annotations

import json
import os
import time

from supervisors import (
    ChildSpec,
    DynamicSupervisor,
    DynamicSupervisorActor,
    Event,
    EventLoopActor,
    Events,
    Intensity,
    LoopActor,
    ProcessActor,
    ProcessSpec,
    Restart,
    SimpleSupervisor,
    Supervisor,
    SupervisorActor,
    TreeNode,
    draw,
    snapshot,
)
from supervisors._messages import AddChild, TerminateChild
from supervisors.drawing import CROWD, SHOWN_OF_A_CROWD
from supervisors.events import CHILD_START
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    Counter,
    Scripted,
    Told,
    crash,
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


def test_who_hears_of_a_childs_start_finds_it_in_the_picture() -> None:
    told, shown = Events(), list[bool]()
    crowd = ChildSpec(
        id="crowd", name="crowd", actor=DynamicSupervisorActor, kind="supervisor"
    )
    with Supervisor.start([crowd, worker("a")], events=told) as top:

        def look(event: Event) -> None:
            seen = [node.id for node in snapshot(top).walk()]
            shown.append(event.metadata["child_id"] in seen)

        told.attach(look, CHILD_START)
        DynamicSupervisor(top.registry, "crowd").start_child(worker("late"))
        top.start_child(worker("later"))
        top.terminate_child("a")
        top.restart_child("a")

        assert shown == [True, True, True]


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
        assert " ago: crashed: BoomError: boom)" in draw(picture)


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
        assert "a  busy with Block for " in draw(node)
        assert "1 waiting" in draw(node)
        block.release.set()


def test_an_actor_that_woke_by_itself_is_shown_at_work_of_its_own() -> None:
    block = Block()

    class Continuing(Scripted):
        def on_start(self) -> None:
            self.continue_with()

        def on_continue(self, term: object) -> None:
            block(term)

    with letting_go(block), Supervisor.start([worker("a", Continuing)]) as top:
        block.inside()

        assert "a  busy with work of its own for " in draw(snapshot(top))
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
            "└─ ! c  down",
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


def child(picture: TreeNode, *path: str) -> TreeNode:
    node = picture.find(*path)
    assert node is not None
    return node


def test_an_actor_is_shown_with_its_name_and_its_thread() -> None:
    with Supervisor.start([worker("a"), ChildSpec(id="b", actor=Scripted)]) as top:
        thread = refs(top)["a"].life.thread
        assert thread is not None

        picture = snapshot(top)

        assert picture.name == "root"
        assert child(picture, "a").name == "a"
        assert child(picture, "b").name is None
        assert child(picture, "a").thread == thread.name
        assert child(picture, "a").thread_id == thread.ident


def test_actors_on_a_loop_are_shown_with_the_thread_of_their_loop() -> None:
    children = [worker("loop", EventLoopActor), worker("a", LoopActor, loop="loop")]
    with Supervisor.start(children) as top:
        picture = snapshot(top)

        assert child(picture, "a").thread_id == child(picture, "loop").thread_id


def test_all_spans_are_told_on_the_trees_clock() -> None:
    clock = ManualClock(100.0)
    many = Intensity(max_restarts=10, within=100)
    with Supervisor.start([worker("a")], intensity=many, clock=clock) as top:
        for _ in range(2):
            clock.advance(5.0)
            crash(refs(top)["a"])
            top.which_children()
        clock.advance(2.0)

        picture = snapshot(top)

        assert picture.uptime == 12.0
        assert child(picture, "a").uptime == 2.0
        ago = [picture.taken_at - record.at for record in picture.history]
        assert ago == [7.0, 2.0]
        assert picture.last_restart == picture.history[1]
        assert "2 restarted (last a 2.0 s ago: crashed: BoomError" in draw(picture)


def test_the_age_of_the_oldest_message_counts_from_its_coming() -> None:
    with letting_go(Block()) as block, Supervisor.start([worker("a")]) as top:
        assert child(snapshot(top), "a").oldest_for == 0.0
        before = time.monotonic()
        top.handle("a").cast(block)
        block.inside()
        first = child(snapshot(top), "a").oldest_for
        later = child(snapshot(top), "a").oldest_for

        assert 0 < first < later <= time.monotonic() - before
        block.release.set()


def test_a_suspended_actor_is_shown_as_such() -> None:
    with Supervisor.start([worker("a")]) as top:
        ref = refs(top)["a"]
        ref.suspend()
        assert child(snapshot(top), "a").suspended
        assert draw(snapshot(top)).splitlines()[1] == "└─ ! a  suspended"

        ref.resume()

        assert not child(snapshot(top), "a").suspended


def stuck_in_here(block: Block) -> Block:
    """Makes a message whose stack shows this function's inner one."""

    class Stuck(Block):
        def __call__(self, actor: object) -> None:
            block(actor)

    return Stuck()


def test_zombies_are_shown_with_thread_and_age_and_their_stack_when_asked() -> None:
    with letting_go(Block()) as block, Supervisor.start([worker("a")]) as top:
        ref = refs(top)["a"]
        ref.cast(stuck_in_here(block))
        block.inside()
        thread = ref.life.thread
        assert thread is not None
        (busy,) = snapshot(top, stacks=True).children
        assert "block(actor)" in (busy.stack or "")
        ref.kill()
        top.which_children()

        (zombie,) = snapshot(top).zombies
        (with_stack,) = snapshot(top, stacks=True).zombies

        assert (zombie.label, zombie.thread) == ("a", thread.name)
        assert 0 < zombie.seconds < WAIT
        assert zombie.stack is None
        assert "block(actor)" in (with_stack.stack or "")
        first = draw(snapshot(top)).splitlines()[0]
        assert first.startswith("! root  1 restarted")
        assert "the thread of a still runs, " in first
        block.release.set()
        ref.life.thread_left.wait(WAIT)
        assert snapshot(top).zombies == ()


def test_a_process_is_shown_with_its_number_and_its_last_lines() -> None:
    program = ProcessSpec(
        argv=("sh", "-c", "echo hello; cat"),
        watches_stdin=True,
        ready=lambda line: line,
        started_when="ready",
    )
    spec = worker("p", ProcessActor, args=(program,))
    with Supervisor.start([spec]) as top:
        picture = snapshot(top)

        node = child(picture, "p")
        assert node.process_id is not None
        os.kill(node.process_id, 0)
        assert node.output == ("hello",)
        assert f"process {node.process_id}" in draw(picture, details=True)
        assert picture.to_dict()["children"][0]["output"] == []
        assert picture.to_dict(output=True)["children"][0]["output"] == ["hello"]
    assert child(snapshot(top.ref()), "p").process_id is None


def test_a_picture_goes_into_json_without_what_messages_hold() -> None:
    class Secret(Block):
        def __repr__(self) -> str:
            return "password"

    with letting_go(Secret()) as block, Supervisor.start([worker("a")]) as top:
        crash(refs(top)["a"])
        top.which_children()
        top.handle("a").cast(block)
        block.inside()

        text = json.dumps(snapshot(top, stacks=True).to_dict())

        assert "password" not in text
        told = json.loads(text)
        assert told["children"][0]["in_hand"] == "Secret"
        (record,) = told["history"]
        assert record["child_id"] == "a"
        assert record["reason"] == "crashed: BoomError: boom"
        assert record["seconds_ago"] >= 0
        block.release.set()


def test_crowds_are_folded_and_what_is_unusual_in_them_is_not() -> None:
    job = ChildSpec(id="job", actor=Scripted, restart=Restart.TEMPORARY)
    with DynamicSupervisor.start() as top:
        jobs = [top.start_child(job) for _ in range(CROWD + 10)]
        jobs[-1].suspend()

        lines = draw(snapshot(top)).splitlines()

        assert lines[0] == "root"
        assert lines[1:-2] == ["├─ job"] * SHOWN_OF_A_CROWD
        assert lines[-2] == "├─ ! job  suspended"
        folded = CROWD + 9 - SHOWN_OF_A_CROWD
        assert lines[-1] == f"└─ … {folded} more children, all up"
        jobs[-1].resume()


def test_a_crowd_of_unusual_children_is_folded_too() -> None:
    children = [worker(f"w{number}") for number in range(CROWD + 7)]
    with Supervisor.start(children) as top:
        for number in range(CROWD + 5):
            top.terminate_child(f"w{number}")

        lines = draw(snapshot(top)).splitlines()

        assert len(lines) == 1 + CROWD + 1
        assert lines[-1] == "└─ … 7 more children, 5 down, 2 up"


def test_a_thousand_children_are_shown_while_they_come_and_go() -> None:
    with SimpleSupervisor.start(
        ChildSpec(id="job", actor=Scripted, restart=Restart.TEMPORARY)
    ) as top:
        first = [top.start_child() for _ in range(1_000)]
        pending = [top.ref().submit(TerminateChild(child=ref)) for ref in first[:500]]

        counts = []
        while not pending[-1].done():
            counts.append(len(snapshot(top).children))

        assert counts == sorted(counts, reverse=True)
        assert len(snapshot(top).children) == 500


def test_a_snapshot_of_a_thousand_actors_is_cheap() -> None:
    job = ChildSpec(id="job", actor=Scripted, restart=Restart.TEMPORARY)
    with DynamicSupervisor.start() as top:
        for _ in range(1_000):
            top.start_child(job)

        costs = []
        for _ in range(10):
            began = time.thread_time()
            snapshot(top)
            costs.append(time.thread_time() - began)

        # The aim is 0.02 s; the bound leaves room for a slow machine.
        assert min(costs) < 0.1


def test_details_add_class_and_uptime() -> None:
    with Supervisor.start([worker("a")], clock=ManualClock()) as top:
        assert draw(snapshot(top), details=True).splitlines() == [
            "root  SupervisorActor, up 0.0 ms",
            "└─ a  Scripted, up 0.0 ms",
        ]
