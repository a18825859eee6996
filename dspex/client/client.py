"""The client, as the rest of dspex holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dspex.client.call import Call
from dspex.client.gate import GateState
from dspex.client.messages import (
    GetStanding,
    GetView,
    Reconfigure,
    SetCircuit,
    Submit,
    Withdraw,
)
from dspex.client.options import ClientOptions, ClientView
from dspex.client.standing import ClientStanding
from dspex.core.errors import LMError
from dspex.core.ids import new_id
from dspex.core.lm import Reply
from supervisors import ActorDownError, Handle, ReplyFuture, last_words


class Client:
    """What the rest of dspex holds of a provider's client.

    Args:
        handle: The client by its name.
        revive: Called when nobody has the name: returns when somebody may have it
            again, and raises when there will be nobody.
    """

    def __init__(self, handle: Handle, revive: Callable[[], None]) -> None:
        self._handle = handle
        self._revive = revive

    def __repr__(self) -> str:
        return f"<Client {self._handle.name}>"

    def is_running(self) -> bool:
        """Whether somebody has the name at this moment."""
        return self._handle.is_alive()

    def complete(self, call: Call) -> Reply:
        """Make a call and wait for its reply, however often the client restarts.

        Raises:
            LMError: The call ended without an answer.
            ScopeCancelledError: The work it belongs to was given up; so was the call.
            ActorDownError: The branch is gone for good.
        """
        message = Submit(call=call, waiter=new_id())
        try:
            while True:
                try:
                    reply: Reply = self._handle.call(message, timeout=None)
                except ActorDownError:
                    self._revive()
                else:
                    return reply
        except LMError:
            raise
        except BaseException:
            # Whatever ended the waiting (a given-up scope, Ctrl-C), the call goes too.
            self._withdraw(message)
            raise

    async def acomplete(self, call: Call) -> Reply:
        """The same for coroutines; a cancelled one withdraws its call."""
        message = Submit(call=call, waiter=new_id())
        try:
            while True:
                try:
                    reply: Reply = await self._handle.acall(message, timeout=None)
                except ActorDownError:
                    await asyncio.to_thread(self._revive)
                else:
                    return reply
        except LMError:
            raise
        except BaseException:
            self._withdraw(message)
            raise

    def reconfigure(self, options: ClientOptions) -> int:
        """Work by other options from now on; the number of this configuration.

        What is out is finished by the options it was sent under.
        """
        number: int = self._handle.call(Reconfigure(options=options), idempotent=True)
        return number

    def set_circuit(self, model: str, state: GateState) -> None:
        """Open, half-open or close a model's breaker by hand."""
        self._handle.call(SetCircuit(model=model, state=state), idempotent=True)

    def view(self) -> ClientView:
        """What can be seen of it now: breakers, limits, queues."""
        view: ClientView = self._handle.call(GetView(), idempotent=True)
        return view

    def asked_view(self) -> ReplyFuture[ClientView]:
        """The same, promised, for whoever asks several at once.

        Raises:
            ActorDownError: There is no client now.
        """
        return self._handle.submit(GetView())

    def standing(self, timeout: float) -> ClientStanding:
        """What holds its calls up now.

        Args:
            timeout: Seconds it may take to answer.

        Raises:
            ActorDownError: There is no client now.
            CallTimeoutError: It did not answer.
        """
        standing: ClientStanding = self._handle.call(GetStanding(), timeout=timeout)
        return standing

    def ask_standing(self) -> ReplyFuture[ClientStanding]:
        """The same as a promise, for whoever asks several clients at once.

        Raises:
            ActorDownError: There is no client now.
        """
        return self._handle.submit(GetStanding())

    def _withdraw(self, message: Submit) -> None:
        with last_words():
            self._handle.cast(Withdraw(call_id=message.call.id, waiter=message.waiter))
