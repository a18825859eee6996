"""What an actor's callbacks may raise or return to say something special."""

from __future__ import annotations

from dataclasses import dataclass

from supervisors.exits import NORMAL, Crashed, ExitReason


class Ignore(Exception):  # noqa: N818 - not an error: OTP's `ignore`
    """Raise in `on_start` to say: do not start me, and that is no failure."""


class Stop(Exception):  # noqa: N818 - not an error: OTP's `{stop, Reason}`
    """Raise in a callback to end the actor with a reason of your choice."""

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _NoReply:
    """The type of `NO_REPLY`."""

    def __repr__(self) -> str:
        return "NO_REPLY"


NO_REPLY = _NoReply()
"""Return it from a handler that answers later, through `Actor.reply_token()`."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Return it from a handler to give the caller an error and live on."""

    error: BaseException
    """What the caller's `call` raises."""


def reason_of(error: BaseException) -> ExitReason:
    """The exit reason of an actor one of whose callbacks raised `error`."""
    if isinstance(error, Ignore):
        return NORMAL
    return error.reason if isinstance(error, Stop) else Crashed(error)
