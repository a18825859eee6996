"""What the errors say and carry."""

from __future__ import annotations

import pykka
import pytest

from supervisors import (
    ActorDownError,
    CallTimeoutError,
    ChildNotFoundError,
    Crashed,
    Failed,
    Ignore,
    Killed,
    Normal,
    RestartLimitError,
    Stop,
    SupervisorError,
)
from supervisors._callbacks import reason_of


def test_a_child_that_is_not_there_lists_those_that_are() -> None:
    error = ChildNotFoundError("cache", ("client", "clock"))

    assert str(error) == (
        "no child 'cache' under this supervisor; its children are: 'client', 'clock'. "
        "Pass one of those ids, or add it first with start_child()."
    )
    assert (error.child_id, error.known) == ("cache", ("client", "clock"))
    assert "its children are: none" in str(ChildNotFoundError("x", ()))


def test_a_dead_actor_is_named_with_its_reason() -> None:
    error = ActorDownError("cache", Killed())

    assert str(error) == "'cache' is not there to answer: it ended (killed)"
    assert (error.name, error.reason) == ("cache", Killed())


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (ActorDownError("a", Killed()), pykka.ActorDeadError),
        (RestartLimitError("a", Killed()), ActorDownError),
        (CallTimeoutError(), TimeoutError),
        (ChildNotFoundError("a", ()), LookupError),
    ],
)
def test_each_error_is_ours_and_what_users_expect(
    error: Exception, base: type[Exception]
) -> None:
    assert isinstance(error, SupervisorError)
    assert isinstance(error, base)


def test_the_reason_of_what_a_callback_raised() -> None:
    boom = ValueError("boom")

    assert reason_of(boom) == Crashed(boom)
    assert reason_of(Stop(Failed("mine"))) == Failed("mine")
    assert reason_of(Ignore()) == Normal()
