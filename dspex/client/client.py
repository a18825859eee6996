"""The client, as the rest of dspex holds it."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from dspex.client.call import Call
from dspex.client.messages import Submit, Withdraw
from dspex.core.errors import LMError
from dspex.core.lm import Reply
from supervisors import ActorDownError, Handle, RestartLimitError, last_words


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

    def complete(self, call: Call) -> Reply:
        """Make a call and wait for its reply, however often the client restarts.

        Raises:
            LMError: The call ended without an answer.
            ScopeCancelledError: The work it belongs to was given up; so was the call.
            ActorDownError: The branch is gone for good.
        """
        waiter = uuid.uuid4().hex
        try:
            return self._submit(Submit(call=call, waiter=waiter))
        except LMError:
            raise
        except BaseException:
            # Whatever ended the waiting (a given-up scope, Ctrl-C), the call goes too.
            with last_words():
                self._handle.cast(Withdraw(call_id=call.id, waiter=waiter))
            raise

    def _submit(self, message: Submit) -> Reply:
        while True:
            try:
                reply: Reply = self._handle.call(message, timeout=None)
            except RestartLimitError:
                raise
            except ActorDownError:
                self._revive()
            else:
                return reply
