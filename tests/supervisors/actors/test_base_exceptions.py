"""Whatever a callback raises ends its own actor, and no other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from supervisors import Actor, ActorDownError, Crashed, StartError
from supervisors.testing import ManualClock
from tests.supervisors.actors.parts import (
    WAIT,
    Scripted,
    nothing,
    on_clock,
    running,
    settle,
)

ERRORS = [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError]


class Fragile(Scripted):
    """Raises `error` in the callback of that name, when it comes to it."""

    def __init__(self, where: str, error: BaseException) -> None:
        super().__init__()
        self.where = where
        self.error = error

    def _reach(self, callback: str) -> None:
        if callback == self.where:
            raise self.error

    def on_start(self) -> None:
        self._reach("on_start")

    def on_continue(self, term: Any) -> None:
        self._reach("on_continue")

    def on_idle(self) -> None:
        self._reach("on_idle")

    def on_end(self, reason: Any) -> None:
        self._reach("on_end")

    def on_stop(self) -> None:
        self._reach("on_stop")

    def on_failure(self, *exc_info: Any) -> None:
        self._reach("on_failure")

    def raises(self) -> None:
        raise self.error


def raises(actor: Any) -> None:
    actor.raises()


def arrive(ref: Any, where: str, clock: ManualClock) -> None:
    """Bring the actor to the callback that raises."""
    match where:
        case "told":
            ref.cast(raises)
        case "on_continue":
            ref.cast(Actor.continue_with)
        case "on_idle":
            ref.call(lambda actor: actor.idle_after(1))
            settle(ref)
            clock.advance(1)
        case "timer":
            ref.call(lambda actor: actor.send_after(1, raises))
            settle(ref)
            clock.advance(1)
        case "on_failure":
            ref.cast(lambda actor: 1 / 0)
        case _:
            ref.shutdown()


@pytest.mark.parametrize("error_class", ERRORS)
@pytest.mark.parametrize(
    "where",
    ["told", "on_continue", "on_idle", "timer", "on_end", "on_stop", "on_failure"],
)
def test_it_is_the_exit_reason_of_that_actor_alone(
    where: str, error_class: type[BaseException]
) -> None:
    error, clock = error_class(), ManualClock()
    with (
        running(Scripted) as bystander,
        on_clock(Fragile(where, error), clock) as ref,
    ):
        arrive(ref, where, clock)

        assert ref.wait(WAIT) == Crashed(error)
        bystander.call(nothing)


@pytest.mark.parametrize("error_class", ERRORS)
def test_the_starter_gets_what_on_start_raised(
    error_class: type[BaseException],
) -> None:
    with running(Scripted) as bystander:
        with pytest.raises(StartError) as caught:
            Fragile.start("on_start", error_class())

        assert isinstance(caught.value.__cause__, error_class)
        bystander.call(nothing)


@pytest.mark.parametrize("error_class", ERRORS)
def test_the_caller_gets_it_as_the_reason(error_class: type[BaseException]) -> None:
    with running(Scripted) as bystander:
        ref = Fragile.start("asked", error_class())

        with pytest.raises(ActorDownError) as caught:
            ref.call(raises)

        assert isinstance(caught.value.__cause__, error_class)
        bystander.call(nothing)


class UnspeakableError(Exception):
    """One that cannot be shown, as happens when its `__str__` has a fault."""

    def __str__(self) -> str:
        raise AttributeError("detail")


def test_an_error_that_cannot_be_shown_is_told_to_its_caller_all_the_same() -> None:
    ref = Fragile.start("asked", UnspeakableError())

    with pytest.raises(ActorDownError, match="cannot be shown"):
        ref.call(raises, WAIT)

    assert isinstance(ref.wait(WAIT), Crashed)


def test_a_log_that_breaks_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> Any:
        raise OSError("disk full")

    monkeypatch.setattr("supervisors._actor_loop.logger", broken)
    ref = Fragile.start("asked", ValueError())

    with pytest.raises(ActorDownError):
        ref.call(raises, WAIT)
