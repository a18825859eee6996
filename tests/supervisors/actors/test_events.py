"""Events are handled where they are emitted, and harm nobody."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from supervisors import (
    ChildSpec,
    ConfigError,
    Event,
    Events,
    MailboxFullError,
    StartError,
    Supervisor,
    SupervisorActor,
    snapshot,
)
from supervisors import events as names
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    Scripted,
    Told,
    boom,
    letting_go,
    worker,
)


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


def test_who_comes_later_hears_of_events_that_nobody_wanted_before() -> None:
    events = Events()
    heard: list[tuple[str, ...]] = []
    events.emit(("work", "done"))
    assert not events.are_wanted(("work", "done"))

    events.attach(lambda event: heard.append(event.name), ("work",))
    events.emit(("work", "done"))

    assert heard == [("work", "done")]


def test_events_are_wanted_by_whoever_would_hear_them() -> None:
    events = Events()
    assert not events.are_wanted(("a", "start"))

    number = events.attach(lambda _event: None, ("a",))

    assert events.are_wanted(("a", "start"))
    assert not events.are_wanted(("b", "start"))
    events.detach(number)
    assert not events.are_wanted(("a", "start"))


def test_a_handler_that_raises_is_detached_and_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = Events()
    seen: list[Event] = []
    calls: list[Event] = []

    def bad(event: Event) -> None:
        calls.append(event)
        raise ValueError("bad handler")

    events.attach(bad, handler_id="bad")
    events.attach(seen.append)
    with caplog.at_level(logging.ERROR, "supervisors"):
        events.emit(("a",))
        events.emit(("a",))

    assert len(calls) == 1
    assert [event.name for event in seen] == [names.HANDLER_FAILED, ("a",), ("a",)]
    assert seen[0].metadata["handler_id"] == "bad"
    assert seen[0].metadata["event"] == ("a",)
    assert isinstance(seen[0].metadata["error"], ValueError)
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
    events.attach(
        lambda event: probe((event.name, event.metadata.get("child_id"))),
        ("supervisors", "child"),
    )
    with Supervisor.start([worker("w")], events=events) as top:
        top.handle("w").cast(boom)

        assert [probe.expect() for _ in range(4)] == [
            (names.CHILD_START, "w"),
            (names.CHILD_EXIT, "w"),
            (names.CHILD_START, "w"),
            (names.CHILD_RESTART, "w"),
        ]


def test_one_whose_thread_is_slow_to_leave_was_not_abandoned() -> None:
    gone = threading.Event()

    class Slow(ManualClock):
        def subscribe(self, poke: Callable[[], None]) -> Callable[[], None]:
            unsubscribe = super().subscribe(poke)

            def leave() -> None:
                assert gone.wait(WAIT)
                unsubscribe()

            return leave

    events = Events()
    probe = Probe()
    events.attach(lambda event: probe(event.name[-1]), ("supervisors", "child"))
    with Supervisor.start([worker("w")], events=events, clock=Slow()) as top:
        top.handle("w").cast(boom)

        told = [probe.expect() for _ in range(4)]
        assert told == ["start", "exit", "start", "restart"]
        assert snapshot(top).zombies == ()
        gone.set()


def test_a_handler_that_raises_does_not_harm_the_tree() -> None:
    events = Events()

    def bad(event: Event) -> None:
        raise ValueError("bad handler")

    events.attach(bad)
    with Supervisor.start([worker("w", Scripted)], events=events) as top:
        assert top.handle("w").call(lambda actor: 1) == 1


def test_a_handler_with_several_prefixes_is_called_once_for_each_event() -> None:
    events = Events()
    seen: list[tuple[str, ...]] = []
    events.attach_many(
        lambda event: seen.append(event.name), [("a",), ("a", "b"), ("c",)]
    )

    for name in (("a", "b"), ("c", "d"), ("d",)):
        events.emit(name)

    assert seen == [("a", "b"), ("c", "d")]


def test_a_handlers_id_is_unique_until_it_is_detached() -> None:
    events = Events()
    events.attach(lambda event: None, ("a",), handler_id="log")

    with pytest.raises(ConfigError, match="the id 'log' already"):
        events.attach(lambda event: None, handler_id="log")
    assert events.detach("log")
    assert not events.detach("log")
    assert events.attach(lambda event: None, handler_id="log") == "log"


def test_handlers_are_listed_by_what_they_want() -> None:
    events = Events()
    events.attach(print, ("a", "b"), handler_id="narrow")
    events.attach(print, (), handler_id="all")
    events.attach(print, ("c",), handler_id="other")

    assert [each.handler_id for each in events.handlers(("a",))] == ["narrow", "all"]
    assert [each.handler_id for each in events.handlers()] == ["narrow", "all", "other"]


def test_a_span_tells_of_start_and_stop_with_its_duration() -> None:
    clock = ManualClock()
    events = Events(clock)
    seen: list[Event] = []
    events.attach(seen.append)

    with events.span(("work",), who="me") as more:
        clock.advance(2.5)
        more["count"] = 3

    start, stop = seen
    assert (start.name, stop.name) == (("work", "start"), ("work", "stop"))
    assert stop.measurements == {"seconds": 2.5}
    assert stop.metadata["who"] == "me"
    assert stop.metadata["count"] == 3
    assert start.metadata["span"] is stop.metadata["span"]


def test_a_span_tells_of_an_exception_and_lets_it_pass() -> None:
    events = Events()
    seen: list[Event] = []
    events.attach(seen.append, ("work", "exception"))
    error = KeyError("missing")

    with pytest.raises(KeyError), events.span(("work",), who="me"):
        raise error

    (event,) = seen
    assert event.metadata["error"] is error
    assert event.metadata["who"] == "me"
    assert event.measurements["seconds"] >= 0


def test_a_supervisor_tells_of_its_start_and_of_every_kind_of_end() -> None:
    events = Events()
    probe = Probe()
    events.attach(
        lambda event: probe((event.name[-1], event.metadata["path"])),
        ("supervisors", "supervisor"),
    )
    branch = ChildSpec(
        id="branch",
        name="branch",
        actor=SupervisorActor,
        args=((worker("w"),),),
        kind="supervisor",
    )
    with Supervisor.start([branch], events=events) as top:
        assert [probe.expect() for _ in range(2)] == [
            ("start", ("branch",)),
            ("start", ()),
        ]

        top.registry.resolve("branch").kill()

        assert probe.expect() == ("stop", ("branch",))
        assert probe.expect() == ("start", ("branch",))
    assert probe.expect() == ("stop", ("branch",))
    assert probe.expect() == ("stop", ())
    probe.expect_nothing()


def test_a_supervisor_that_did_not_start_tells_of_neither() -> None:
    events = Events()
    probe = Probe()
    events.attach(probe, ("supervisors", "supervisor"))
    failing = worker("w", Told, args=(Probe(),), kwargs={"fails": lambda: True})

    with pytest.raises(StartError):
        Supervisor.start([failing], events=events)

    probe.expect_nothing()


def test_a_refused_message_is_told_with_its_class() -> None:
    class Narrow(Scripted):
        mailbox_limit = 1

    events = Events()
    seen: list[Event] = []
    events.attach(seen.append, names.MAILBOX_FULL)
    with (
        letting_go(Block()) as block,
        Supervisor.start([worker("w", Narrow)], events=events) as top,
    ):
        handle = top.handle("w")
        handle.cast(block)
        block.inside()
        handle.cast(block)

        with pytest.raises(MailboxFullError):
            handle.cast(block)

        (event,) = seen
        assert event.metadata == {"path": ("w",), "message": "Block"}
        assert event.measurements == {"limit": 1}
        block.release.set()
