"""One incarnation of an actor, seen from outside.

A `Ref` is a Pykka `ActorRef` that also knows how its actor's life goes: whether it has
started, what it has in hand, and why it ended. It names one incarnation and is dead
for ever afterwards; people hold a `Handle`, which finds the present one by name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import pykka
from pykka._envelope import Envelope

from supervisors import _census
from supervisors._current import current_life
from supervisors._future import ReplyFuture
from supervisors._life import Life, given_up
from supervisors.errors import (
    CallTimeoutError,
    SelfCallError,
)
from supervisors.exits import (
    KILLED,
    SHUTDOWN,
    ExitReason,
)
from supervisors.scope import current_scope

if TYPE_CHECKING:
    from supervisors.actor import Actor

A = TypeVar("A", bound="pykka.Actor")

DEFAULT_CALL_TIMEOUT = 5.0
"""Seconds a call waits for its answer unless told otherwise; OTP's default."""


class Ref(pykka.ActorRef[A]):
    """One incarnation of a supervised actor. Pykka's `tell`, `ask`, `stop` still work.

    What is new: `call` (an ask with a timeout, refused on oneself, cancelled with its
    scope), `cast` (a tell that never raises), `monitor`, `shutdown`, `kill`.
    """

    def __init__(self, actor: Actor) -> None:
        super().__init__(actor)  # type: ignore[arg-type] # A is the actor's own class
        self.life: Life = actor.life

    def cast(self, message: Any) -> None:
        """Send `message` and forget it; to a dead actor it is dropped, as in OTP."""
        self.life.inbox.put(Envelope(message))

    def submit(self, message: Any) -> ReplyFuture[Any]:
        """Send `message` and return the promise of its reply.

        Raises:
            ScopeCancelledError: The work this call belongs to was given up; nothing
                is sent.
            SelfCallError: When an actor submits to itself.
        """
        scope = current_scope()
        if scope is not None:
            scope.check()
        if current_life() is self.life:
            msg = (
                f"{self.life.label!r} called itself and would wait for ever. "
                "Call the method directly, or send the message with cast()."
            )
            raise SelfCallError(msg)
        future: ReplyFuture[Any] = ReplyFuture()
        self.life.inbox.put(Envelope(message, reply_to=future))
        return future

    def call(self, message: Any, timeout: float | None = DEFAULT_CALL_TIMEOUT) -> Any:
        """Send `message` and wait for the reply.

        Args:
            message: What to send.
            timeout: Seconds to wait; `None` waits as long as the actor lives.

        Raises:
            ActorDownError: The actor is dead, or died before it answered.
            CallTimeoutError: It did not answer in time; a late answer is dropped.
            ScopeCancelledError: The work this call belongs to was given up.
            SelfCallError: An actor called itself.
        """
        return await_reply(self.submit(message), timeout, self.life.label)

    def monitor(self, callback: Callable[[ExitReason], None]) -> None:
        """Call `callback` with the exit reason exactly once, also when already dead.

        It runs in the thread that ends the actor, so it only sends a message.
        """
        self.life.ended.on_done(lambda future: callback(future.get()))

    def shutdown(self, reason: ExitReason = SHUTDOWN) -> None:
        """Ask the actor to stop, ahead of the messages that wait. Does not wait."""
        self.life.ask_to_stop(reason)

    def kill(self, reason: ExitReason = KILLED) -> bool:
        """End the actor for everybody at once; `False` when it was dead already.

        Callers are answered, waiting messages are void. A callback it is in goes on
        until it returns: a thread cannot be killed.
        """
        if not self.life.end(reason):
            return False
        if self.life.in_thread():
            _census.zombie(self.life)
            if not self.life.in_thread():
                _census.ended(self.life)
        self.actor_stopped.set()
        return True

    def wait(self, timeout: float | None = None) -> ExitReason | None:
        """Wait for the actor's end; its reason, or `None` after `timeout` seconds."""
        return self.life.ended.get() if self.life.ended.wait(timeout) else None

    def is_alive(self) -> bool:
        """Whether this incarnation has not ended."""
        return not self.life.over()


def await_reply(future: ReplyFuture[Any], timeout: float | None, label: str) -> Any:
    """Wait for a submitted call as `Ref.call` does.

    Raises:
        CallTimeoutError: No reply within `timeout` seconds.
        ScopeCancelledError: The calling scope was given up meanwhile.
    """
    with contextlib.ExitStack() as stack:
        scope, life = current_scope(), current_life()
        if scope is not None:
            scope.check()
            stack.enter_context(scope.on_cancel(lambda: future.reject(scope.error())))
        if life is not None:
            stack.enter_context(life.waiting(lambda: future.reject(given_up(life))))
        answered = future.wait(timeout)
    if not answered:
        msg = (
            f"{label!r} did not answer within {timeout:g} s. It lives on, and its late "
            "answer will be dropped; give a longer timeout if it needs one."
        )
        error = CallTimeoutError(msg)
        if future.reject(error):
            raise error
    return future.get()
