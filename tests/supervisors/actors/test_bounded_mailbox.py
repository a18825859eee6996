"""A mailbox with a bound refuses, and never makes anybody wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pykka._envelope import Envelope

from supervisors import (
    ActorDownError,
    Down,
    ExitSignal,
    Failed,
    MailboxFullError,
    Ref,
    Shutdown,
)
from supervisors._mailbox import BoundedMailbox
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    Scripted,
    letting_go,
    nothing,
    on_clock,
    running,
    together,
)

LIMIT = 5


class Bounded(Scripted):
    """At most five messages wait for it; it tells a probe of others' ends."""

    mailbox_limit = LIMIT
    trap_exit = True

    def __init__(self, probe: Any = None) -> None:
        super().__init__()
        self.probe = probe

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Down | ExitSignal):
            return self.probe(type(message))
        return message(self)


@pytest.fixture
def busy() -> Iterator[Ref[Any]]:
    """An actor that is busy, so that its messages wait."""
    with running(Bounded) as ref, letting_go(Block()) as block:
        ref.cast(block)
        block.inside()
        yield ref


def fill(ref: Ref[Any]) -> None:
    for _ in range(LIMIT):
        ref.cast(nothing)


def test_a_full_mailbox_refuses_every_way_of_sending(busy: Ref[Any]) -> None:
    fill(busy)

    for send in (busy.cast, busy.submit, busy.call, busy.tell, busy.ask):
        with pytest.raises(MailboxFullError, match="5 messages wait") as caught:
            send(nothing)
        assert caught.value.limit == LIMIT


def test_the_bound_is_strict_whoever_sends(busy: Ref[Any]) -> None:
    accepted = Probe()

    def send() -> None:
        for _ in range(50):
            try:
                busy.cast(nothing)
            except MailboxFullError:
                continue
            accepted("one")

    together(*[send] * 8)

    for _ in range(LIMIT):
        accepted.expect()
    accepted.expect_nothing()


def test_there_is_room_again_when_messages_were_handled() -> None:
    with running(Bounded) as ref:
        for _ in range(10 * LIMIT):
            ref.call(nothing)
        with letting_go(Block()) as block:
            ref.cast(block)
            block.inside()
            fill(ref)
        # All were handled when a call gets through.
        assert ref.stop(timeout=WAIT)


def test_news_of_ends_is_never_refused_and_takes_no_room() -> None:
    probe = Probe()
    with (
        running(Bounded, probe) as ref,
        running(Scripted) as other,
        letting_go(Block()) as block,
    ):
        ref.call(lambda actor: (actor.monitor(other), actor.link(other)))
        ref.cast(block)
        block.inside()
        other.kill()
        ref.signal(Failed("stranger"))
        fill(ref)
        block.release.set()

        assert [probe.expect() for _ in range(3)] == [Down, ExitSignal, ExitSignal]


@pytest.mark.parametrize("reason", [None, Shutdown("enough")])
def test_a_stop_is_never_refused(busy: Ref[Any], reason: Any) -> None:
    fill(busy)

    stopped = busy.stop(block=False, **({"reason": reason} if reason else {}))

    assert not stopped.done()
    busy.shutdown()


def test_pykkas_own_stop_of_an_actor_by_itself_is_never_refused() -> None:
    ref = Bounded.start()

    def stop_behind_a_full_mailbox(actor: Any) -> None:
        fill(ref)
        actor.stop()

    ref.cast(stop_behind_a_full_mailbox)

    assert ref.wait(WAIT) is not None


def test_waking_an_actor_takes_no_room() -> None:
    clock = ManualClock()
    with on_clock(Bounded(), clock) as ref, letting_go(Block()) as block:
        ref.cast(block)
        block.inside()
        for _ in range(10 * LIMIT):
            clock.advance(1)

        fill(ref)


def test_a_dead_actor_with_a_full_mailbox_drops_and_refuses_as_any_other(
    busy: Ref[Any],
) -> None:
    fill(busy)
    busy.kill()

    busy.cast(nothing)
    with pytest.raises(ActorDownError):
        busy.call(nothing)


def test_an_answer_may_send_to_the_mailbox_that_gives_it() -> None:
    mailbox = BoundedMailbox().bound(1)
    answered = Probe()

    def answer(envelope: Envelope[Any]) -> None:
        answered(envelope.message)
        if envelope.message == "first":
            mailbox.put(Envelope("second"))

    mailbox.close(answer)
    together(lambda: mailbox.put(Envelope("first")))

    assert [answered.expect(), answered.expect()] == ["first", "second"]


def test_a_forked_child_does_not_wait_for_a_thread_of_its_parent() -> None:
    mailbox, answered = BoundedMailbox().bound(1), Probe()
    # As a thread of the parent leaves it, when the fork comes while it is sending.
    mailbox._counting.acquire()

    mailbox.lose(answered)
    mailbox.put(Envelope("in the child"))

    assert answered.expect().message == "in the child"
