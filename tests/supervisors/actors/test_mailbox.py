"""Every ask ends: with a value, or with the reason its actor ended."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pykka._envelope import Envelope

from supervisors import NO_REPLY, Actor, ActorDownError, Ref, ReplyFuture
from supervisors._mailbox import Mailbox
from tests.supervisors.actors.parts import WAIT, BoomError


class Mortal(Actor):
    """Answers at once or later, and dies of what it is told to."""

    def on_receive(self, message: str) -> Any:
        if message == "boom":
            raise BoomError(message)
        if message == "exit":
            self.exit()
        if message == "later":
            self.reply_token()
            return NO_REPLY
        return message


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that change places all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def end(ref: Ref[Any], way: int) -> None:
    """End an actor in one of four ways."""
    match way % 4:
        case 0:
            ref.kill()
        case 1:
            ref.shutdown()
        case 2:
            ref.cast("boom")
        case _:
            ref.cast("exit")


def race(rounds: int, asks: int, callers: int) -> int:
    """Ask many actors while they end; how many asks were answered with a value."""
    futures: list[ReplyFuture[Any]] = []

    def ask(ref: Ref[Any], barrier: threading.Barrier, deadly: int | None) -> None:
        barrier.wait(WAIT)
        for number in range(asks):
            if number == deadly:
                end(ref, number)
            futures.append(ref.submit("later" if number % 3 == 0 else "now"))

    for number in range(rounds):
        ref = Mortal.start()
        barrier = threading.Barrier(callers)
        threads = [
            threading.Thread(
                target=ask,
                args=(ref, barrier, number % asks if caller == 0 else None),
            )
            for caller in range(callers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        assert ref.wait(WAIT) is not None
    assert len(futures) == rounds * asks * callers
    return sum(outcome(future) for future in futures)


def outcome(future: ReplyFuture[Any]) -> bool:
    try:
        return bool(future.get(timeout=WAIT) == "now")
    except ActorDownError:
        return False


def test_asks_that_race_with_deaths_all_end() -> None:
    answered = race(rounds=100, asks=50, callers=4)

    assert 0 < answered < 20_000


@pytest.mark.usefixtures("hasty_threads")
def test_asks_that_race_with_deaths_all_end_between_any_two_steps() -> None:
    answered = race(rounds=50, asks=20, callers=4)

    assert 0 < answered < 4_000


@pytest.mark.usefixtures("hasty_threads")
def test_one_ask_and_one_kill_at_the_same_moment() -> None:
    for _ in range(300):
        ref = Mortal.start()
        future = ref.submit("later")
        ref.kill()
        with pytest.raises(ActorDownError):
            future.get(timeout=WAIT)
        assert ref.life.thread_left.wait(WAIT)


def test_a_message_in_hand_that_the_killer_did_not_see_is_answered() -> None:
    # The moment between taking a message and noting it cannot be hit from outside.
    ref = Mortal.start()
    ref.kill()
    assert ref.life.thread_left.wait(WAIT)
    actor = Mortal()
    actor.actor_ref.kill()
    envelope = Envelope("later", reply_to=ReplyFuture[Any]())

    actor._handle(envelope)

    assert isinstance(envelope.reply_to, ReplyFuture)
    with pytest.raises(ActorDownError):
        envelope.reply_to.get(timeout=0)


def test_a_closed_mailbox_answers_what_waits_and_what_comes() -> None:
    answered: list[Any] = []
    box = Mailbox()
    box.put(Envelope(1))
    box.poke()
    box.put(Envelope(2))

    box.close(lambda envelope: answered.append(envelope.message))
    box.put(Envelope(3))

    assert answered == [1, 2, 3]


def test_a_mailbox_is_read_in_order_and_a_poke_wakes_its_reader() -> None:
    box = Mailbox()
    box.put(Envelope("first"))
    box.put(Envelope("second"))
    box.poke()

    read = [box.get(), box.get(), box.get()]

    assert [envelope and envelope.message for envelope in read] == [
        "first",
        "second",
        None,
    ]
    assert box.empty()
    assert box.get(timeout=0.001) is None
    assert box.get_nowait() is None
