"""Starting an actor and hearing how that went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisors import _census
from supervisors._callbacks import Ignore, reason_of
from supervisors._leaving import check_not_leaving
from supervisors._waiting import waiting_for
from supervisors.errors import StartError
from supervisors.exits import KILLED, Crashed, Failed

if TYPE_CHECKING:
    from supervisors._life import Life
    from supervisors.actor import Actor


def launch(actor: Actor, timeout: float | None) -> None:
    """Start the actor's loop and wait for `on_start`.

    Raises:
        Ignore: `on_start` raised it.
        StartError: `on_start` raised, or took longer than `timeout` seconds; or the
            program is ending, when nothing starts any more.
    """
    begin(actor)
    life = actor.life
    with waiting_for(life.started, life, "start"):
        started = life.started.wait(timeout)
    if not started:
        life.end_from_outside(KILLED)
        msg = f"{life.label!r} did not start within {timeout:g} s, and was given up"
        raise StartError(msg, reason=Failed("start timeout"))
    conclude(life, timeout)


def begin(actor: Actor) -> None:
    """Start the actor's loop.

    Raises:
        StartError: The program is ending, or has no thread left for it.
    """
    life = actor.life
    try:
        check_not_leaving(life.label)
        actor._start_actor_loop()  # noqa: SLF001 - Pykka's name for it
    except Exception as error:
        life.end(error.reason if isinstance(error, StartError) else Crashed(error))
        # Its thread never was, so nobody else strikes it off.
        _census.ended(life)
        if isinstance(error, StartError):
            raise
        msg = f"{life.label!r} did not start: {error}"
        raise StartError(msg, reason=Crashed(error)) from error


def conclude(life: Life, timeout: float | None) -> None:
    """Say how the start went, once that is known.

    Raises:
        Ignore: `on_start` raised it.
        StartError: `on_start` raised, or the actor ended meanwhile.
    """
    try:
        life.started.get()
    except Ignore:
        life.ended.wait()
        raise
    except StartError:
        raise
    except BaseException as error:
        reason = life.ended.get() if life.ended.wait(timeout) else reason_of(error)
        msg = f"{life.label!r} did not start: {error}"
        raise StartError(msg, reason=reason) from error
