"""The way of a request through a runtime: cache, then client, for threads and tasks.

A caller who looks a key up gets the answer (*hit*), waits for whoever fetches it
(*follow*), or fetches it for all (*lead*). What may not be cached goes straight to the
client, and is never shared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dspex.cache.cache import new_caller
from dspex.cache.key import Identity
from dspex.client.call import Call
from dspex.client.client import Client
from dspex.core.errors import (
    LMCancelledError,
    LMConnectionError,
    LMError,
    RuntimeClosedError,
)
from dspex.core.lm import Reply
from dspex.runtime.recording import recorder_here
from dspex.runtime.runtime import Runtime
from supervisors import ActorDownError, ScopeCancelledError, StartError

GetClient = Callable[[], Client]
"""Returns the client of the branch, which is started when it is not there."""


def fetch(
    runtime: Runtime, call: Call, identity: Identity | None, client: GetClient
) -> Reply:
    """Make a call and wait for its reply in this thread.

    Args:
        runtime: Where it is made.
        call: The call.
        identity: What it is to the cache; `None` when it may not be cached.
        client: The client of its branch.

    Raises:
        LMError: It ended without an answer.
        ActorDownError: The runtime is closed or gave up.
    """
    recorder = recorder_here()
    if recorder is not None:
        return recorder.answer(call, identity)
    if identity is None:
        return client().complete(call)
    cache, caller = runtime.cache, new_caller()
    found = cache.look_up(identity, caller, call.deadline)
    if found is not None:
        return found
    try:
        reply = client().complete(call)
    except BaseException:
        # Without an outcome that the client has told, the next in line leads.
        cache.leave(call.id, caller)
        raise
    # The client has told it too; but that was lost if the cache was restarting.
    cache.leave(call.id, caller, reply)
    return reply


async def afetch(
    runtime: Runtime,
    call: Call,
    identity: Identity | None,
    client: Callable[[], Awaitable[Client]],
) -> Reply:
    """Make a call and wait for its reply as a coroutine; see `fetch`.

    Cancelled, it withdraws the call, unless others wait for it.
    """
    recorder = recorder_here()
    if recorder is not None:
        return recorder.answer(call, identity)
    if identity is None:
        return await (await client()).acomplete(call)
    cache, caller = runtime.cache, new_caller()
    found = await cache.alook_up(identity, caller, call.deadline)
    if found is not None:
        return found
    try:
        reply = await (await client()).acomplete(call)
    except BaseException:
        cache.leave(call.id, caller)
        raise
    cache.leave(call.id, caller, reply)
    return reply


class named:  # noqa: N801 - used as a function; a generator would cost twice as much
    """Have the errors of a block name the model as the user does."""

    __slots__ = ("_model",)

    def __init__(self, model: str) -> None:
        self._model = model

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(
        self, _kind: object, error: BaseException | None, _traceback: object
    ) -> None:
        """Name the model in the error, if there is one."""
        model = self._model
        match error:
            case LMError():
                error.model = model
            case ScopeCancelledError():
                raise LMCancelledError(str(error), model=model) from error
            case StartError():
                text = (
                    f"{model!r} could not be called: what makes its calls did not "
                    f"start ({error.reason}). It is started again with the next call."
                )
                raise LMConnectionError(text, model=model) from error
            case ActorDownError():
                text = f"{model!r} cannot be called any more: {error}"
                raise RuntimeClosedError(text) from error
