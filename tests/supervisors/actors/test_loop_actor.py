"""What only actors on a loop can do: be cancelled, share a loop, lose it."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from supervisors import (
    Actor,
    ActorDownError,
    BlockingCallError,
    ChildSpec,
    ConfigError,
    Crashed,
    EventLoopActor,
    Failed,
    Hung,
    Ignore,
    Intensity,
    Killed,
    LoopActor,
    Ref,
    ReplyFuture,
    Shutdown,
    StartError,
    Strategy,
    Supervisor,
    _census,
)
from supervisors._current import _by_task, current_life
from supervisors._launch import begin, conclude, launch
from supervisors._on_loop import LoopMailbox
from supervisors.testing import Probe
from tests.supervisors.actors.on_loops import Task, asleep, on_a_loop
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    BoomError,
    Scripted,
    boom,
    letting_go,
    nothing,
    running,
)


class Owner(Scripted, EventLoopActor):
    """Owns a loop, and does what it is sent there."""


@pytest.fixture
def owner() -> Iterator[Ref[Any]]:
    with running(Owner) as ref:
        yield ref
    assert ref.life.thread_left.wait(WAIT)
    assert not _by_task


# Cancelled for real.


@pytest.mark.parametrize("reason", [Killed(), Failed("enough")])
def test_who_awaits_is_cancelled_and_closes(owner: Ref[Any], reason: Any) -> None:
    probe = Probe()
    ref = Task.start_on(owner, probe)
    future = ref.submit(asleep)
    assert probe.expect() == "asleep"

    ref.kill(reason)

    with pytest.raises(ActorDownError) as caught:
        future.get(timeout=WAIT)
    assert caught.value.reason == reason
    assert [probe.expect(), probe.expect()] == ["cancelled", "closed"]
    assert ref.life.thread_left.wait(WAIT)
    probe.expect_nothing()


def test_an_owner_that_awaits_is_cancelled_as_well() -> None:
    probe = Probe()
    ref = Owner.start()
    ref.call(lambda actor: setattr(actor, "probe", probe))
    ref.cast(asleep)
    assert probe.expect() == "asleep"

    ref.kill()

    assert probe.expect() == "cancelled"
    assert ref.life.thread_left.wait(WAIT)


def test_a_handler_that_swallows_its_cancellation_ends_when_it_returns(
    owner: Ref[Any],
) -> None:
    probe = Probe()

    async def forgiven() -> None:
        # A task group or a timeout in there would take the old one for a new one.
        task = asyncio.current_task()
        probe(None if task is None else task.cancelling())

    async def stubborn(actor: Any) -> str:
        try:
            await asleep(actor)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        actor.probe("returns")
        actor.on_close = forgiven
        return "too late"

    ref = Task.start_on(owner, probe)
    ref.cast(stubborn)
    assert probe.expect() == "asleep"

    ref.kill()

    assert [probe.expect() for _ in range(3)] == ["cancelled", "returns", 0]
    assert ref.life.thread_left.wait(WAIT)
    assert ref.wait(0) == Killed()


def test_a_handler_that_never_ends_is_a_zombie(owner: Ref[Any]) -> None:
    probe = Probe()
    release = ReplyFuture[None]()

    async def immortal(actor: Any) -> None:
        while not release.done():
            try:
                actor.probe("on")
                await release
            except asyncio.CancelledError:
                continue

    ref = Task.start_on(owner, probe)
    ref.cast(immortal)
    assert probe.expect() == "on"

    ref.kill()

    assert ref.wait(0) == Killed()
    assert probe.expect() == "on"
    assert ref.life in _census.zombies()
    release.resolve(None)
    assert ref.life.thread_left.wait(WAIT)
    assert ref.life not in _census.zombies()


def test_an_actor_killed_while_it_starts_stops_starting(owner: Ref[Any]) -> None:
    probe = Probe()

    class Slow(Task):
        def on_start(self) -> Any:
            return asleep(self)

    actor = Slow(probe)
    actor.owner = owner
    begin(actor)
    assert probe.expect() == "asleep"

    actor.actor_ref.kill()

    with pytest.raises(StartError) as caught:
        conclude(actor.life, WAIT)
    assert caught.value.reason == Killed()
    assert probe.expect() == "cancelled"
    assert actor.life.thread_left.wait(WAIT)
    # What never started has nothing to close.
    probe.expect_nothing()


def test_an_actor_killed_before_its_task_began_never_begins(owner: Ref[Any]) -> None:
    probe = Probe()
    actor = Task(probe)
    actor.owner = owner
    with letting_go(Block()) as block:
        owner.cast(block)
        block.inside()
        begin(actor)

        actor.actor_ref.kill()

    assert actor.life.thread_left.wait(WAIT)
    assert actor.life not in _census.alive()
    probe.expect_nothing()


@on_a_loop
async def test_a_task_cancelled_before_its_first_step_still_leaves() -> None:
    actor = Task()
    actor.owner = asyncio.get_running_loop()
    begin(actor)
    # One turn makes the task; its first step is for the next.
    await asyncio.sleep(0)
    (task,) = asyncio.all_tasks() - {asyncio.current_task()}

    task.cancel()

    await actor.life.thread_left
    assert actor.actor_ref.wait(0) == Killed()
    assert actor.life not in _census.alive()


@on_a_loop
async def test_a_cancellation_by_strangers_is_a_kill_with_time_to_clean_up() -> None:
    probe = Probe()
    ref = await Task.astart(probe)
    (task,) = _by_task

    task.cancel()

    assert await ref.life.ended == Killed()
    assert [probe.expect(), probe.expect()] == [("on_end", Killed()), "closed"]


@on_a_loop
async def test_a_cancellation_of_somebody_else_is_a_crash() -> None:
    async def await_the_cancelled(actor: Any) -> None:
        other = asyncio.ensure_future(asyncio.Event().wait())
        other.cancel()
        await other

    ref = await Task.astart()

    with pytest.raises(ActorDownError) as caught:
        await ref.acall(await_the_cancelled)

    assert isinstance(caught.value.__cause__, asyncio.CancelledError)


@on_a_loop
async def test_a_late_cancellation_does_not_hit_on_close() -> None:
    probe = Probe()
    ref = await Task.astart(probe)

    # It sees that it is over as soon as its handler returns, before it is cancelled.
    ref.cast(lambda actor: actor.actor_ref.kill())

    await ref.life.thread_left
    assert probe.expect() == "closed"


def test_a_kill_ends_an_on_close_and_an_on_end_that_hang(owner: Ref[Any]) -> None:
    class Hangs(Task):
        async def on_close(self) -> None:
            await asleep(self)

    class Lingers(Task):
        def on_end(self, reason: Any) -> Any:
            return asleep(self)

        def on_stop(self) -> None:
            self.probe("on_stop")

    for actor_class, then in ((Hangs, []), (Lingers, ["closed"])):
        probe = Probe()
        ref = actor_class.start_on(owner, probe)
        ref.shutdown()
        while probe.expect() != "asleep":
            pass

        ref.kill()

        assert probe.expect() == "cancelled"
        assert ref.life.thread_left.wait(WAIT)
        assert [probe.expect() for _ in then] == then
        probe.expect_nothing()


def test_a_failed_start_keeps_its_reason_and_closes_nothing(owner: Ref[Any]) -> None:
    class Fails(Task):
        def on_start(self) -> None:
            raise BoomError("no")

    probe = Probe()
    with pytest.raises(StartError, match="did not start: no") as caught:
        Fails.start_on(owner, probe)

    assert isinstance(caught.value.reason, Crashed)
    probe.expect_nothing()


# Messages that are taken at a bad moment.


class Unlucky(Task):
    """Something happens to it whenever it takes a message."""

    befalls: Any = None

    def _take_next(self) -> Any:
        envelope = super()._take_next()
        if envelope is not None and self.befalls is not None:
            self.befalls()
        return envelope


def test_a_message_taken_as_a_shutdown_came_is_not_handled(owner: Ref[Any]) -> None:
    actor = Unlucky()
    actor.owner = owner
    launch(actor, WAIT)
    actor.befalls = lambda: actor.actor_ref.shutdown(Shutdown("now"))

    with pytest.raises(ActorDownError) as caught:
        actor.actor_ref.call(nothing, timeout=WAIT)

    assert caught.value.reason == Shutdown("now")


def test_a_message_taken_as_a_suspension_came_waits_or_is_answered(
    owner: Ref[Any],
) -> None:
    for end, error in ((lambda ref: ref.resume(), None), (Ref.kill, ActorDownError)):
        actor = Unlucky()
        actor.owner = owner
        launch(actor, WAIT)
        ref = actor.actor_ref
        suspended = Probe()
        actor.befalls = lambda life=actor.life, told=suspended: told(life.suspend())

        future = ref.submit(lambda actor: "handled")
        assert suspended.expect().wait(WAIT)
        assert not future.done()
        actor.befalls = None
        end(ref)

        if error is None:
            assert future.get(timeout=WAIT) == "handled"
            ref.shutdown()
        else:
            with pytest.raises(error):
                future.get(timeout=WAIT)
        assert ref.life.thread_left.wait(WAIT)


@on_a_loop
async def test_a_mailbox_that_woke_before_the_sleep_began_lets_nobody_sleep() -> None:
    box = LoopMailbox()
    box.open_on(asyncio.get_running_loop())
    box.rearm()

    box.poke()

    assert box.sleep().done()
    box.rearm()
    sleeper = box.sleep()
    assert not sleeper.done()
    box.poke()
    assert sleeper.done()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX has timers")
@on_a_loop
async def test_a_message_from_a_signals_handler_wakes_the_sleeping_loop() -> None:
    came = asyncio.Event()
    ref = await Task.astart()
    before = signal.signal(
        signal.SIGALRM, lambda *_: ref.cast(lambda actor: came.set())
    )
    try:
        # Comes in the loop's own thread, while it sleeps.
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        async with asyncio.timeout(WAIT):
            await came.wait()
    finally:
        signal.signal(signal.SIGALRM, before)
    await ref.acall(lambda actor: actor.exit())
    await ref.life.thread_left


# Where it lives.


@pytest.mark.parametrize(
    "reason", [Shutdown("closing time"), Failed("broken"), Hung(3.0)]
)
def test_who_lives_on_a_loop_ends_with_its_owner(reason: Any) -> None:
    probes = [Probe() for _ in range(20)]
    owner = Owner.start()
    refs = [Task.start_on(owner, probe) for probe in probes]
    for ref, probe in zip(refs[:10], probes, strict=False):
        ref.cast(asleep)
        assert probe.expect() == "asleep"

    owner.kill(reason)

    for ref, probe in zip(refs, probes, strict=True):
        assert ref.wait(WAIT) == reason
        assert probe.expect() in ("cancelled", "closed")
    assert owner.life.thread_left.wait(WAIT)
    assert all(ref.life.thread_left.done() for ref in refs)


def test_an_orderly_end_of_the_owner_leaves_its_actors_time_to_close() -> None:
    class Thorough(Task):
        async def on_close(self) -> None:
            await asyncio.sleep(0.01)
            self.probe("closed")

    probe = Probe()
    owner = Owner.start()
    Thorough.start_on(owner, probe)

    owner.shutdown()

    assert owner.life.thread_left.wait(WAIT)
    assert probe.expect() == "closed"


def test_an_actor_started_on_the_loop_itself_ends_with_the_owner() -> None:
    owner = Owner.start()
    ref = owner.call(lambda _: Task.astart())

    owner.kill(Failed("broken"))

    assert ref.wait(WAIT) == Failed("broken")
    assert owner.life.thread_left.wait(WAIT)


def test_a_tree_restarts_a_loop_and_those_who_live_on_it() -> None:
    children = [
        ChildSpec(id="loop", actor=Owner, name="loop"),
        *(
            ChildSpec(id=name, actor=Task, name=name, loop="loop")
            for name in ("a", "b", "c")
        ),
    ]
    with Supervisor.start(
        children,
        strategy=Strategy.REST_FOR_ONE,
        intensity=Intensity(max_restarts=1, within=60),
    ) as top:
        before = {name: top.registry.whereis(name) for name in ("a", "b", "c")}
        loop = top.registry.whereis("loop")
        assert loop is not None

        loop.kill()

        for name, old in before.items():
            assert old is not None
            # Either its loop ended it, or the supervisor was faster.
            assert old.wait(WAIT) is not None
            where = top.handle(name).call(
                lambda actor: asyncio.get_running_loop(), WAIT, idempotent=True
            )
            new = top.registry.whereis("loop")
            assert new is not None
            assert where is new.life.loop


def test_an_actor_whose_loop_does_not_run_is_not_started() -> None:
    owner = Owner.start()
    owner.kill()
    assert owner.life.thread_left.wait(WAIT)

    with pytest.raises(StartError, match="does not run") as caught:
        Task.start_on(owner)

    assert isinstance(caught.value.reason, Failed)


def test_an_actor_on_a_closed_loop_is_not_started() -> None:
    loop = asyncio.new_event_loop()
    loop.close()

    with pytest.raises(StartError, match="closed") as caught:
        Task.start_on(loop)

    assert caught.value.reason == Failed("its event loop was closed")


def test_whoever_sends_to_an_actor_whose_loop_was_closed_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.new_event_loop()
    ref = loop.run_until_complete(Task.astart())
    assert loop.run_until_complete(ref.acall(lambda actor: 7)) == 7
    (task,) = _by_task
    # Nobody cancels it.
    loop.close()

    with pytest.raises(ActorDownError) as caught:
        ref.call(nothing, timeout=WAIT)

    assert caught.value.reason == Failed("its event loop was closed")
    assert ref.life.thread_left.wait(WAIT)
    assert ref.life not in _census.alive()
    assert not _by_task
    # What Python does when it finds the task that was forgotten.
    cast("Any", task.get_coro()).close()
    with caplog.at_level(logging.CRITICAL, "asyncio"):
        del task, ref, caught
        gc.collect()


def test_the_end_of_asyncio_run_ends_those_who_live_there() -> None:
    probe = Probe()

    async def program() -> Ref[Any]:
        return await Task.astart(probe)

    ref = asyncio.run(program())

    assert ref.wait(0) == Killed()
    assert ref.life.thread_left.done()
    assert [probe.expect(), probe.expect()] == [("on_end", Killed()), "closed"]


def test_start_says_what_is_missing() -> None:
    with pytest.raises(ConfigError, match="start_on"):
        Task.start()


@on_a_loop
async def test_start_on_the_running_loop_is_refused() -> None:
    with pytest.raises(BlockingCallError, match="astart"):
        Task.start_on(asyncio.get_running_loop())


def test_start_on_in_an_actor_on_a_loop_is_refused(owner: Ref[Any]) -> None:
    ref = Task.start_on(owner)
    with running(Owner) as other, pytest.raises(ActorDownError) as caught:
        ref.call(lambda actor: Task.start_on(other))

    assert isinstance(caught.value.__cause__, BlockingCallError)


@on_a_loop
async def test_astart_raises_what_on_start_raised() -> None:
    class Starts(Task):
        def __init__(self, error: Exception) -> None:
            super().__init__()
            self.error = error

        async def on_start(self) -> None:  # type: ignore[override] # a coroutine here
            await asyncio.sleep(0)
            raise self.error

    with pytest.raises(StartError, match="boom") as caught:
        await Starts.astart(BoomError("boom"))
    assert isinstance(caught.value.__cause__, BoomError)
    with pytest.raises(Ignore):
        await Starts.astart(Ignore())


@on_a_loop
async def test_a_cancelled_astart_leaves_no_actor() -> None:
    probe = Probe()

    class Slow(Task):
        def on_start(self) -> Any:
            return asleep(self)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await Slow.astart(probe)

    (life,) = _by_task.values()
    await life.thread_left
    assert life.ended.get() == Killed()
    assert [probe.expect(), probe.expect()] == ["asleep", "cancelled"]


# Its neighbours.


def test_a_blocking_call_on_a_loop_is_refused(owner: Ref[Any]) -> None:
    with running(Scripted) as other:
        for caller in (owner, Task.start_on(owner)):

            def refused(actor: Any) -> str:
                with pytest.raises(BlockingCallError, match="acall"):
                    other.call(nothing)
                return "refused"

            assert caller.call(refused) == "refused"


@on_a_loop
async def test_on_your_loop_an_actor_may_not_block_and_you_may() -> None:
    with running(Scripted) as other:
        ref = await Task.astart()
        with pytest.raises(ActorDownError) as caught:
            await ref.acall(lambda actor: other.call(nothing))

        assert isinstance(caught.value.__cause__, BlockingCallError)
        assert other.call(lambda actor: "as in a notebook") == "as in a notebook"
        assert current_life() is None


@on_a_loop
async def test_one_that_is_always_busy_leaves_the_others_their_turn() -> None:
    def again(actor: Any) -> None:
        actor.actor_ref.cast(again)

    busy = await Task.astart()
    other = await Task.astart()
    busy.cast(again)

    assert await other.acall(lambda actor: "my turn") == "my turn"
    busy.kill()
    other.shutdown()
    await busy.life.thread_left
    await other.life.thread_left


def test_a_crash_leaves_the_neighbours_alone(owner: Ref[Any]) -> None:
    first, second = Task.start_on(owner), Task.start_on(owner)

    first.cast(boom)

    assert isinstance(first.wait(WAIT), Crashed)
    assert second.call(lambda actor: "here") == "here"


def test_a_loop_that_somebody_breaks_ends_with_all_on_it() -> None:
    def break_it(actor: Any) -> None:
        async def leave() -> None:
            raise SystemExit(3)

        actor.task = asyncio.get_running_loop().create_task(leave())

    owner = Owner.start()
    ref = Task.start_on(owner)

    owner.cast(break_it)

    assert owner.wait(WAIT) is not None
    assert ref.wait(WAIT) is not None
    assert owner.life.thread_left.wait(WAIT)


def test_two_thousand_actors_on_one_loop_answer(owner: Ref[Any]) -> None:
    async def program(_: Any) -> list[Any]:
        refs = [await Task.astart() for _ in range(2_000)]
        calls = (
            ref.acall(lambda actor, number=number: number, timeout=60)
            for number, ref in enumerate(refs)
        )
        return await asyncio.gather(*calls)

    assert owner.call(program, timeout=60) == list(range(2_000))


# Found when it hangs.


def test_an_actor_that_awaits_shows_since_when(owner: Ref[Any]) -> None:
    probe = Probe()
    ref = Task.start_on(owner, probe)
    before = ref.life.clock.monotonic()

    ref.cast(asleep)
    assert probe.expect() == "asleep"

    assert ref.life.in_hand is not None
    assert before <= ref.life.in_hand_since <= ref.life.clock.monotonic()


def test_a_loop_that_turns_answers_a_ping(owner: Ref[Any]) -> None:
    pong = Probe()
    assert owner.life.ping is not None

    owner.life.ping(lambda: pong(threading.current_thread()))

    assert pong.expect() is owner.life.thread


def test_a_blocked_loop_answers_no_ping(owner: Ref[Any]) -> None:
    pong = Probe()
    ref = Task.start_on(owner)
    assert owner.life.ping is not None
    with letting_go(Block()) as block:
        ref.cast(block)
        block.inside()

        owner.life.ping(lambda: pong("pong"))

        pong.expect_nothing()
    assert pong.expect() == "pong"


def test_without_a_loop_a_ping_is_answered_at_once() -> None:
    pong = Probe()
    actor = Owner()
    assert actor.life.ping is not None
    actor.life.ping(lambda: pong("before"))
    assert pong.expect() == "before"

    ref = Owner.start()
    ref.kill()
    assert ref.life.thread_left.wait(WAIT)
    assert ref.life.ping is not None
    ref.life.ping(lambda: pong("after"))
    assert pong.expect() == "after"


def test_a_hung_loop_is_replaced_with_those_who_live_on_it() -> None:
    children = [
        ChildSpec(id="loop", actor=Owner, name="loop", hang_after=0.2),
        ChildSpec(id="a", actor=Task, name="a", loop="loop"),
    ]
    with (
        letting_go(Block()) as block,
        Supervisor.start(
            children,
            strategy=Strategy.REST_FOR_ONE,
            intensity=Intensity(max_restarts=3, within=60),
        ) as top,
    ):
        old = top.registry.resolve("a")

        old.cast(block)

        assert isinstance(old.wait(WAIT), Hung)
        answer = top.handle("a").call(lambda actor: "again", WAIT, idempotent=True)
        assert answer == "again"
        block.release.set()
        assert old.life.thread_left.wait(WAIT)


@on_a_loop
async def test_who_only_lives_on_a_loop_is_no_owner_of_it() -> None:
    lodger = await Task.astart()

    with pytest.raises(StartError, match="does not run"):
        await asyncio.to_thread(Task.start_on, lodger)

    lodger.shutdown()
    await lodger.life.thread_left


def test_a_plain_actor_of_the_name_is_no_loop() -> None:
    class Plain(Actor):
        pass

    class Lives(LoopActor):
        pass

    with running(Plain) as ref, pytest.raises(StartError, match="does not run"):
        Lives.start_on(ref)
