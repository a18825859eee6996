"""How actors hear of each other's ends, wherever they live."""

from __future__ import annotations

from typing import Any

import pytest

from supervisors import (
    Actor,
    ActorDownError,
    Crashed,
    Down,
    ExitSignal,
    Failed,
    Killed,
    NoProcess,
    SelfCallError,
    Shutdown,
)
from supervisors.testing import Probe
from tests.supervisors.actors.parts import WAIT, BoomError, Scripted, boom, nothing
from tests.supervisors.contracts.homes import Threads


class Watcher(Actor):
    """Does what it is sent, and notes the news that come."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self.probe = probe

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Down | ExitSignal):
            self.probe(message)
            return None
        return message(self)

    def on_end(self, reason: Any) -> None:
        self.probe(("on_end", reason))


class Trapper(Watcher):
    trap_exit = True


class Obedient(Watcher):
    ends_at_once = True


def test_a_monitor_brings_one_down_with_the_reason(home: Threads) -> None:
    probe = Probe()
    other = home.start(Scripted)
    with home.running(Watcher, probe) as watcher:
        monitor = watcher.call(lambda actor: actor.monitor(other))

        other.kill(Failed("gone"))

        assert probe.expect() == Down(monitor, other, Failed("gone"))
        watcher.call(nothing)
        probe.expect_nothing()


def test_a_monitor_of_a_dead_actor_brings_its_down_at_once(home: Threads) -> None:
    probe = Probe()
    other = home.start(Scripted)
    other.kill()
    with home.running(Watcher, probe) as watcher:
        monitor = watcher.call(lambda actor: actor.monitor(other))

        assert probe.expect() == Down(monitor, other, NoProcess())


def test_a_monitor_called_off_brings_nothing(home: Threads) -> None:
    probe = Probe()
    other = home.start(Scripted)
    with home.running(Watcher, probe) as watcher:
        monitor = watcher.call(lambda actor: actor.monitor(other))

        assert watcher.call(lambda actor: actor.demonitor(monitor))

        other.kill()
        watcher.call(nothing)
        probe.expect_nothing()


def test_a_link_carries_an_abnormal_end_over(home: Threads) -> None:
    probe = Probe()
    linked = home.start(Watcher, probe)
    other = home.start(Scripted)
    linked.call(lambda actor: actor.link(other))

    other.cast(boom)

    reason = linked.wait(WAIT)
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, BoomError)
    assert linked.life.thread_left.wait(WAIT)
    # An exit signal that is not trapped leaves no time to clean up.
    probe.expect_nothing()


def test_a_link_that_was_untied_carries_nothing(home: Threads) -> None:
    other = home.start(Scripted)
    with home.running(Watcher, Probe()) as linked:
        linked.call(lambda actor: actor.link(other))
        linked.call(lambda actor: actor.unlink(other))

        other.kill()

        assert linked.call(lambda actor: "alive") == "alive"


def test_who_traps_exits_gets_them_as_messages(home: Threads) -> None:
    probe = Probe()
    other = home.start(Scripted)
    with home.running(Trapper, probe) as trapper:
        trapper.call(lambda actor: actor.link(other))

        other.kill()
        trapper.signal(Failed("from a stranger"))

        assert probe.expect() == ExitSignal(other, Killed())
        assert probe.expect() == ExitSignal(None, Failed("from a stranger"))
        assert trapper.is_alive()


def test_trapping_can_be_switched(home: Threads) -> None:
    probe = Probe()
    ref = home.start(Watcher, probe)
    ref.call(lambda actor: actor.set_trap_exit(traps=True))
    ref.signal(Failed("trapped"))
    assert probe.expect() == ExitSignal(None, Failed("trapped"))

    ref.call(lambda actor: actor.set_trap_exit(traps=False))
    ref.signal(Failed("deadly"))

    assert ref.wait(WAIT) == Failed("deadly")


def test_a_link_to_oneself_and_to_the_dead_is_refused(home: Threads) -> None:
    dead = home.start(Scripted)
    dead.kill()
    for target, error in ((None, SelfCallError), (dead, ActorDownError)):
        ref = home.start(Scripted)

        with pytest.raises(ActorDownError) as caught:
            ref.call(lambda actor, to=target: actor.link(to or actor.actor_ref))

        assert isinstance(caught.value.__cause__, error)


def test_a_shutdown_lets_an_actor_clean_up(home: Threads) -> None:
    probe = Probe()
    ref = home.start(Watcher, probe)

    ref.shutdown()

    assert ref.wait(WAIT) == Shutdown()
    assert probe.expect() == ("on_end", Shutdown())


def test_a_shutdown_ends_one_that_ends_at_once_without_clean_up(home: Threads) -> None:
    probe = Probe()
    ref = home.start(Obedient, probe)

    ref.shutdown()

    assert ref.wait(WAIT) == Shutdown()
    assert ref.life.thread_left.wait(WAIT)
    probe.expect_nothing()
