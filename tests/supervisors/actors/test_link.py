"""Lives that are tied: the end of one reaches the other."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from supervisors import (
    Actor,
    ActorDownError,
    Crashed,
    ExitReason,
    ExitSignal,
    Failed,
    Killed,
    NoProcess,
    Normal,
    Ref,
    SelfCallError,
    Shutdown,
    _links,
)
from supervisors.testing import Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    Scripted,
    letting_go,
    nothing,
    running,
    together,
)
from tests.supervisors.race import switch_interval


class Trapping(Scripted):
    """Tells a probe of exit signals."""

    trap_exit = True

    def __init__(self, probe: Callable[[Any], object]) -> None:
        super().__init__()
        self.probe = probe

    def on_receive(self, message: Any) -> Any:
        return self.probe(message) if isinstance(message, ExitSignal) else message(self)


def link(ref: Ref[Any], other: Ref[Any]) -> None:
    ref.call(lambda actor: actor.link(other))


def pair() -> tuple[Ref[Any], Ref[Any]]:
    first, second = Scripted.start(), Scripted.start()
    link(first, second)
    return first, second


@pytest.mark.parametrize("dies_first", [0, 1])
def test_a_link_works_in_both_directions(dies_first: int) -> None:
    both = pair()

    both[dies_first].shutdown(Shutdown("together"))

    assert [ref.wait(WAIT) for ref in both] == [Shutdown("together")] * 2


def test_a_normal_end_leaves_the_other_alone_and_unties_it() -> None:
    first, second = pair()

    first.stop()

    assert second.call(lambda actor: len(actor.life.links)) == 0
    second.stop()


def test_an_untied_actor_lives_on() -> None:
    first, second = pair()
    second.call(lambda actor: actor.unlink(first))

    first.kill()

    second.call(nothing)
    second.stop()


def test_one_that_traps_is_told_and_lives_on() -> None:
    probe = Probe()
    with running(Trapping, probe) as ref, running(Scripted) as other:
        link(ref, other)
        other.shutdown()

        assert probe.expect() == ExitSignal(other, Shutdown())
        ref.call(nothing)
        probe.expect_nothing()


def test_trapping_can_be_switched_while_it_lives() -> None:
    probe = Probe()
    ref = Trapping.start(probe)
    first, second = Scripted.start(), Scripted.start()
    link(ref, first)
    link(ref, second)

    first.kill()
    assert probe.expect() == ExitSignal(first, Killed())
    ref.call(lambda actor: actor.set_trap_exit(traps=False))
    second.kill()

    assert ref.wait(WAIT) == Killed()


def test_the_end_runs_along_a_chain_of_any_length() -> None:
    chain = [Scripted.start() for _ in range(600)]
    for ref, other in itertools.pairwise(chain):
        link(ref, other)

    chain[300].kill(Failed("pulled"))

    assert {ref.wait(WAIT) for ref in chain} == {Failed("pulled")}


def test_the_end_runs_round_a_ring_once() -> None:
    probe = Probe()
    ring = [Scripted.start() for _ in range(20)]
    for ref, other in zip(ring, [*ring[1:], ring[0]], strict=True):
        link(ref, other)
        ref.monitor(probe)

    ring[0].kill()

    assert [probe.expect() for _ in ring] == [Killed()] * len(ring)
    probe.expect_nothing()
    assert all(ref.life.links == {} for ref in ring)


def test_one_that_traps_stops_the_chain() -> None:
    probe = Probe()
    with running(Trapping, probe) as middle, running(Scripted) as last:
        first = Scripted.start()
        link(first, middle)
        link(middle, last)
        first.kill()

        assert probe.expect().source == first
        last.call(nothing)


def test_linking_the_dead_raises_and_ties_nothing() -> None:
    dead = Scripted.start()
    dead.kill()
    with running(Scripted) as ref:

        def link_dead(actor: Actor) -> ExitReason:
            with pytest.raises(ActorDownError) as caught:
                actor.link(dead)
            return caught.value.reason

        assert ref.call(link_dead) == NoProcess()
        assert ref.life.links == {}
        assert dead.life.links == {}


def test_one_that_traps_is_told_that_whom_it_links_is_dead() -> None:
    probe = Probe()
    dead = Scripted.start()
    dead.kill()
    with running(Trapping, probe) as ref:
        link(ref, dead)

        assert probe.expect() == ExitSignal(dead, NoProcess())


def test_linking_oneself_is_an_error() -> None:
    ref = Scripted.start()

    with pytest.raises(ActorDownError) as caught:
        link(ref, ref)

    assert isinstance(caught.value.__cause__, SelfCallError)


def test_linking_again_changes_nothing() -> None:
    probe = Probe()
    with running(Trapping, probe) as ref, running(Scripted) as other:
        link(ref, other)
        link(ref, other)
        other.call(lambda actor: actor.link(ref))
        other.kill()

        assert probe.expect() == ExitSignal(other, Killed())
        ref.call(nothing)
        probe.expect_nothing()


def test_linking_again_while_the_other_dies_keeps_its_reason() -> None:
    reasons: list[Any] = []
    with running(Trapping, reasons.append) as ref, running(Scripted) as other:
        link(ref, other)
        # At this moment the other is over, and its ties are not yet told.
        other.life.before_end(lambda reason: link(ref, other))
        other.kill()

        ref.call(nothing)
        assert reasons == [ExitSignal(other, Killed())]


def test_what_a_dead_actors_code_links_is_not_tied() -> None:
    with running(Scripted) as other, letting_go(Block()) as block:
        ref = Scripted.start()
        ref.cast(lambda actor: (block(actor), actor.link(other)))
        block.inside()
        ref.kill()
        block.release.set()

        assert ref.life.thread_left.wait(WAIT)
        assert other.life.links == {}
        other.call(nothing)


def test_a_strangers_signal_ends_one_that_does_not_trap_unless_it_is_normal() -> None:
    ref = Scripted.start()
    ref.signal(Normal())
    ref.call(nothing)

    ref.signal(Failed("stranger"))

    assert ref.wait(WAIT) == Failed("stranger")


def untie_and_look(ref: Ref[Any], other: Ref[Any], alive: list[bool]) -> None:
    ref.life.unlink(other.life)
    alive.append(ref.is_alive())


def test_after_unlink_nothing_comes_any_more() -> None:
    with switch_interval(1e-6):
        for _ in range(300):
            first, second = pair()
            alive: list[bool] = []

            together(
                first.kill, functools.partial(untie_and_look, second, first, alive)
            )

            assert alive == [second.is_alive()]
            second.kill()


def test_unlink_waits_for_a_signal_that_is_being_delivered() -> None:
    untied = threading.Event()
    with letting_go(Block()) as delivery, running(Trapping, print) as ref:
        other = Scripted.start()
        link(ref, other)
        ref.life.on_signal = lambda reason, source: delivery(None)

        def untie() -> None:
            ref.life.unlink(other.life)
            untied.set()

        killer = threading.Thread(target=other.kill)
        killer.start()
        delivery.inside()
        unlinker = threading.Thread(target=untie)
        unlinker.start()

        assert not untied.wait(0.05)
        delivery.release.set()
        assert untied.wait(WAIT)
        killer.join(WAIT)
        unlinker.join(WAIT)


def kill_all(refs: Iterable[Ref[Any]]) -> None:
    for ref in refs:
        ref.kill()


def test_each_survivor_gets_one_signal_while_many_die_at_once() -> None:
    heard: list[list[ExitSignal]] = [[] for _ in range(4)]
    survivors = [Trapping.start(signals.append) for signals in heard]
    victims = [Scripted.start() for _ in range(30)]
    for survivor in survivors:
        for victim in victims:
            link(survivor, victim)
    for victim, other in itertools.pairwise(victims):
        link(victim, other)

    with switch_interval(1e-6):
        together(*(functools.partial(kill_all, victims[n::6]) for n in range(6)))

    for survivor, signals in zip(survivors, heard, strict=True):
        survivor.call(nothing)
        assert len(signals) == len(victims)
        assert {signal.source for signal in signals} == set(victims)
        assert {signal.reason for signal in signals} == {Killed()}
        assert survivor.life.links == {}
        survivor.stop()


def test_a_crash_under_a_link_carries_what_was_raised() -> None:
    probe = Probe()
    error = ValueError("x")

    def crash(actor: Actor) -> None:
        raise error

    with running(Trapping, probe) as ref:
        other = Scripted.start()
        link(ref, other)
        other.cast(crash)

        assert probe.expect() == ExitSignal(other, Crashed(error))


def test_a_forked_child_does_not_wait_for_a_thread_of_its_parent() -> None:
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with _links._ties:
            held.set()
            let_go.wait(WAIT)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(WAIT)
    with running(Scripted) as ref, running(Scripted) as other:
        # What the child does after the fork.
        _links._forget_holder()
        link(ref, other)

        assert other.life in ref.life.links
        ref.call(lambda actor: actor.unlink(other))
    let_go.set()
    holder.join(WAIT)
