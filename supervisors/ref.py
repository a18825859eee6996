"""One incarnation of an actor, seen from outside.

A `Ref` is a Pykka `ActorRef` that also knows how its actor's life goes: whether it has
started, what it has in hand, and why it ended. It names one incarnation and is dead
for ever afterwards; people hold a `Handle`, which finds the present one by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import pykka
from pykka._envelope import Envelope

from supervisors._acall import acall
from supervisors._answers import StopFor
from supervisors._current import current_life, on_event_loop
from supervisors._future import ReplyFuture
from supervisors._latches import acquire
from supervisors._life import Life
from supervisors._waiting import give_up, note, strike_off
from supervisors.errors import BlockingCallError, SelfCallError
from supervisors.exits import (
    KILLED,
    NO_PROCESS,
    NORMAL,
    SHUTDOWN,
    ExitReason,
)
from supervisors.scope import (
    Scope,
    check_scopes,
    current_scopes,
    scopes_of,
    sends_are_void,
    time_left,
)

if TYPE_CHECKING:
    from supervisors.actor import Actor

A = TypeVar("A", bound="pykka.Actor")

DEFAULT_CALL_TIMEOUT = 5.0
"""Seconds a call waits for its answer unless told otherwise; OTP's default."""


class Ref(pykka.ActorRef[A]):
    """One incarnation of a supervised actor. Pykka's `tell`, `ask`, `stop` still work.

    What is new: `call` (an ask with a timeout, refused on oneself, cancelled with its
    scope), `acall` (the same for `await`), `cast` (a tell that does not mind a dead
    actor), `monitor`, `signal`, `shutdown`, `kill`, `suspend`.
    """

    def __init__(self, actor: Actor) -> None:
        super().__init__(actor)  # type: ignore[arg-type] # A is the actor's own class
        self.life: Life = actor.life

    def cast(self, message: Any) -> bool:
        """Send `message` and forget it; to a dead actor it is dropped, as in OTP.

        Returns:
            `False` when it is void, because it comes out of a dead actor's code, which
            may still run: see `supervisors.scope.last_words` for what must be sent all
            the same.

        Raises:
            MailboxFullError: The actor has a bounded mailbox, and it is full.
        """
        if sends_are_void():
            return False
        self.life.inbox.put(Envelope(message))
        return True

    def hear(self, message: Any) -> None:
        """Bring news that no bound refuses and no end of its bringer voids."""
        self.life.inbox.put_system(Envelope(message))

    def submit(self, message: Any) -> ReplyFuture[Any]:
        """Send `message` and return the promise of its reply.

        Raises:
            MailboxFullError: The actor has a bounded mailbox, and it is full.
            ScopeCancelledError: The work this call belongs to was given up; nothing
                is sent.
            SelfCallError: When an actor submits to itself.
        """
        here = current_life()
        if here is self.life:
            raise _self_call(self.life.label)
        return self._send(message, scopes_of(here))

    def _send(self, message: Any, scopes: tuple[Scope, ...]) -> ReplyFuture[Any]:
        if scopes:
            check_scopes(scopes)
        future: ReplyFuture[Any] = ReplyFuture()
        self.life.inbox.put(Envelope(message, reply_to=future))
        for scope in scopes:
            scope.opened(future)
        return future

    def call(self, message: Any, timeout: float | None = DEFAULT_CALL_TIMEOUT) -> Any:
        """Send `message` and wait for the reply.

        Args:
            message: What to send.
            timeout: Seconds to wait; `None` waits as long as the actor lives. The
                deadline of a scope around the call holds as well.

        Raises:
            ActorDownError: The actor is dead, or died before it answered.
            BlockingCallError: From an actor on an event loop; use `acall` there.
            CallTimeoutError: It did not answer in time; a late answer is dropped.
            MailboxFullError: The actor has a bounded mailbox, and it is full.
            ScopeCancelledError: The work this call belongs to was given up.
            SelfCallError: An actor called itself.
        """
        life, here = self.life, current_life()
        if here is life:
            raise _self_call(life.label)
        check_not_on_event_loop(life.label)
        scopes = scopes_of(here)
        if scopes:
            check_scopes(scopes)
            timeout = time_left(timeout, scopes)
        # All that can be done before the message is sent is done before: whatever the
        # caller still does once the actor is awake, both do it one after the other.
        future: ReplyFuture[Any] = ReplyFuture()
        latch = future.latch()
        note(future, here, life)
        try:
            life.inbox.put(Envelope(message, reply_to=future))
            for scope in scopes:
                scope.opened(future)
            acquire(latch, timeout)
        finally:
            strike_off(future)
        if not future.done():
            give_up(future, timeout, life)
        return future.get()

    async def acall(
        self, message: Any, timeout: float | None = DEFAULT_CALL_TIMEOUT
    ) -> Any:
        """Send `message` and await the reply, on any event loop, without blocking it.

        Cancelling the awaiting task withdraws from the call: its answer is dropped.

        Raises:
            The same errors as `call`.
        """
        return await acall(self.submit(message), timeout, self.life)

    def tell(self, message: Any) -> None:
        """Send `message` and forget it, as Pykka does; void as a `cast` may be.

        Raises:
            ActorDownError: The actor is dead.
            MailboxFullError: The actor has a bounded mailbox, and it is full.
        """
        life = self.life
        if life.over():
            # Not waited for: a step at the actor's end may be telling.
            reason = life.ended.get() if life.ended.done() else NO_PROCESS
            raise life.error(reason)
        self.cast(message)

    def ask(
        self, message: Any, *, block: bool = True, timeout: float | None = None
    ) -> Any:
        """Send `message` and wait for the reply, as Pykka does: for ever by default.

        With `block=False` the promise is returned; an actor may promise itself.

        Raises:
            The same errors as `call`; `CallTimeoutError` is a `pykka.Timeout`.
        """
        if not block:
            return self._send(message, current_scopes())
        return self.call(message, timeout)

    def monitor(self, callback: Callable[[ExitReason], object]) -> Callable[[], None]:
        """Call `callback` with the exit reason exactly once, also when already dead.

        It runs in the thread that ends the actor, so it only sends a message. Actors
        use `Actor.monitor`, which brings a message.

        Returns:
            What calls the watch off.
        """

        def tell(ended: ReplyFuture[ExitReason]) -> None:
            callback(ended.get())

        self.life.ended.on_done(tell)
        return lambda: self.life.ended.forget(tell)

    def signal(self, reason: ExitReason) -> None:
        """Send an exit signal as a stranger: OTP's `exit(Pid, Reason)`.

        An actor that traps exits gets an `ExitSignal`; any other ends at once with
        `reason`, without `on_end`, unless the reason is `normal`. Supervisors ignore
        it. For OTP's reason `kill`, which cannot be trapped, use `kill`.
        """
        self.life.signal(reason, None)

    def shutdown(self, reason: ExitReason = SHUTDOWN) -> None:
        """Ask the actor to end, ahead of the messages that wait. Does not wait.

        This is what a supervisor sends to its children, and only whoever started an
        actor should; it is OTP's exit signal of the parent.
        """
        self.life.shut_down(reason)

    def stop(
        self,
        *,
        block: bool = True,
        timeout: float | None = None,
        reason: ExitReason = NORMAL,
    ) -> Any:
        """Stop the actor behind the messages that wait, as Pykka does.

        Args:
            block: Whether to wait for its end; else a future is returned.
            timeout: Seconds to wait.
            reason: What it ends with: OTP's `GenServer.stop(server, reason)`.

        Returns:
            `True`, or `False` when it was dead already.

        Raises:
            pykka.Timeout: It has not ended after `timeout` seconds.
            SelfCallError: The actor would wait for its own end.
        """
        if block and current_life() is self.life:
            raise _self_call(self.life.label)
        ending: ReplyFuture[bool] = ReplyFuture()
        alive = self.is_alive()
        asked: ReplyFuture[Any] = ReplyFuture()
        asked.on_done(lambda _done: ending.resolve(alive))
        self.life.inbox.put_system(Envelope(StopFor(reason), reply_to=asked))
        return ending.get(timeout=timeout) if block else ending

    def kill(self, reason: ExitReason = KILLED) -> bool:
        """End the actor for everybody at once; `False` when it was dead already.

        Callers are answered, waiting messages are void. A callback it is in goes on
        until it returns: a thread cannot be killed. Its calls are refused, and what it
        sends is void.
        """
        return self.life.end_from_outside(reason)

    def suspend(self, timeout: float | None = DEFAULT_CALL_TIMEOUT) -> bool:
        """Let the actor handle no message until `resume`: OTP's `sys:suspend`.

        Messages wait meanwhile; a shutdown, an exit signal or a kill still end it.

        Returns:
            Whether it stands still (or is dead) after `timeout` seconds; the message in
            hand is finished first.
        """
        return self.life.suspend().wait(timeout)

    def resume(self) -> None:
        """Let the actor handle messages again: OTP's `sys:resume`."""
        self.life.resume()

    def wait(self, timeout: float | None = None) -> ExitReason | None:
        """Wait for the actor's end; its reason, or `None` after `timeout` seconds."""
        return self.life.ended.get() if self.life.ended.wait(timeout) else None

    def is_alive(self) -> bool:
        """Whether this incarnation has not ended."""
        return not self.life.over()


def check_not_on_event_loop(label: str) -> None:
    """Raise in an actor that lives on an event loop, whose loop would stand still.

    Raises:
        BlockingCallError: Then.
    """
    if on_event_loop():
        msg = (
            f"a call to {label!r} would block the event loop that this actor lives on. "
            "Write `await handle.acall(...)` instead."
        )
        raise BlockingCallError(msg)


def _self_call(label: str) -> SelfCallError:
    return SelfCallError(
        f"{label!r} called itself and would wait for ever. "
        "Call the method directly, or send the message with cast()."
    )
