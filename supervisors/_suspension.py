"""Whether an actor is to stand still, and whether it does: OTP's `sys:suspend`."""

from __future__ import annotations

from supervisors._future import ReplyFuture


class Pause:
    """One time of standing still."""

    __slots__ = ("over", "reached")

    def __init__(self) -> None:
        self.reached: ReplyFuture[None] = ReplyFuture()
        self.over: ReplyFuture[None] = ReplyFuture()


class Suspension:
    """The suspending and resuming of one actor, by any thread.

    Args:
        pauses: What the actor's life keeps of it: one pause, or none. Made and taken
            away in single steps of the dict, so that of many who suspend and resume at
            once none leaves the actor waiting.
    """

    __slots__ = ("_pauses",)

    def __init__(self, pauses: dict[str, Pause]) -> None:
        self._pauses = pauses

    def begin(self) -> ReplyFuture[None]:
        """Want the actor to stand still; kept once it does."""
        return self._pauses.setdefault("now", Pause()).reached

    def end(self) -> None:
        """Let the actor go on."""
        pause = self._pauses.pop("now", None)
        if pause is not None:
            pause.over.resolve(None)

    def over(self) -> ReplyFuture[None] | None:
        """What the actor waits for; `None` when it need not stand still."""
        pause = self._pauses.get("now")
        return None if pause is None else pause.over

    def reached(self) -> None:
        """The actor stands still now, if it was to."""
        pause = self._pauses.get("now")
        if pause is not None:
            pause.reached.resolve(None)
