"""Names that find their actors."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from supervisors import (
    ActorDownError,
    Killed,
    NoProcess,
    Ref,
    Registry,
    RestartLimitError,
    Scope,
    ScopeCancelledError,
    within,
)
from supervisors.exits import SHUTDOWN
from supervisors.testing import Probe
from tests.supervisors.actors.parts import WAIT, BoomError, Scripted


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def ref() -> Iterator[Ref[Any]]:
    ref = Scripted.start()
    yield ref
    ref.shutdown()


@pytest.fixture
def dead() -> Ref[Any]:
    ref = Scripted.start()
    ref.kill()
    return ref


def test_a_name_belongs_to_one_living_actor(registry: Registry, ref: Ref[Any]) -> None:
    other = Scripted.start()

    assert registry.register("a", ref)
    assert not registry.register("a", other)
    assert registry.lookup("a") is ref
    other.shutdown()


def test_the_name_of_a_dead_actor_is_free(
    registry: Registry, ref: Ref[Any], dead: Ref[Any]
) -> None:
    registry._refs["a"] = dead

    assert registry.register("a", ref)
    registry.unregister("a", dead)
    assert registry.whereis("a") is ref


def test_unregister_takes_the_name_away(registry: Registry, ref: Ref[Any]) -> None:
    registry.register("b", ref)
    registry.register("a", ref)
    assert registry.names() == ("a", "b")

    registry.unregister("a", ref)

    assert registry.names() == ("b",)
    assert registry.whereis("a") is None


def test_an_unknown_name_says_no_process(registry: Registry) -> None:
    with pytest.raises(ActorDownError) as caught:
        registry.lookup("nobody")

    assert caught.value.name == "nobody"
    assert caught.value.reason == NoProcess()


def test_who_waits_for_a_name_gets_it_when_it_comes(
    registry: Registry, ref: Ref[Any]
) -> None:
    probe = Probe()
    thread = threading.Thread(target=lambda: probe(registry.await_name("a", WAIT)))
    thread.start()

    registry.register("a", ref)

    assert probe.expect() is ref
    thread.join(WAIT)


def test_who_waits_passes_over_a_dead_actor(registry: Registry, dead: Ref[Any]) -> None:
    registry._refs["a"] = dead
    before = time.monotonic()

    with pytest.raises(ActorDownError):
        registry.await_name("a", timeout=0.02)

    assert time.monotonic() - before >= 0.02


def waiting(registry: Registry, scope: Scope | None = None) -> Probe:
    """Somebody who waits for the name `a`; what it gets comes by the probe."""
    probe = Probe()

    def wait() -> None:
        try:
            if scope is None:
                registry.await_name("a", WAIT)
            else:
                with within(scope):
                    registry.await_name("a", WAIT)
        except Exception as error:
            probe(error)

    threading.Thread(target=wait, daemon=True).start()
    return probe


def test_who_waits_hears_that_the_tree_is_over(registry: Registry) -> None:
    probe = waiting(registry)

    registry.close(ActorDownError("root", Killed()))

    assert probe.expect().reason == Killed()


def test_who_waits_hears_that_the_actor_will_not_come_back(registry: Registry) -> None:
    probe = waiting(registry)

    registry.bury("a", RestartLimitError("a", SHUTDOWN))

    assert isinstance(probe.expect(), RestartLimitError)


def test_who_waits_in_a_scope_that_is_cancelled_stops_waiting(
    registry: Registry,
) -> None:
    scope = Scope("example 1")
    probe = waiting(registry, scope)

    scope.cancel("deadline")

    assert isinstance(probe.expect(), ScopeCancelledError)


def test_a_grave_is_gone_when_somebody_has_the_name_again(
    registry: Registry, ref: Ref[Any]
) -> None:
    registry.bury("a", RestartLimitError("a", SHUTDOWN))
    with pytest.raises(RestartLimitError):
        registry.lookup("a")

    registry.register("a", ref)

    assert registry.lookup("a") is ref


def test_a_closed_registry_gives_each_caller_an_error_of_its_own(
    registry: Registry, ref: Ref[Any]
) -> None:
    registry.register("a", ref)
    error = RestartLimitError("root", SHUTDOWN)
    error.__cause__ = BoomError("why")
    registry.close(error)

    seen = []
    for _ in range(2):
        with pytest.raises(RestartLimitError) as caught:
            registry.lookup("a")
        seen.append(caught.value)

    assert registry.closed is error
    assert seen[0] is not seen[1]
    assert seen[0].__cause__ is error.__cause__
    assert error.__traceback__ is None
    assert not registry.register("b", ref)
