"""A deadline around calls: none of them waits longer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from supervisors import (
    NO_REPLY,
    Actor,
    ActorDownError,
    CallTimeoutError,
    Handle,
    Ref,
    Registry,
    Scope,
    deadline,
    within,
)
from supervisors.clock import SYSTEM_CLOCK
from tests.supervisors.actors.parts import Scripted, running


class Silent(Actor):
    """Never answers."""

    def on_receive(self, message: Any) -> Any:
        return NO_REPLY


CALLS = {
    "call": lambda ref: ref.call("?", timeout=None),
    "ask": lambda ref: ref.ask("?"),
    "long timeout": lambda ref: ref.call("?", timeout=1000),
    "acall": lambda ref: asyncio.run(ref.acall("?", timeout=None)),
}


@pytest.mark.parametrize("way", CALLS)
def test_a_call_ends_with_its_deadline(way: str) -> None:
    with (
        running(Silent) as ref,
        deadline(0.02),
        pytest.raises(CallTimeoutError, match="did not answer"),
    ):
        CALLS[way](ref)


def test_the_calls_own_timeout_holds_when_it_is_shorter() -> None:
    with (
        running(Silent) as ref,
        deadline(1000),
        pytest.raises(CallTimeoutError, match=r"within 0\.01 s"),
    ):
        ref.call("?", timeout=0.01)


def test_the_nearest_of_several_deadlines_holds() -> None:
    with (
        running(Silent) as ref,
        deadline(0.02),
        deadline(1000),
        pytest.raises(CallTimeoutError),
    ):
        ref.call("?", timeout=None)


def test_a_scope_has_its_deadline_on_the_machines_clock() -> None:
    scope = Scope("example", deadline=SYSTEM_CLOCK.monotonic() + 0.02)
    with running(Silent) as ref, within(scope), pytest.raises(CallTimeoutError):
        ref.call("?", timeout=None)


def test_a_deadline_that_has_passed_leaves_no_time_at_all() -> None:
    with running(Silent) as ref, deadline(-1), pytest.raises(CallTimeoutError):
        ref.call("?", timeout=None)


def test_after_the_block_there_is_none() -> None:
    with running(Scripted) as ref:
        with deadline(-1):
            pass

        assert ref.call(lambda actor: "answered") == "answered"


def test_waiting_for_the_next_incarnation_ends_with_the_deadline() -> None:
    handle = Handle(Registry(), "nobody")

    with deadline(0.02), pytest.raises(ActorDownError):
        handle.call("?", timeout=None, idempotent=True)


def test_a_deadline_holds_in_an_actor_that_calls_on() -> None:
    def call_on(target: Ref[Any]) -> Any:
        def message(actor: Any) -> str:
            with deadline(0.02):
                try:
                    return str(target.call("?", timeout=None))
                except CallTimeoutError:
                    return "out of time"

        return message

    with running(Silent) as silent, running(Scripted) as ref:
        assert ref.call(call_on(silent)) == "out of time"
