"""A mailbox in one thread: its length, and the time that is left."""

from __future__ import annotations

import time

import pytest
from pykka._envelope import Envelope

from supervisors._mailbox import Mailbox, remaining


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


def test_no_deadline_leaves_all_the_time_there_is() -> None:
    assert remaining(None) is None


def test_a_deadline_leaves_the_seconds_until_then() -> None:
    assert remaining(time.monotonic() + 100.0) == pytest.approx(100.0, abs=50.0)


def test_a_deadline_that_has_passed_leaves_no_time() -> None:
    assert remaining(time.monotonic() - 1.0) == 0.0
