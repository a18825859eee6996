"""What the errors say and carry."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pykka
import pytest

from supervisors import (
    ActorDownError,
    CallTimeoutError,
    ChildNotFoundError,
    ChildStateError,
    Crashed,
    Failed,
    Ignore,
    Killed,
    MailboxFullError,
    Normal,
    RestartLimitError,
    StartError,
    Stop,
    SupervisorError,
)
from supervisors._callbacks import reason_of


def raises(error: Exception) -> None:
    raise error


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    fork_free = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fork_free) as pool:
        yield pool


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


@pytest.mark.parametrize(
    "error",
    [
        ActorDownError("a", Killed()),
        RestartLimitError("a", Killed()),
        CallTimeoutError("'a' did not answer within 5 s"),
        ChildNotFoundError("a", ("b",)),
        ChildStateError("it runs", child_id="a", state="running"),
        MailboxFullError(3),
        StartError("it did not start", reason=Failed("mine")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_out_of_a_process_pool_as_it_went_in(
    error: SupervisorError, pool: ProcessPoolExecutor
) -> None:
    again = pool.submit(raises, error).exception(60)

    assert type(again) is type(error)
    assert (str(again), again.args) == (str(error), error.args)
    assert vars(again) == vars(error)


def test_the_reason_of_what_a_callback_raised() -> None:
    boom = ValueError("boom")

    assert reason_of(boom) == Crashed(boom)
    assert reason_of(Stop(Failed("mine"))) == Failed("mine")
    assert reason_of(Ignore()) == Normal()
