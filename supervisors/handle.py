"""What people hold: a name that finds its actor at each send."""

from __future__ import annotations

from typing import Any

from supervisors._acall import acall
from supervisors._future import ReplyFuture
from supervisors._mailbox import remaining
from supervisors.clock import SYSTEM_CLOCK
from supervisors.errors import ActorDownError
from supervisors.ref import DEFAULT_CALL_TIMEOUT, Ref, check_not_on_event_loop
from supervisors.registry import Registry
from supervisors.scope import check_scopes, current_scopes, time_left


class Handle:
    """A name in a registry; survives the restarts of the actor behind it.

    Subclass it to give messages their methods; only that class should send them.
    """

    def __init__(self, registry: Registry, name: str) -> None:
        self._registry = registry
        self.name = name
        # The actor found last, and the registry's changes before it was looked for.
        self._found: tuple[int, Ref[Any] | None] = (-1, None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def is_alive(self) -> bool:
        """Whether an actor has the name at this moment."""
        return self._present() is not None

    def cast(self, message: Any) -> bool:
        """Send and forget; `False` when it is sent to nobody.

        Either nobody has the name now, as in OTP, or this is a dead actor's code.
        """
        ref = self._present()
        return ref is not None and ref.cast(message)

    def submit(self, message: Any) -> ReplyFuture[Any]:
        """Send to the present incarnation and return the promise of its reply.

        Raises:
            ActorDownError: Nobody has the name now.
            SelfCallError: The actor itself is calling.
        """
        return self._resolved().submit(message)

    def call(
        self,
        message: Any,
        timeout: float | None = DEFAULT_CALL_TIMEOUT,
        *,
        idempotent: bool = False,
    ) -> Any:
        """Send and wait for the reply.

        Args:
            message: What to send.
            timeout: Seconds for everything; `None` waits as long as the tree stands.
            idempotent: Whether handling the message twice is the same as once. Then a
                call whose actor dies waits for the next incarnation and is sent again.

        Raises:
            ActorDownError: The actor is gone, or its tree gave up.
            BlockingCallError: From an actor on an event loop; use `acall` there.
            CallTimeoutError: No answer in time.
            MailboxFullError: The actor has a bounded mailbox, and it is full.
            ScopeCancelledError: The work this call belongs to was given up.
            SelfCallError: The actor itself is calling.
        """
        if not idempotent:
            return self._resolved().call(message, timeout)
        check_not_on_event_loop(self.name)
        deadline = _deadline(timeout)
        while True:
            ref = self._registry.await_name(self.name, remaining(deadline))
            try:
                return ref.call(message, remaining(deadline))
            except ActorDownError:
                _raise_unless_gone(ref)

    def check_call(self, *, blocks: bool = True) -> None:
        """Refuse what every call from here is refused, for an answer found without one.

        Args:
            blocks: Whether it stands for `call`, and not for `acall`.

        Raises:
            BlockingCallError: From an actor on an event loop, when it blocks.
            ScopeCancelledError: The work this call belongs to was given up.
        """
        if blocks:
            check_not_on_event_loop(self.name)
        check_scopes(current_scopes())

    async def acall(
        self,
        message: Any,
        timeout: float | None = DEFAULT_CALL_TIMEOUT,
        *,
        idempotent: bool = False,
    ) -> Any:
        """Send and await the reply, on any event loop, without blocking it.

        Cancelling the awaiting task withdraws from the call: its answer is dropped.

        Args:
            message: What to send.
            timeout: Seconds for everything; `None` waits as long as the tree stands.
            idempotent: As in `call`.

        Raises:
            The same errors as `call`, but for `BlockingCallError`.
        """
        if not idempotent:
            ref = self._resolved()
            return await acall(ref.submit(message), timeout, ref.life)
        deadline = _deadline(timeout)
        while True:
            ref = await self._registry.await_name_on_loop(
                self.name, remaining(deadline)
            )
            try:
                return await ref.acall(message, remaining(deadline))
            except ActorDownError:
                _raise_unless_gone(ref)

    def _present(self) -> Ref[Any] | None:
        """The actor that has the name now, without a look into a registry at rest."""
        changes, ref = self._found
        if changes != self._registry.changes:
            changes = self._registry.changes
            ref = self._registry.whereis(self.name)
            # One step: several threads may be here.
            self._found = changes, ref
        return ref if ref is not None and ref.is_alive() else None

    def _resolved(self) -> Ref[Any]:
        """The same, or what the registry says of the lack of one, raised."""
        return self._present() or self._registry.resolve(self.name)


def _deadline(timeout: float | None) -> float | None:
    """When the call is over: by its own timeout, or by a deadline around it."""
    timeout = time_left(timeout, current_scopes())
    return None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout


def _raise_unless_gone(ref: Ref[Any]) -> None:
    """Let the death of the actor called be waited out, and nothing else.

    A reply that tells of somebody else's death leaves the actor called alive.
    """
    if ref.is_alive():
        raise  # noqa: PLE0704 - called while the error is being handled
