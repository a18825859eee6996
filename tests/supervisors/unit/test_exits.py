"""Exit reasons: which are orderly, and how they read."""

from __future__ import annotations

import pytest

from supervisors.exits import (
    KILLED,
    NO_PROCESS,
    NORMAL,
    SHUTDOWN,
    Crashed,
    ExitReason,
    Failed,
    FailedToStartChild,
    Hung,
    Killed,
    NoProcess,
    Normal,
    RestartLimitReached,
    Shutdown,
    cause_of,
    is_abnormal,
)

ORDERLY = [NORMAL, SHUTDOWN, Shutdown("upgrade")]
ABNORMAL = [
    Failed("boom"),
    Failed(None),
    Crashed(ValueError("no")),
    KILLED,
    Hung(3.0),
    NO_PROCESS,
]


@pytest.mark.parametrize("reason", ORDERLY)
def test_normal_and_shutdown_do_not_restart_a_transient_child(
    reason: ExitReason,
) -> None:
    assert not is_abnormal(reason)


@pytest.mark.parametrize("reason", ABNORMAL)
def test_every_other_reason_does(reason: ExitReason) -> None:
    assert is_abnormal(reason)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (NORMAL, "normal"),
        (SHUTDOWN, "shutdown"),
        (Shutdown("upgrade"), "shutdown: upgrade"),
        # Falsy, and yet a term.
        (Shutdown(0), "shutdown: 0"),
        (Failed("boom"), "failed: boom"),
        (Crashed(ValueError("no luck")), "crashed: ValueError: no luck"),
        (KILLED, "killed"),
        (Hung(2.25), "hung: one message in hand for 2.2 s"),
        (NO_PROCESS, "no process"),
        (
            Shutdown(FailedToStartChild("cache", Failed("disk full"))),
            "shutdown: child 'cache' did not start (failed: disk full)",
        ),
    ],
)
def test_a_reason_reads_as_a_sentence_part(reason: ExitReason, text: str) -> None:
    assert str(reason) == text


def test_a_reached_limit_names_the_child_the_reason_and_the_limit() -> None:
    reached = RestartLimitReached("cache", Failed("boom"), 3, 5.0)

    assert str(reached) == (
        "child 'cache' ended (failed: boom) after 3 restarts within 5 s"
    )


def test_reasons_are_values() -> None:
    assert Normal() == NORMAL
    assert Shutdown() == SHUTDOWN
    assert Shutdown("a") != Shutdown("b")
    assert {Killed(), KILLED, NoProcess(), NO_PROCESS} == {KILLED, NO_PROCESS}


def test_only_a_crash_has_an_exception_behind_it() -> None:
    error = ValueError("no")

    assert cause_of(Crashed(error)) is error
    assert [cause_of(reason) for reason in (KILLED, Failed(error))] == [None, None]
