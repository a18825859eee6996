"""A mailbox in one thread: what it counts, its bound, and the time that is left."""

from __future__ import annotations

import time
import weakref

import pytest
from pykka._envelope import Envelope

from supervisors import MailboxFullError, _mailbox
from supervisors._mailbox import BoundedMailbox, Mailbox, remaining
from supervisors.testing import ManualClock, Probe


class News:
    """A message that a weak reference can follow."""


def test_the_length_is_what_waits_and_nothing_waits_in_a_closed_mailbox() -> None:
    box = Mailbox()
    assert len(box) == 0
    box.put(Envelope("first"))
    box.put(Envelope("second"))

    before = len(box)
    box.close(lambda _envelope: None)

    # Closing leaves a poke for the reader, which is no message.
    assert (before, len(box)) == (2, 0)


def test_closing_wakes_the_reader_with_nothing_to_read() -> None:
    box = Mailbox()
    box.close(lambda _envelope: None)

    assert not box.empty()
    assert box.get_nowait() is None
    assert box.empty()


def test_messages_that_were_handled_are_counted() -> None:
    box = Mailbox()
    assert box.handled == 0

    box.done()
    box.done()

    assert box.handled == 2


def test_a_mailbox_is_idle_when_its_last_message_was_handled() -> None:
    box = Mailbox()
    assert box.idle()

    box.put(Envelope("message"))
    box.get()

    assert not box.idle()
    box.done()
    assert box.idle()


def test_the_oldest_message_is_the_one_in_hand_until_it_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, box = ManualClock(start=3.0), Mailbox()
    monkeypatch.setattr(_mailbox, "_clock", clock.monotonic)
    box.put(Envelope("first"))
    clock.advance(4.0)
    box.put(Envelope("second"))

    box.get()
    in_hand = box.oldest()
    box.done()

    assert (in_hand, box.oldest()) == (3.0, 7.0)
    box.done()
    assert box.oldest() is None


# A mailbox with a bound


def test_a_taken_message_makes_room_whichever_way_it_was_taken() -> None:
    box = BoundedMailbox().bound(1)
    first, second, third = Envelope("1"), Envelope("2"), Envelope("3")

    box.put(first)
    assert box.get() is first
    box.put(second)
    assert box.get_nowait() is second
    box.put(third)

    with pytest.raises(MailboxFullError):
        box.put(Envelope("4"))


def test_news_that_was_taken_makes_no_room() -> None:
    box = BoundedMailbox().bound(1)
    news = Envelope("news")
    box.put_system(news)
    box.put(Envelope("message"))

    assert box.get() is news

    with pytest.raises(MailboxFullError):
        box.put(Envelope("one too many"))


def test_news_that_was_taken_is_not_kept() -> None:
    box = BoundedMailbox().bound(1)
    news = News()
    box.put_system(Envelope(news))
    followed = weakref.ref(news)

    box.get()
    del news

    assert followed() is None


def test_a_bounded_mailbox_is_waited_for_no_longer_than_told() -> None:
    assert BoundedMailbox().bound(1).get(timeout=0.001) is None


def test_a_refused_message_is_told_of() -> None:
    box, refused = BoundedMailbox().bound(1), Probe()
    box.on_refused = refused
    box.put(Envelope("accepted"))

    with pytest.raises(MailboxFullError):
        box.put(Envelope("refused"))

    assert refused.expect() == "refused"
    refused.expect_nothing()


# The time that is left


def test_no_deadline_leaves_all_the_time_there_is() -> None:
    assert remaining(None) is None


def test_a_deadline_leaves_the_seconds_until_then() -> None:
    assert remaining(time.monotonic() + 100.0) == pytest.approx(100.0, abs=50.0)


def test_a_deadline_that_has_passed_leaves_no_time() -> None:
    assert remaining(time.monotonic() - 1.0) == 0.0
