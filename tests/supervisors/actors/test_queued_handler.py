"""A slow sink holds nobody up, and loses nothing without counting it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import warnings

import pytest

from supervisors import ConfigError, Event, Events, QueuedHandler
from tests.supervisors.actors.parts import WAIT


class Slow:
    """A handler that waits in its first event until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()
        self.names: list[tuple[str, ...]] = []

    def __call__(self, event: Event) -> None:
        self.entered.set()
        assert self.release.wait(WAIT)
        self.names.append(event.name)


def test_a_queued_handler_drops_and_counts_what_does_not_fit() -> None:
    events = Events()
    slow = Slow()
    with QueuedHandler(slow, limit=2) as handler:
        events.attach(handler)
        events.emit(("0",))
        assert slow.entered.wait(WAIT)

        for number in range(1, 6):
            events.emit((str(number),))

        assert handler.dropped == 3
        slow.release.set()
    assert slow.names == [("0",), ("1",), ("2",)]


def test_a_queued_handler_that_is_closed_drops_what_comes_later() -> None:
    seen: list[Event] = []
    handler = QueuedHandler(seen.append)

    assert handler.close(WAIT)
    assert handler.close(WAIT)
    handler(Event(name=("late",)))

    assert (seen, handler.dropped) == ([], 1)


def test_closing_a_stuck_queued_handler_gives_up_after_its_timeout() -> None:
    slow = Slow()
    handler = QueuedHandler(slow)
    for name in ("first", "second"):
        handler(Event(name=(name,)))
    assert slow.entered.wait(WAIT)

    assert not handler.close(0.01)

    assert handler.dropped == 1
    slow.release.set()
    assert handler.close(WAIT)
    assert slow.names == [("first",)]


def test_a_queued_handler_that_raises_is_reported_and_passes_nothing_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def bad(event: Event) -> None:
        raise ValueError("bad sink")

    with caplog.at_level(logging.ERROR, "supervisors"):
        handler = QueuedHandler(bad)
        handler(Event(name=("a",)))
        handler._thread.join(WAIT)

    handler(Event(name=("b",)))
    assert handler.dropped == 2
    assert len(caplog.records) == 1
    assert handler.close(WAIT)


def test_a_queued_handler_needs_room() -> None:
    with pytest.raises(ConfigError, match="limit is 0"):
        QueuedHandler(print, limit=0)


AT_EXIT = """
from supervisors import Actor, ChildSpec, Events, QueuedHandler, Supervisor
events = Events()
top = Supervisor.start([ChildSpec(id="w", actor=Actor)], events=events)
events.attach(QueuedHandler(lambda event: print(*event.name)), ("supervisors",))
"""


def test_at_exit_a_queued_handler_passes_on_what_the_stopping_trees_tell() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT], capture_output=True, text=True, timeout=60
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == ["supervisors supervisor stop"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_in_a_forked_child_a_queued_handler_drops_and_never_waits() -> None:
    seen: list[Event] = []
    with QueuedHandler(seen.append) as handler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            handler(Event(name=("a",)))
            handler.close(1.0)
            os._exit(0 if handler.dropped == 1 else 1)

        assert os.waitpid(child, 0)[1] == 0
    assert seen == []
