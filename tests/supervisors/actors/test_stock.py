"""Actors written for Pykka alone, unchanged, as children of a supervisor."""

from __future__ import annotations

from typing import Any

import pykka
import pytest

from supervisors import Actor, ConfigError, Crashed, Normal, Ref, StartError
from supervisors._launch import launch
from supervisors.stock import supervised
from supervisors.testing import Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    BoomError,
    Scripted,
    letting_go,
    running,
)


class Stock(pykka.ThreadingActor):
    """As people write them: names of its own, and some that are ours elsewhere."""

    def __init__(self, probe: Any = None, *, greeting: str = "hello") -> None:
        super().__init__()
        self.probe = probe or Probe()
        self.greeting = greeting
        # Names that mean something to our own actors.
        self.life = 3
        self.surroundings = "forest"
        self._timers: dict[str, float] = {}

    def _handle(self, message: Any) -> Any:
        return message(self)

    def monitor(self) -> str:
        return "a screen"

    def greet(self, name: str) -> str:
        return f"{self.greeting} {name}"

    def on_start(self) -> None:
        self.probe("on_start")

    def on_stop(self) -> None:
        self.probe("on_stop")

    def on_failure(self, *exc_info: Any) -> None:
        self.probe(("on_failure", exc_info[0]))

    def on_receive(self, message: Any) -> Any:
        return self._handle(message)


class ByName(pykka.ThreadingActor):
    """Calls Pykka's constructor by its name, as its documentation allows."""

    def __init__(self, word: str) -> None:
        pykka.ThreadingActor.__init__(self)
        self.word = word

    def on_receive(self, message: Any) -> str:
        return self.word


class Plain(pykka.ThreadingActor):
    """Has nothing of its own but a message handler and nested attributes."""

    class Settings:
        size = 1
        colour = "red"

    settings: Any = pykka.traversable(Settings())

    def on_receive(self, message: Any) -> Any:
        return message


def started(actor_class: type[pykka.ThreadingActor], *args: Any, **kwargs: Any) -> Any:
    return supervised(actor_class).start(*args, **kwargs)


def boom(actor: Any) -> Any:
    raise BoomError("boom")


def test_an_error_under_ask_goes_to_the_caller_and_the_actor_lives() -> None:
    ref = started(Stock)

    with pytest.raises(BoomError):
        ref.ask(boom)
    with pytest.raises(BoomError):
        ref.call(boom)

    assert ref.ask(lambda actor: "alive") == "alive"
    ref.stop()


def test_an_error_under_tell_ends_it_and_runs_on_failure() -> None:
    probe = Probe()
    ref = started(Stock, probe)

    ref.tell(boom)

    reason = ref.wait(WAIT)
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, BoomError)
    assert [probe.expect(), probe.expect()] == ["on_start", ("on_failure", BoomError)]
    probe.expect_nothing()


def test_a_stop_runs_on_stop() -> None:
    probe = Probe()
    ref = started(Stock, probe)

    assert ref.stop()

    assert ref.wait(0) == Normal()
    assert [probe.expect(), probe.expect()] == ["on_start", "on_stop"]
    probe.expect_nothing()


def test_it_may_stop_itself() -> None:
    ref = started(Stock)

    ref.tell(lambda actor: actor.stop())

    assert ref.wait(WAIT) == Normal()


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
def test_what_is_no_exception_ends_it_alone(error: BaseException) -> None:
    def leave(actor: Any) -> None:
        raise error

    bystander = started(Plain)
    ref = started(Stock)
    with pytest.raises(pykka.ActorDeadError):
        ref.ask(leave)

    assert ref.wait(WAIT) == Crashed(error)
    assert bystander.ask("alive") == "alive"
    bystander.stop()


def test_a_failing_on_start_is_an_error_of_the_start() -> None:
    def fail(event: str) -> None:
        raise BoomError(event)

    with pytest.raises(StartError) as caught:
        started(Stock, fail)

    assert isinstance(caught.value.__cause__, BoomError)


def test_a_class_that_calls_pykkas_constructor_by_name_works() -> None:
    ref = started(ByName, "word")

    assert ref.ask("?") == "word"
    ref.stop()


def test_proxies_call_read_write_and_traverse() -> None:
    ref, plain = started(Stock, greeting="hi"), started(Plain)
    proxy = ref.proxy()

    assert proxy.greet("you").get(timeout=WAIT) == "hi you"
    proxy.greeting = "bye"
    assert proxy.greeting.get(timeout=WAIT) == "bye"
    assert plain.proxy().settings.colour.get(timeout=WAIT) == "red"
    ref.stop()
    plain.stop()


def test_its_own_names_never_meet_ours() -> None:
    ref = started(Stock)
    proxy = ref.proxy()

    assert proxy.life.get(timeout=WAIT) == 3
    assert proxy.surroundings.get(timeout=WAIT) == "forest"
    assert proxy.monitor().get(timeout=WAIT) == "a screen"
    assert ref.is_alive()
    ref.stop()


def test_the_actor_inside_is_of_the_very_class_and_knows_its_ref() -> None:
    ref = started(Stock)

    actor_class, own_ref = ref.ask(lambda actor: (type(actor), actor.actor_ref))

    assert actor_class is Stock
    assert ref.actor_class is Stock
    assert own_ref == ref
    assert isinstance(own_ref, Ref)
    ref.stop()


def test_a_ref_given_away_by_the_constructor_reaches_it() -> None:
    given: list[Any] = []

    class GivesItsRef(Plain):
        def __init__(self) -> None:
            super().__init__()
            given.append(self.actor_ref)
            given[0].tell("kept until it starts")

    ref = started(GivesItsRef)
    early = given[0]

    # Pykka's own object, and so another than ours, of the same actor.
    assert early.actor_urn == ref.actor_urn
    assert early.ask("through the early ref", timeout=WAIT) == "through the early ref"
    ref.stop()
    assert not early.is_alive()


def test_it_is_killed_suspended_and_bounded_by_time_like_ours() -> None:
    with letting_go(Block()) as block:
        ref = started(Stock)
        assert ref.suspend()
        ref.resume()
        in_hand = ref.ask(block, block=False)
        block.inside()
        with pytest.raises(pykka.Timeout):
            ref.ask(lambda actor: None, timeout=0.01)
        ref.kill()

        with pytest.raises(pykka.ActorDeadError):
            in_hand.get(timeout=WAIT)


def test_our_own_class_is_taken_as_it_is() -> None:
    assert supervised(Actor) is Actor
    assert supervised(Stock) is supervised(Stock)


def test_a_class_that_is_no_actor_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be supervised"):
        supervised(dict)


@pytest.mark.parametrize(
    "name", ["_actor_loop", "_actor_loop_running", "_start_actor_loop", "_stop"]
)
def test_a_class_with_a_loop_of_its_own_is_refused(name: str) -> None:
    looped = type("Looped", (Plain,), {name: lambda self: None})

    with pytest.raises(ConfigError, match=f"overrides Pykka's loop .*{name}"):
        supervised(looped)


def test_a_start_that_takes_too_long_is_given_up() -> None:
    with letting_go(Block()) as block:
        actor_class: Any = supervised(Stock)
        actor = actor_class(block)

        with pytest.raises(StartError, match="did not start within"):
            launch(actor, timeout=0.02)


def test_ours_and_theirs_link_and_watch_each_other() -> None:
    ref = started(Stock)
    with running(Scripted) as ours:
        ours.call(lambda actor: actor.monitor(ref) and None)
        ours.call(lambda actor: actor.link(ref))
        ours.kill()

        assert ref.wait(WAIT) is not None
