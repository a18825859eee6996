"""Supervision of real actors: order, strategies, giving up, stopping."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from supervisors import (
    Actor,
    ActorDownError,
    AlreadyRegisteredError,
    ChildCounts,
    ChildNotFoundError,
    ChildSpec,
    ChildState,
    ChildStateError,
    ConfigError,
    Crashed,
    Events,
    Failed,
    Ignore,
    Intensity,
    Killed,
    NoProcess,
    Normal,
    Ref,
    Registry,
    Restart,
    RestartLimitError,
    Shutdown,
    StartError,
    Stop,
    Strategy,
    Supervisor,
    SupervisorActor,
    _census,
)
from supervisors import events as names
from supervisors._messages import AddChild
from supervisors.exits import RestartLimitReached
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    BoomError,
    Counter,
    Scripted,
    Told,
    boom,
    letting_go,
    nothing,
    refs,
    worker,
)

PLENTY = Intensity(max_restarts=1000, within=5.0)


def told(probe: Probe, *ids: str, **more: Any) -> list[ChildSpec]:
    return [worker(child_id, Told, args=(probe,), **more) for child_id in ids]


def taken(probe: Probe, count: int) -> list[tuple[str, str]]:
    """The next events, whose number is known; no more have come so far."""
    return [probe.expect() for _ in range(count)]


def rest(probe: Probe) -> list[tuple[str, str]]:
    """The events that have come by now."""
    return taken(probe, probe._queue.qsize())


def nested(child_id: str, children: Sequence[ChildSpec], **more: Any) -> ChildSpec:
    options: dict[str, Any] = {
        key: more.pop(key)
        for key in ("strategy", "intensity", "auto_shutdown")
        if key in more
    }
    return ChildSpec(
        id=child_id,
        actor=SupervisorActor,
        args=(tuple(children),),
        kwargs=options,
        kind="supervisor",
        **more,
    )


def settled(top: Supervisor) -> None:
    """Return when the supervisor has handled all it was told before."""
    top.which_children()


def restarted(top: Supervisor, name: str, old: Ref[Any]) -> Ref[Any]:
    """The next incarnation of a named child."""
    assert old.wait(WAIT) is not None
    return top.registry.await_name(name, WAIT)


# Start.


def test_children_start_in_order_and_stop_in_reverse() -> None:
    probe = Probe()

    with Supervisor.start(told(probe, "a", "b", "c")):
        assert taken(probe, 3) == [("start", "a"), ("start", "b"), ("start", "c")]

    assert taken(probe, 3) == [("end", "c"), ("end", "b"), ("end", "a")]
    probe.expect_nothing()


def test_a_child_that_does_not_start_stops_those_before_it() -> None:
    probe = Probe()
    specs = [
        *told(probe, "a", "b"),
        worker("c", Told, args=(probe,), kwargs={"fails": lambda: True}),
        *told(probe, "d"),
    ]

    with pytest.raises(StartError, match="child 'c' did not start") as caught:
        Supervisor.start(specs)

    assert taken(probe, 5) == [
        ("start", "a"),
        ("start", "b"),
        ("fail", "c"),
        ("end", "b"),
        ("end", "a"),
    ]
    probe.expect_nothing()
    error: BaseException | None = caught.value
    while error is not None and not isinstance(error, BoomError):
        error = error.__cause__
    assert isinstance(error, BoomError)


@pytest.mark.parametrize("error", [BoomError("no"), SystemExit(1), KeyboardInterrupt()])
def test_a_constructor_that_raises_is_a_failed_start(error: BaseException) -> None:
    class Broken(Actor):
        def __init__(self) -> None:
            super().__init__()
            raise error

    with Supervisor.start([worker("a")]) as top:
        with pytest.raises(StartError) as caught:
            top.start_child(worker("b", Broken))

        assert caught.value.reason == Crashed(error)
        assert caught.value.__cause__ is error
        assert top.handle("a").is_alive()


def test_ignored_children_are_down_and_kept() -> None:
    class Shy(Actor):
        def on_start(self) -> None:
            raise Ignore

    with Supervisor.start([worker("shy", Shy), worker("a")]) as top:
        states = {status.spec.id: status.state for status in top.which_children()}

        assert states == {"shy": ChildState.DOWN, "a": ChildState.UP}
        assert top.start_child(worker("shier", Shy)) is None


def test_duplicate_ids_are_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="two children have the id 'a'"):
        Supervisor.start([worker("a"), worker("a")])


def test_a_registry_holds_one_tree() -> None:
    registry = Registry()
    with (
        Supervisor.start(registry=registry),
        pytest.raises(ConfigError, match="another tree"),
    ):
        Supervisor.start(registry=registry)

    with pytest.raises(ConfigError, match="another tree"):
        Supervisor.start(registry=registry)


def test_a_name_that_is_taken_is_a_failed_start() -> None:
    with Supervisor.start([worker("a")]) as top:
        with pytest.raises(StartError) as caught:
            top.start_child(ChildSpec(id="b", actor=Scripted, name="a"))

        taken = caught.value.__cause__
        assert isinstance(taken, AlreadyRegisteredError)
        assert (taken.key, taken.ref) == ("a", top.registry.whereis("a"))


# Restart.


def test_one_for_one_restarts_only_the_child_that_ended() -> None:
    with Supervisor.start([worker(i, Counter) for i in "abc"]) as top:
        before = refs(top)

        before["b"].cast("boom")
        restarted(top, "b", before["b"])
        after = refs(top)

        assert list(after) == ["a", "b", "c"]
        assert after["a"] == before["a"]
        assert after["c"] == before["c"]
        assert after["b"] != before["b"]


def test_one_for_all_restarts_all_in_order() -> None:
    probe = Probe()
    with Supervisor.start(
        told(probe, "a", "b", "c"), strategy=Strategy.ONE_FOR_ALL
    ) as top:
        taken(probe, 3)

        top.handle("b").cast(boom)

        assert taken(probe, 6) == [
            ("end", "b"),
            ("end", "c"),
            ("end", "a"),
            ("start", "a"),
            ("start", "b"),
            ("start", "c"),
        ]


def test_rest_for_one_restarts_the_child_and_those_after_it() -> None:
    probe = Probe()
    with Supervisor.start(
        told(probe, "a", "b", "c"), strategy=Strategy.REST_FOR_ONE
    ) as top:
        taken(probe, 3)

        top.handle("b").cast(boom)

        assert taken(probe, 4) == [
            ("end", "b"),
            ("end", "c"),
            ("start", "b"),
            ("start", "c"),
        ]
        assert top.handle("a").is_alive()


def end_normally(actor: Actor) -> None:
    actor.exit(Normal())


@pytest.mark.parametrize(
    ("restart", "message", "comes_back"),
    [
        (Restart.PERMANENT, boom, True),
        (Restart.PERMANENT, end_normally, True),
        (Restart.TRANSIENT, boom, True),
        (Restart.TRANSIENT, end_normally, False),
        (Restart.TEMPORARY, boom, False),
        (Restart.TEMPORARY, end_normally, False),
    ],
)
def test_the_restart_policy_decides(
    restart: Restart, message: Callable[[Any], Any], *, comes_back: bool
) -> None:
    with Supervisor.start([worker("w", restart=restart)], intensity=PLENTY) as top:
        old = refs(top)["w"]
        # Behind the supervisor's own monitor: when it hears, the supervisor was told.
        heard = Probe()
        old.monitor(heard)

        old.cast(message)
        heard.expect()

        assert ("w" in refs(top)) is comes_back
        kept = [status.spec.id for status in top.which_children()]
        assert ("w" in kept) is (restart is not Restart.TEMPORARY)


def test_a_failed_restart_is_tried_again_behind_what_waits() -> None:
    probe = Probe()
    failing = threading.Event()
    spec = worker("a", Told, args=(probe,), kwargs={"fails": failing.is_set})
    with Supervisor.start([spec], intensity=PLENTY) as top:
        assert taken(probe, 1) == [("start", "a")]
        old = refs(top)["a"]
        failing.set()

        old.cast(boom)
        assert taken(probe, 3) == [("end", "a"), ("fail", "a"), ("fail", "a")]
        # Calls in between are answered.
        settled(top)
        failing.clear()

        assert restarted(top, "a", old).is_alive()


def test_an_unknown_message_is_logged_and_harms_nothing() -> None:
    with Supervisor.start([worker("a")]) as top:
        top.ref().cast("what is this")

        assert top.ref().call("and this") is None
        assert top.handle("a").is_alive()


# Giving up.


def test_too_many_restarts_end_the_tree_and_every_caller_hears_why() -> None:
    top = Supervisor.start(
        [worker("a"), worker("b", Counter)],
        intensity=Intensity(max_restarts=1, within=60),
    )
    waiting = Probe()
    block = Block()

    def ask() -> None:
        try:
            top.handle("a").call(block, None, idempotent=True)
        except ActorDownError as error:
            waiting(error)

    first = refs(top)["a"]
    first.cast(boom)
    second = restarted(top, "a", first)
    thread = threading.Thread(target=ask)
    with letting_go(block):
        thread.start()
        block.inside()
        second.kill()

        assert isinstance(waiting.expect(), RestartLimitError)
        thread.join(WAIT)
    assert top.ref().wait(WAIT) == Shutdown()
    for name in ("a", "b"):
        with pytest.raises(RestartLimitError, match="after 1 restarts") as caught:
            top.handle(name).call(nothing)
        assert isinstance(caught.value.reason, Shutdown)
        cause = caught.value.reason.term
        assert isinstance(cause, RestartLimitReached)
        assert cause.child_id == "a"


def test_restarts_are_counted_in_the_trees_own_time() -> None:
    clock = ManualClock()
    with Supervisor.start(
        [worker("a", Counter)],
        intensity=Intensity(max_restarts=1, within=5),
        clock=clock,
    ) as top:
        for _ in range(5):
            old = refs(top)["a"]
            old.cast("boom")
            restarted(top, "a", old)
            clock.advance(7)

        assert top.handle("a").call("get") == 0


def test_giving_up_is_an_event_with_its_cause() -> None:
    events = Events()
    probe = Probe()
    events.attach(probe, names.SUPERVISOR_GAVE_UP)
    top = Supervisor.start(
        [worker("a")], intensity=Intensity(max_restarts=0), events=events
    )

    top.handle("a").cast(boom)

    assert top.ref().wait(WAIT) == Shutdown()
    event = probe.expect()
    assert event.metadata["path"] == ()
    assert event.metadata["cause"].child_id == "a"


def test_a_branch_that_gives_up_is_started_again_and_its_callers_only_wait() -> None:
    probe = Probe()
    branch = nested(
        "branch", told(probe, "a", "b"), intensity=Intensity(max_restarts=0)
    )
    with Supervisor.start([branch, *told(probe, "z")], intensity=PLENTY) as top:
        taken(probe, 3)

        top.handle("a").cast(boom)
        alive = top.handle("b").call(
            lambda actor: actor.life.label, WAIT, idempotent=True
        )

        assert alive == "b"
        assert taken(probe, 4) == [
            ("end", "a"),
            ("end", "b"),
            ("start", "a"),
            ("start", "b"),
        ]
        assert top.handle("z").is_alive()


def test_while_a_branch_is_to_be_started_again_its_names_have_no_grave() -> None:
    probe = Probe()
    branch = nested("branch", [worker("a")], intensity=Intensity(max_restarts=0))
    with (
        letting_go(Block()) as block,
        Supervisor.start([branch], intensity=PLENTY) as top,
    ):
        ref = refs(top)["branch"]
        slow = worker("slow", Told, args=(probe,), kwargs={"fails": Fails(block)})
        busy = top.submit(AddChild(spec=slow))
        block.inside()
        top.handle("a").cast(boom)
        assert ref.wait(WAIT) == Shutdown()

        with pytest.raises(ActorDownError) as caught:
            top.handle("a").call(nothing, 0.01, idempotent=True)

        assert caught.value.reason == NoProcess()
        block.release.set()
        busy.get(timeout=WAIT)
        assert top.handle("a").call(nothing, WAIT, idempotent=True) is None


def test_a_branch_that_does_not_come_back_says_so_to_its_callers() -> None:
    branch = nested(
        "branch",
        [worker("a")],
        intensity=Intensity(max_restarts=0),
        restart=Restart.TRANSIENT,
    )
    with Supervisor.start([branch, worker("z")], intensity=PLENTY) as top:
        with pytest.raises(RestartLimitError) as caught:
            top.handle("a").call(boom, None, idempotent=True)

        assert isinstance(caught.value.__cause__, BoomError)
        assert top.handle("z").is_alive()


def test_an_escalation_keeps_the_chain_of_causes() -> None:
    inner = nested("inner", [worker("a")], intensity=Intensity(max_restarts=0))
    outer = nested("outer", [inner], intensity=Intensity(max_restarts=0))
    top = Supervisor.start([outer], intensity=Intensity(max_restarts=0))

    with pytest.raises(RestartLimitError) as caught:
        top.handle("a").call(boom, None, idempotent=True)

    chain = []
    error: BaseException | None = caught.value
    while error is not None:
        chain.append(error)
        error = error.__cause__
    assert [type(error) for error in chain] == [
        RestartLimitError,
        RestartLimitError,
        RestartLimitError,
        BoomError,
    ]
    assert [getattr(error, "name", None) for error in chain[:3]] == [
        "root",
        "outer",
        "inner",
    ]
    assert top.ref().wait(WAIT) == Shutdown()


def test_a_tree_that_was_stopped_did_not_give_up() -> None:
    top = Supervisor.start([worker("a")])
    assert top.stop(WAIT) == Shutdown()

    with pytest.raises(ActorDownError, match="it ended") as caught:
        top.handle("a").call(nothing)

    assert not isinstance(caught.value, RestartLimitError)


def test_a_significant_child_ends_its_supervisor() -> None:
    spec = worker("a", restart=Restart.TRANSIENT, significant=True)
    top = Supervisor.start([spec, worker("b")], auto_shutdown="any_significant")
    other = refs(top)["b"]

    top.handle("a").cast(end_normally)

    assert top.ref().wait(WAIT) == Shutdown()
    assert not other.is_alive()


# Stop.


def test_a_brutal_kill_runs_no_clean_up() -> None:
    probe = Probe()
    with Supervisor.start(told(probe, "a", shutdown="brutal_kill")):
        taken(probe, 1)

    probe.expect_nothing()


def test_a_child_that_does_not_stop_in_time_is_given_up() -> None:
    with letting_go(Block()) as block:
        with Supervisor.start([worker("a", shutdown=0.02)]) as top:
            ref = refs(top)["a"]
            ref.cast(block)
            block.inside()

        assert ref.wait(0) == Killed()
        assert ref.life in _census.zombies()
        assert top.ref().wait(0) == Shutdown()


def test_infinity_waits_until_the_child_has_stopped() -> None:
    with letting_go(Block()) as block:
        top = Supervisor.start([worker("a", shutdown="infinity")])
        ref = refs(top)["a"]
        ref.cast(block)
        block.inside()
        assert top.stop(0.05) is None
        assert ref.is_alive()
        block.release.set()

        assert top.ref().wait(WAIT) == Shutdown()
        assert ref.wait(0) == Shutdown()


def test_a_killed_tree_leaves_no_orphans() -> None:
    children = [worker("a"), worker("b")]
    top = Supervisor.start([nested("branch", children), worker("c")])
    branch = refs(top)["branch"]
    a, b, c = (top.registry.resolve(name) for name in "abc")

    assert top.ref().kill()

    assert [ref.wait(WAIT) for ref in (c, branch)] == [Killed(), Killed()]
    # A supervisor below ends by itself and stops its own in order, as in OTP.
    assert [ref.wait(0) for ref in (a, b)] == [Shutdown(), Shutdown()]


def test_a_killed_branch_is_started_again_with_its_names() -> None:
    branch = nested("branch", [worker("a", Counter), worker("b", Counter)])
    with Supervisor.start([branch], intensity=PLENTY) as top:
        for _ in range(50):
            old = top.registry.await_name("b", WAIT)
            refs(top)["branch"].kill()

            assert top.handle("b").call("get", WAIT, idempotent=True) == 0
            assert not old.is_alive()

        settled(top)
        history = top.ref().life.children().history
        assert {str(record.reason) for record in history} == {"killed"}
        assert len(history) == 50


def test_a_branch_killed_while_its_child_is_stuck_is_started_again() -> None:
    branch = nested("branch", [worker("a")])
    with (
        letting_go(Block()) as block,
        Supervisor.start([branch], intensity=PLENTY) as top,
    ):
        old = top.registry.resolve("a")
        old.cast(block)
        block.inside()

        refs(top)["branch"].kill()

        answer = top.handle("a").call(lambda actor: "new", WAIT, idempotent=True)
        assert answer == "new"
        assert old.wait(0) == Killed()


@pytest.mark.parametrize("behind", ["", "z"])
def test_a_supervisor_killed_while_it_starts_children_leaves_none(behind: str) -> None:
    probe = Probe()
    failed = Probe()
    with letting_go(Block()) as block, Supervisor.start() as top:
        slow = worker("slow", Told, args=(probe,), kwargs={"fails": Fails(block)})
        spec = nested("branch", [*told(probe, "a"), slow, *told(probe, *behind)])

        def start() -> None:
            try:
                top.start_child(spec)
            except StartError as error:
                failed(error)

        thread = threading.Thread(target=start)
        thread.start()
        block.inside()
        (branch,) = (life for life in _census.alive() if life.label == "branch")
        first = top.registry.resolve("a")

        branch.end(Killed())

        assert first.wait(WAIT) == Killed()
        block.release.set()
        assert isinstance(failed.expect(), StartError)
        thread.join(WAIT)
        assert branch.thread_left.wait(WAIT)
        assert top.registry.names() == ("root",)
        assert taken(probe, 2) == [("start", "a"), ("start", "slow")]
        assert ("start", "z") not in rest(probe)


class Fails:
    """Keeps a start busy until it is let go; does not fail it."""

    def __init__(self, block: Block) -> None:
        self.block = block

    def __call__(self) -> bool:
        self.block(None)
        return False


def test_stop_returns_none_when_it_takes_too_long() -> None:
    with letting_go(Block()) as block:
        top = Supervisor.start([worker("a", shutdown=WAIT)])
        top.handle("a").cast(block)
        block.inside()

        assert top.stop(0.01) is None
        block.release.set()
        assert top.stop(WAIT) == Shutdown()


# Children on demand.


def test_start_child_adds_at_the_end() -> None:
    with Supervisor.start([worker("a")]) as top:
        ref = top.start_child(worker("b", Counter, args=(4,)))

        assert ref.call("get") == 4
        assert list(refs(top)) == ["a", "b"]


def test_terminate_restart_and_delete() -> None:
    with Supervisor.start([worker("a", Counter), worker("b")]) as top:
        top.terminate_child("a")
        assert [status.state for status in top.which_children()] == [
            ChildState.UP,
            ChildState.DOWN,
        ]
        with pytest.raises(ActorDownError) as caught:
            top.handle("a").call("get")
        assert caught.value.reason == NoProcess()

        assert top.restart_child("a").call("get") == 0
        assert list(refs(top)) == ["a", "b"]

        top.terminate_child("a")
        top.delete_child("a")
        assert list(refs(top)) == ["b"]


def test_errors_of_calls_about_children() -> None:
    with Supervisor.start([worker("a"), worker("b")]) as top:
        top.terminate_child("b")
        calls: list[tuple[Callable[[], Any], str]] = [
            (lambda: top.start_child(worker("a")), "already_started"),
            (lambda: top.start_child(worker("b")), "already_present"),
            (lambda: top.restart_child("a"), "running"),
            (lambda: top.delete_child("a"), "running"),
        ]
        for call, state in calls:
            with pytest.raises(ChildStateError) as caught:
                call()
            assert caught.value.state == state

        for unknown in (top.terminate_child, top.restart_child, top.delete_child):
            with pytest.raises(ChildNotFoundError, match="its children are") as lost:
                unknown("ghost")
            assert lost.value.known == ("a", "b")


def test_a_child_that_does_not_start_is_an_error_with_its_cause() -> None:
    failing = threading.Event()
    probe = Probe()
    spec = worker("a", Told, args=(probe,), kwargs={"fails": failing.is_set})
    with Supervisor.start() as top:
        failing.set()
        with pytest.raises(StartError, match="child 'a' did not start") as caught:
            top.start_child(spec)
        assert isinstance(caught.value.__cause__, BoomError)
        assert top.which_children() == ()

        failing.clear()
        top.start_child(spec)
        top.terminate_child("a")
        failing.set()
        with pytest.raises(StartError):
            top.restart_child("a")
        (status,) = top.which_children()
        assert status.state is ChildState.DOWN


def test_a_start_that_takes_too_long_is_given_up() -> None:
    probe = Probe()
    with letting_go(Block()) as block, Supervisor.start([worker("a")]) as top:
        slow = worker(
            "slow",
            Told,
            args=(probe,),
            kwargs={"fails": Fails(block)},
            start_timeout=0.02,
        )

        with pytest.raises(StartError, match="start timeout"):
            top.start_child(slow)

        assert top.handle("a").is_alive()


def test_counts() -> None:
    with Supervisor.start([worker("a"), worker("b"), nested("s", [])]) as top:
        top.terminate_child("b")

        assert top.count_children() == ChildCounts(
            specs=3, active=2, supervisors=1, workers=2
        )


def test_a_child_knows_where_it_is() -> None:
    with Supervisor.start([nested("branch", [worker("a")])]) as top:
        where = top.handle("a").call(
            lambda actor: (actor.surroundings.path, actor.surroundings.parent)
        )

        assert where == (("branch", "a"), refs(top)["branch"])


def test_a_stop_reason_of_the_childs_choice_reaches_the_events() -> None:
    events = Events()
    probe = Probe()
    events.attach(probe, names.CHILD_EXIT)

    def stop(actor: Actor) -> None:
        raise Stop(Failed("my own reason"))

    with Supervisor.start([worker("a")], events=events) as top:
        top.handle("a").cast(stop)

        assert probe.expect().metadata["reason"] == Failed("my own reason")
