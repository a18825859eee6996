"""One actor's life, in a thread or on a loop: start, messages, replies, timers, end."""

from __future__ import annotations

import logging
import queue
import threading
import weakref
from typing import Any

import pykka
import pytest

from supervisors import (
    NO_REPLY,
    Actor,
    ActorDownError,
    CallTimeoutError,
    Crashed,
    Events,
    Failed,
    Ignore,
    Killed,
    Normal,
    Refuse,
    Registry,
    ReplyToken,
    SelfCallError,
    Shutdown,
    StartError,
    Stop,
    Surroundings,
)
from supervisors.testing import ManualClock, Probe, ProbeActor
from tests.supervisors.actors.parts import (
    WAIT,
    BoomError,
    Scripted,
    boom,
    letting_go,
    nothing,
)
from tests.supervisors.contracts.homes import Threads


class Hooks(Scripted):
    """Says which hooks ran."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self.probe = probe

    def on_end(self, reason: Any) -> None:
        self.probe(("on_end", type(reason)))

    def on_stop(self) -> None:
        self.probe("on_stop")

    def on_failure(self, *exc_info: Any) -> None:
        self.probe(("on_failure", exc_info[0]))


class Starts(Actor):
    """Does in `on_start` what it is given."""

    def __init__(self, step: Any) -> None:
        super().__init__()
        self.step = step

    def on_start(self) -> Any:
        return self.step(self)


def raising(error: BaseException) -> Any:
    def step(actor: Any) -> Any:
        raise error

    return step


# Start.


def test_start_returns_when_on_start_is_done(home: Threads) -> None:
    done: list[str] = []

    with home.running(
        Starts, lambda actor: done.append(threading.current_thread().name)
    ):
        assert len(done) == 1

    assert done != [threading.current_thread().name]


def test_a_failing_on_start_raises_with_its_cause_and_leaves_nothing(
    home: Threads,
) -> None:
    with pytest.raises(StartError, match="did not start: boom") as caught:
        home.start(Starts, raising(BoomError("boom")))

    assert isinstance(caught.value.__cause__, BoomError)
    assert isinstance(caught.value.reason, Crashed)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_on_start_may_raise_anything(home: Threads, error: BaseException) -> None:
    with home.running(Scripted) as bystander:
        with pytest.raises(StartError) as caught:
            home.start(Starts, raising(error))

        assert caught.value.reason == Crashed(error)
        assert bystander.is_alive()


def test_on_start_may_choose_the_reason(home: Threads) -> None:
    with pytest.raises(StartError) as caught:
        home.start(Starts, raising(Stop(Failed("no disk"))))

    assert caught.value.reason == Failed("no disk")


def test_ignore_is_handed_to_the_starter(home: Threads) -> None:
    with pytest.raises(Ignore):
        home.start(Starts, raising(Ignore()))


def test_a_constructor_that_raises_does_so_in_the_starter(home: Threads) -> None:
    class Broken(Actor):
        def __init__(self) -> None:
            super().__init__()
            raise BoomError("no")

    with pytest.raises(BoomError, match="no"):
        home.start(Broken)


def test_a_start_that_takes_too_long_is_given_up(home: Threads) -> None:
    with letting_go(home.block()) as block:
        actor = home.make(Starts, block)

        with pytest.raises(StartError, match="did not start within"):
            home.launch(actor, timeout=0.02)

        assert actor.life.ended.get(timeout=WAIT) == Killed()
        home.expect_abandoned(actor.life)


def test_an_actor_killed_before_its_thread_runs_never_starts(home: Threads) -> None:
    started: list[Any] = []
    actor = home.make(Starts, started.append)
    actor.actor_ref.kill()

    with pytest.raises(StartError):
        home.launch(actor)

    assert actor.life.thread_left.wait(WAIT)
    assert started == []


def test_an_actor_that_gets_no_thread_does_not_start_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_thread(job: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("supervisors._actor_loop.THREADS.run", no_thread)

    with pytest.raises(StartError, match="can't start new thread") as caught:
        Scripted.start()

    assert isinstance(caught.value.reason, Crashed)
    assert pykka.ActorRegistry.get_all() == []


def test_on_end_may_give_another_reason() -> None:
    class Particular(Scripted):
        def on_end(self, reason: Any) -> None:
            self.exit(Failed("on second thoughts"))

    ref = Particular.start()
    ref.shutdown()

    assert ref.wait(WAIT) == Failed("on second thoughts")


# Crashes and refusals.


def test_a_crash_under_call_ends_the_actor_and_tells_the_caller_why(
    home: Threads,
) -> None:
    ref = home.start(Scripted)

    with pytest.raises(ActorDownError, match="crashed: BoomError: boom") as caught:
        ref.call(boom)

    assert isinstance(caught.value.__cause__, BoomError)
    reason = ref.wait(WAIT)
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, BoomError)


def test_whoever_is_told_of_a_death_finds_the_actor_dead(home: Threads) -> None:
    ref = home.start(Scripted)
    alive: list[bool] = []
    # Runs before anybody is told.
    ref.life.before_end(lambda reason: alive.append(ref.is_alive()))

    with pytest.raises(ActorDownError):
        ref.call(boom)

    assert alive == [False]


def test_a_crash_under_cast_ends_the_actor_and_is_reported(
    home: Threads,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ref = home.start(Scripted)

    with caplog.at_level(logging.ERROR, "supervisors"):
        ref.cast(boom)
        assert isinstance(ref.wait(WAIT), Crashed)

    (record,) = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], BoomError)


def test_callers_that_wait_get_the_reason_and_the_cause(home: Threads) -> None:
    ref = home.start(Scripted)
    with letting_go(home.block()) as block:
        ref.cast(block)
        ref.cast(boom)
        waiting = [ref.submit(nothing) for _ in range(3)]
    errors = []
    for future in waiting:
        with pytest.raises(ActorDownError) as caught:
            future.get(timeout=WAIT)
        errors.append(caught.value)

    assert all(isinstance(error.__cause__, BoomError) for error in errors)
    # A shared one would collect the tracebacks of all who raise it.
    assert len({id(error) for error in errors}) == 3


def test_refuse_gives_the_caller_an_error_and_the_actor_lives(home: Threads) -> None:
    with home.running(Scripted) as ref:
        with pytest.raises(BoomError, match="no"):
            ref.call(lambda actor: Refuse(BoomError("no")))

        assert ref.call(lambda actor: 7) == 7


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_a_handler_raises_ends_this_actor_only(
    home: Threads, error: BaseException
) -> None:
    with home.running(Scripted) as bystander:
        ref = home.start(Scripted)

        with pytest.raises(ActorDownError) as caught:
            ref.call(raising(error))

        assert caught.value.__cause__ is error
        assert ref.wait(WAIT) == Crashed(error)
        assert bystander.call(lambda actor: "here") == "here"


def test_stop_in_a_handler_ends_with_that_reason(home: Threads) -> None:
    ref = home.start(Scripted)

    with pytest.raises(ActorDownError) as caught:
        ref.call(raising(Stop(Shutdown("done"))))

    assert caught.value.reason == Shutdown("done")
    assert ref.wait(WAIT) == Shutdown("done")


def test_exit_answers_the_message_in_hand_and_then_ends(home: Threads) -> None:
    ref = home.start(Scripted)

    def last(actor: Actor) -> str:
        actor.exit(Failed("enough"))
        return "answered"

    assert ref.call(last) == "answered"
    assert ref.wait(WAIT) == Failed("enough")


def test_shutdown_is_ahead_of_the_messages_that_wait(home: Threads) -> None:
    ref = home.start(Scripted)
    with letting_go(home.block()) as block:
        first = ref.submit(block)
        second = ref.submit(nothing)
        block.inside()
        ref.shutdown(Shutdown("now"))

    assert first.get(timeout=WAIT) == "late"
    with pytest.raises(ActorDownError) as caught:
        second.get(timeout=WAIT)
    assert caught.value.reason == Shutdown("now")


def test_a_message_taken_when_the_stop_was_asked_for_is_not_handled(
    home: Threads,
) -> None:
    ref = home.start(Scripted)
    # The moment before the last step of asking: the wish is there, the poke is not.
    ref.life._stop_wanted = Shutdown("now")
    ref.life.attention = True
    future = ref.submit(lambda actor: "handled")

    with pytest.raises(ActorDownError):
        future.get(timeout=WAIT)
    assert ref.wait(WAIT) == Shutdown("now")


# Late replies.


def test_a_reply_may_come_later_and_from_another_thread(home: Threads) -> None:
    tokens: queue.SimpleQueue[ReplyToken] = queue.SimpleQueue()

    def later(actor: Actor) -> Any:
        tokens.put(actor.reply_token())
        return NO_REPLY

    with home.running(Scripted) as ref:
        future = ref.submit(later)
        token = tokens.get(timeout=WAIT)
        outcomes: list[bool] = []
        threads = [
            threading.Thread(target=lambda n=n: outcomes.append(token.reply(n)))
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)

        assert future.get(timeout=WAIT) in range(4)
        assert sorted(outcomes) == [False, False, False, True]
        assert not token.fail(BoomError("too late"))


def test_a_token_may_fail_the_call(home: Threads) -> None:
    def refuse(actor: Actor) -> Any:
        actor.reply_token().fail(BoomError("no"))
        return NO_REPLY

    with home.running(Scripted) as ref, pytest.raises(BoomError, match="no"):
        ref.call(refuse)


def test_tokens_that_are_open_at_the_end_are_failed(home: Threads) -> None:
    def keep(actor: Any) -> Any:
        actor.kept = actor.reply_token()
        return NO_REPLY

    ref = home.start(Scripted)
    future = ref.submit(keep)
    token = ref.call(lambda actor: actor.kept)
    ref.cast(boom)

    with pytest.raises(ActorDownError) as caught:
        future.get(timeout=WAIT)
    assert isinstance(caught.value.__cause__, BoomError)
    assert not token.reply("too late")


def test_the_token_of_a_cast_goes_nowhere(home: Threads) -> None:
    with home.running(Scripted) as ref:
        ref.cast(lambda actor: actor.reply_token().reply("nobody") and NO_REPLY)

        assert ref.call(lambda actor: len(actor.life.open_tokens)) == 0


def test_an_actor_that_waits_holds_nothing_of_its_last_message(home: Threads) -> None:
    def step(actor: Actor) -> None:
        return None

    is_gone = threading.Event()
    weakref.finalize(step, is_gone.set)

    with home.running(Scripted) as ref:
        ref.call(step)
        del step

        assert is_gone.wait(WAIT)


# Calls.


def test_a_call_times_out_and_its_late_answer_is_dropped(home: Threads) -> None:
    with home.running(Scripted) as ref, letting_go(home.block()) as block:
        with pytest.raises(CallTimeoutError, match=r"did not answer within 0\.02 s"):
            ref.call(block, timeout=0.02)
        block.release.set()

        assert ref.call(lambda actor: "next") == "next"


def test_an_actor_that_calls_itself_is_refused(home: Threads) -> None:
    def call_myself(actor: Actor) -> Any:
        return home.call(actor.actor_ref, nothing)

    ref = home.start(Scripted)
    with pytest.raises(ActorDownError) as caught:
        ref.call(call_myself)

    assert isinstance(caught.value.__cause__, SelfCallError)


def test_a_cast_to_a_dead_actor_is_dropped(home: Threads) -> None:
    ref = home.start(Scripted)
    ref.kill()

    ref.cast(nothing)

    assert len(ref.life.inbox) == 0


def test_a_call_to_a_dead_actor_says_why_it_ended(home: Threads) -> None:
    ref = home.start(Scripted)
    ref.shutdown(Shutdown("over"))
    ref.wait(WAIT)

    with pytest.raises(ActorDownError) as caught:
        ref.call(nothing)

    assert caught.value.reason == Shutdown("over")
    assert caught.value.name == "Scripted"


# Kill.


def test_a_kill_inside_a_handler_answers_at_once_and_voids_the_late_reply(
    home: Threads,
) -> None:
    probe = Probe()
    ref = home.start(Hooks, probe)
    with letting_go(home.block()) as block:
        in_hand = ref.submit(block)
        behind = ref.submit(nothing)
        block.inside()

        assert ref.kill()

        for future in (in_hand, behind):
            with pytest.raises(ActorDownError) as caught:
                future.get(timeout=WAIT)
            assert caught.value.reason == Killed()
        assert ref.wait(0) == Killed()
        assert not ref.kill()
        home.expect_abandoned(ref.life)

    assert ref.life.thread_left.wait(WAIT)
    probe.expect_nothing()


def test_an_idle_actor_that_is_killed_gives_its_thread_back(home: Threads) -> None:
    for _ in range(300):
        ref = home.start(Scripted)

        assert ref.kill()

        assert ref.life.thread_left.wait(WAIT)


def test_an_actor_killed_while_it_calls_stops_waiting(home: Threads) -> None:
    with home.running(Scripted) as other, letting_go(home.block()) as block:
        ref = home.start(Scripted)
        started = threading.Event()

        def call_other(actor: Actor) -> Any:
            started.set()
            return home.call(other, block, None)

        ref.cast(call_other)
        assert started.wait(WAIT)
        block.inside()
        ref.kill()

        assert ref.life.thread_left.wait(WAIT)


# Ends, seen from outside.


def test_each_monitor_hears_of_the_end_exactly_once(home: Threads) -> None:
    probe = Probe()
    ref = home.start(Scripted)
    ref.monitor(probe)
    ref.monitor(probe)

    ref.kill()
    ref.kill()
    ref.shutdown()

    assert [probe.expect(), probe.expect()] == [Killed(), Killed()]
    ref.monitor(probe)
    assert probe.expect() == Killed()
    probe.expect_nothing()


def test_of_many_who_kill_one_wins(home: Threads) -> None:
    probe = Probe()
    ref = home.start(Scripted)
    ref.monitor(probe)
    wins: list[bool] = []
    barrier = threading.Barrier(8)

    def strike() -> None:
        barrier.wait(WAIT)
        wins.append(ref.kill())

    threads = [threading.Thread(target=strike) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)

    assert sorted(wins) == [False] * 7 + [True]
    assert probe.expect() == Killed()
    probe.expect_nothing()


def test_an_orderly_end_runs_on_end_and_on_stop(home: Threads) -> None:
    probe = Probe()
    ref = home.start(Hooks, probe)

    ref.shutdown()

    assert ref.wait(WAIT) == Shutdown()
    assert [probe.expect(), probe.expect()] == [("on_end", Shutdown), "on_stop"]
    probe.expect_nothing()


def test_a_crash_runs_on_end_and_on_failure(home: Threads) -> None:
    probe = Probe()
    ref = home.start(Hooks, probe)

    ref.cast(boom)

    assert [probe.expect(), probe.expect()] == [
        ("on_end", Crashed),
        ("on_failure", BoomError),
    ]
    probe.expect_nothing()


def test_an_on_end_that_raises_becomes_the_reason(home: Threads) -> None:
    class Untidy(Scripted):
        def on_end(self, reason: Any) -> None:
            raise BoomError("spilled")

    ref = home.start(Untidy)
    ref.shutdown()

    reason = ref.wait(WAIT)
    assert isinstance(reason, Crashed)
    assert str(reason.exception) == "spilled"


def test_a_step_at_the_end_that_raises_keeps_nobody_from_the_answer(
    home: Threads,
) -> None:
    ref = home.start(Scripted)
    done: list[Any] = []
    ref.life.before_end(raising(BoomError("step")))
    ref.life.before_end(done.append)
    with letting_go(home.block()) as block:
        ref.cast(block)
        future = ref.submit(nothing)

        ref.kill()

        with pytest.raises(ActorDownError):
            future.get(timeout=WAIT)
    assert done == [Killed()]


def test_finishing_is_an_end_in_order(home: Threads) -> None:
    ref = home.start(Scripted)

    ref.cast(lambda actor: actor.exit())

    assert ref.wait(WAIT) == Normal()


# Timers.


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def on_clock(home: Threads, actor: Actor, clock: ManualClock) -> Any:
    actor.surroundings = Surroundings(registry=Registry(), events=Events(), clock=clock)
    return home.launch(actor)


def test_timers_fire_in_the_order_of_their_time(
    home: Threads, clock: ManualClock
) -> None:
    probe = Probe()

    def plan(actor: Actor) -> None:
        for seconds in (30.0, 10.0, 20.0):
            actor.send_after(seconds, lambda actor, at=seconds: probe(at))

    ref = on_clock(home, home.make(Scripted), clock)
    ref.call(plan)
    clock.advance(9.9)
    ref.call(nothing)
    probe.expect_nothing()
    clock.advance(10.1)

    assert [probe.expect(), probe.expect()] == [10.0, 20.0]
    ref.call(nothing)
    probe.expect_nothing()
    clock.advance(10.0)
    assert probe.expect() == 30.0
    ref.shutdown()


def test_a_timer_that_is_due_goes_ahead_of_what_waits(
    home: Threads, clock: ManualClock
) -> None:
    probe = Probe()
    ref = on_clock(home, home.make(ProbeActor, probe), clock)

    class Busy(Scripted):
        pass

    busy = on_clock(home, home.make(Busy), clock)
    with letting_go(home.block()) as block:
        busy.call(lambda actor: actor.send_after(5, lambda actor: ref.cast("timer")))
        busy.cast(block)
        block.inside()
        busy.cast(lambda actor: ref.cast("message"))
        clock.advance(5)

    assert [probe.expect(), probe.expect()] == ["timer", "message"]
    ref.shutdown()
    busy.shutdown()


def test_a_dead_actor_no_longer_listens_to_its_clock(
    home: Threads, clock: ManualClock
) -> None:
    ref = on_clock(home, home.make(Scripted), clock)
    ref.kill()

    assert ref.life.thread_left.wait(WAIT)
    assert clock._pokes == {}
