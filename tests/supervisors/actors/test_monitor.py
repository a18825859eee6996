"""One `Down` for each watch: not none, not two."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from supervisors import (
    Actor,
    Crashed,
    Down,
    ExitReason,
    Failed,
    Killed,
    Monitor,
    NoProcess,
    Normal,
    Ref,
    Shutdown,
)
from supervisors.testing import Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    BoomError,
    Scripted,
    boom,
    letting_go,
    nothing,
    running,
    together,
)
from tests.supervisors.race import DEATHS, Target, switch_interval


class Watcher(Actor):
    """Tells a probe of each `Down`."""

    def __init__(self, probe: Callable[[Any], object]) -> None:
        super().__init__()
        self.probe = probe

    def on_receive(self, message: Any) -> Any:
        return self.probe(message) if isinstance(message, Down) else message(self)


def watching(ref: Ref[Any]) -> Callable[[Actor], Monitor]:
    return lambda actor: actor.monitor(ref)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (Ref.kill, Killed()),
        (Ref.shutdown, Shutdown()),
        (Ref.stop, Normal()),
        (lambda ref: ref.signal(Failed("signal")), Failed("signal")),
    ],
)
def test_a_down_says_who_ended_and_why(
    end: Callable[[Ref[Any]], object], reason: ExitReason
) -> None:
    probe = Probe()
    with running(Watcher, probe) as watcher, running(Scripted) as ref:
        monitor = watcher.call(watching(ref))

        end(ref)

        assert probe.expect() == Down(monitor, ref, reason)


def test_the_down_of_a_crash_carries_what_was_raised() -> None:
    probe = Probe()
    ref = Scripted.start()
    with running(Watcher, probe) as watcher:
        watcher.call(watching(ref))
        ref.cast(boom)

        down = probe.expect()

    assert isinstance(down.reason, Crashed)
    assert isinstance(down.reason.exception, BoomError)


def test_watching_the_dead_brings_a_down_that_says_there_is_nobody() -> None:
    probe = Probe()
    ref = Scripted.start()
    ref.kill()
    with running(Watcher, probe) as watcher:
        monitor = watcher.call(watching(ref))

        assert probe.expect() == Down(monitor, ref, NoProcess())


def test_watching_twice_brings_two() -> None:
    probe = Probe()
    with running(Watcher, probe) as watcher, running(Scripted) as ref:
        monitors = {watcher.call(watching(ref)), watcher.call(watching(ref))}
        ref.kill()

        assert {probe.expect().monitor, probe.expect().monitor} == monitors
        watcher.call(nothing)
        probe.expect_nothing()


def test_a_watch_that_was_called_off_brings_nothing() -> None:
    probe = Probe()
    with running(Watcher, probe) as watcher, running(Scripted) as ref:
        monitor = watcher.call(watching(ref))

        assert watcher.call(lambda actor: actor.demonitor(monitor))
        ref.kill()

        watcher.call(nothing)
        probe.expect_nothing()
        assert ref.life.ended._callbacks == []


def test_calling_off_takes_back_a_down_that_waits() -> None:
    probe = Probe()
    with running(Watcher, probe) as watcher, running(Scripted) as ref:

        def call_off_too_late(actor: Actor) -> bool:
            monitor = actor.monitor(ref)
            ref.kill()
            return actor.demonitor(monitor)

        assert not watcher.call(call_off_too_late)
        watcher.call(nothing)
        probe.expect_nothing()


def test_a_dead_watcher_leaves_nothing_with_whom_it_watched() -> None:
    with running(Scripted) as ref:
        before = len(ref.life.ended._callbacks)
        for _ in range(5):
            watcher = Watcher.start(Probe())
            watcher.call(watching(ref))
            watcher.kill()

        assert len(ref.life.ended._callbacks) == before


def test_a_watch_begun_by_a_dead_actor_is_none() -> None:
    with running(Scripted) as ref, letting_go(Block()) as block:
        watcher = Watcher.start(Probe())
        before = len(ref.life.ended._callbacks)
        watcher.cast(lambda actor: (block(actor), actor.monitor(ref)))
        block.inside()
        watcher.kill()
        block.release.set()

        assert watcher.life.thread_left.wait(WAIT)
        assert len(ref.life.ended._callbacks) == before


def test_nothing_is_kept_of_watches_that_are_over() -> None:
    with running(Watcher, Probe()) as watcher, running(Scripted) as other:
        monitor = watcher.call(watching(other))
        watcher.call(lambda actor: actor.demonitor(monitor))
        ref = Scripted.start()
        watcher.call(watching(ref))
        ref.kill()

        assert watcher.life.watches == {}


def test_one_down_each_while_all_die_in_every_way_at_once() -> None:
    probe = Probe()
    with running(Watcher, probe) as watcher, switch_interval(1e-6):
        for end in [*DEATHS.values()] * 6:
            ref = Target.start()
            watch = functools.partial(watcher.call, watching(ref))

            together(watch, watch, watch, functools.partial(end, ref), ref.kill)

            assert len({probe.expect().monitor for _ in range(3)}) == 3
        watcher.call(nothing)
        probe.expect_nothing()


def test_a_callback_that_raises_keeps_nobody_from_the_news() -> None:
    def broken(reason: ExitReason) -> None:
        raise BoomError("callback")

    probe = Probe()
    with running(Watcher, probe) as watcher:
        ref = Scripted.start()
        ref.monitor(broken)
        watcher.call(watching(ref))
        ref.monitor(probe)

        assert ref.kill()

        assert {type(probe.expect()) for _ in range(2)} == {Down, Killed}


def test_the_end_that_a_dead_actors_code_causes_is_told_like_any_other() -> None:
    told = Probe()
    with running(Scripted) as supervisor, letting_go(Block()) as block:
        victim, zombie = Scripted.start(), Scripted.start()
        victim.monitor(lambda reason: supervisor.cast(lambda actor: told(reason)))
        zombie.cast(lambda actor: (block(actor), victim.kill()))
        block.inside()
        zombie.kill()
        block.release.set()

        assert told.expect() == Killed()
