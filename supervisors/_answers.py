"""Answering those who called an actor: while it lives, and when it is dead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from supervisors._future import ReplyFuture
from supervisors.errors import ActorDownError
from supervisors.exits import ExitReason, cause_of


@dataclass(frozen=True, slots=True)
class StopFor:
    """End with a reason, behind the messages that wait. Pykka's stop has none."""

    reason: ExitReason


STOPS = (_ActorStop, StopFor)
"""The messages whose sender wants the actor's end, and is answered by it."""


def down_error(label: str, reason: ExitReason) -> ActorDownError:
    """What a caller of the dead gets; a new one for each."""
    error = ActorDownError(label, reason)
    error.__cause__ = cause_of(reason)
    return error


def answer_of_the_dead(label: str, reason: ExitReason, envelope: Envelope[Any]) -> None:
    """Answer a message that came too late for the actor of that label."""
    answer_dead(envelope, down_error(label, reason))


def answer_dead(envelope: Envelope[Any], error: ActorDownError) -> None:
    """Answer a message that nobody will handle any more."""
    future = envelope.reply_to
    if future is None:
        return
    if isinstance(envelope.message, STOPS):
        # Whoever asked it to stop has what they wanted.
        settle(future, None, None)
    else:
        settle(future, None, error)


def settle(future: Any, value: Any, error: BaseException | None) -> None:
    """Settle our future or one of Pykka's; a second answer is dropped."""
    if isinstance(future, ReplyFuture):
        if error is None:
            future.resolve(value)
        else:
            future.reject(error)
        return
    try:
        if error is None:
            future.set(value)
        else:
            future.set_exception((type(error), error, None))
    except Exception:  # noqa: BLE001 - queue.Full: it was answered; first wins
        return
