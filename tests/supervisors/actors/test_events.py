"""Events are handled where they are emitted, and harm nobody."""

from __future__ import annotations

import logging
import threading

import pytest

from supervisors import Event, Events, Supervisor
from supervisors import events as names
from supervisors.testing import Probe
from tests.supervisors.actors.parts import Scripted, boom, worker


def test_a_handler_gets_the_events_of_its_prefix() -> None:
    events = Events()
    seen: list[Event] = []
    events.attach(seen.append, ("a",))

    events.emit(("a", "start"), {"seconds": 1.5}, who="me")
    events.emit(("b", "start"))

    assert seen == [
        Event(
            name=("a", "start"), measurements={"seconds": 1.5}, metadata={"who": "me"}
        )
    ]


def test_a_detached_handler_hears_no_more() -> None:
    events = Events()
    seen: list[Event] = []
    number = events.attach(seen.append)
    events.detach(number)
    events.detach(number)

    events.emit(("a",))

    assert seen == []


def test_a_handler_that_raises_is_detached_and_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = Events()
    seen: list[Event] = []
    calls: list[Event] = []

    def bad(event: Event) -> None:
        calls.append(event)
        raise ValueError("bad handler")

    events.attach(bad)
    events.attach(seen.append)
    with caplog.at_level(logging.ERROR, "supervisors"):
        events.emit(("a",))
        events.emit(("a",))

    assert len(calls) == 1
    assert len(seen) == 2
    assert len(caplog.records) == 1


def test_handlers_may_come_and_go_while_others_emit() -> None:
    events = Events()
    seen: list[Event] = []
    events.attach(seen.append)
    done = threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            events.detach(events.attach(lambda event: None))

    threads = [threading.Thread(target=come_and_go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(2_000):
        events.emit(("tick",))
    done.set()
    for thread in threads:
        thread.join(10)

    assert len(seen) == 2_000
    assert len(events._handlers) == 1


def test_a_tree_tells_what_happens_to_its_children() -> None:
    events = Events()
    probe = Probe()
    events.attach(lambda event: probe((event.name, event.metadata.get("child_id"))))
    with Supervisor.start([worker("w")], events=events) as top:
        top.handle("w").cast(boom)

        assert [probe.expect() for _ in range(4)] == [
            (names.CHILD_START, "w"),
            (names.CHILD_EXIT, "w"),
            (names.CHILD_START, "w"),
            (names.CHILD_RESTART, "w"),
        ]


def test_a_handler_that_raises_does_not_harm_the_tree() -> None:
    events = Events()

    def bad(event: Event) -> None:
        raise ValueError("bad handler")

    events.attach(bad)
    with Supervisor.start([worker("w", Scripted)], events=events) as top:
        assert top.handle("w").call(lambda actor: 1) == 1
