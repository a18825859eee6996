"""Where the key of a provider comes from, when it is not a fixed text."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dspex.client.daemon_threads import DaemonThreads
from dspex.client.secrets import Secret
from dspex.core.errors import ConfigurationError, LMAuthError

GetKey = Callable[[], str]
"""Returns a key; called in a thread, so it may read files and call services."""


KEY_WITHIN: Final = 30.0
"""Seconds in which a function has to return a key."""
_MOST_ASKED: Final = 4
"""Threads in which keys are asked for; one that hangs keeps its thread."""


@dataclass(frozen=True, slots=True)
class NumberedKey:
    """A key, and how many there have been."""

    secret: Secret | None
    """The key, or `None` when none is sent."""
    number: int
    """From 1; 0 for a key that never changes."""


class KeyRing:
    """The key a branch sends with; belongs to the wire's loop.

    Args:
        get_key: Asked when a key is first needed, and once more when it was refused;
            `None` for an endpoint whose key is fixed.
        patience: Seconds in which it has to return.
    """

    def __init__(self, get_key: GetKey | None, *, patience: float = KEY_WITHIN) -> None:
        self._get_key = get_key
        self._patience = patience
        self._key = NumberedKey(None, 0)
        # Hundreds of requests may need the key at once; it is asked for once, and all
        # of them have what came of it.
        self._asking: asyncio.Task[NumberedKey] | None = None
        # Daemons: a function that never returns must not hold up the program's end.
        self._threads = DaemonThreads(_MOST_ASKED, "dspex-key")

    async def key(self, *, later_than: int, fixed: Secret | None) -> NumberedKey:
        """The key for a request.

        Args:
            later_than: The number of a key that was refused.
            fixed: The endpoint's own key, sent when there is nobody to ask.

        Raises:
            LMAuthError: Whoever should give the key raised, gave none, or took longer
                than its time.
        """
        if self._get_key is None:
            return NumberedKey(fixed, 0)
        if self._key.number > later_than:
            return self._key
        if self._asking is None:
            self._asking = asyncio.ensure_future(self._ask(self._get_key))
            self._asking.add_done_callback(self._asked)
        # A request that is broken off must not take the key from the others.
        return await asyncio.shield(self._asking)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.close()

    async def _ask(self, get_key: GetKey) -> NumberedKey:
        try:
            async with asyncio.timeout(self._patience):
                secret = await self._threads.run(lambda: _secret_from(get_key))
        except TimeoutError:
            raise LMAuthError(
                f"api_key() has returned nothing within {self._patience:g} s; a key was"
                " expected. Find out what it waits for, or pass the key itself."
            ) from None
        self._key = NumberedKey(secret, self._key.number + 1)
        return self._key

    def _asked(self, asking: asyncio.Task[NumberedKey]) -> None:
        self._asking = None
        if not asking.cancelled():
            # Looked at, or asyncio logs it when nobody waits any more.
            asking.exception()


def _secret_from(get_key: GetKey) -> Secret:
    """Ask for a key. What foreign code raises becomes an error that ends one call."""
    try:
        key: object = get_key()
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        # The last two would end the wire, and with it the calls of others.
        # Its text is not shown: it may quote what it was asked for.
        name = type(error).__name__
        raise LMAuthError(
            f"api_key() raised {name} instead of returning a key; it is called when a "
            "key is first needed and once more when one was refused. See the cause."
        ) from error
    if not isinstance(key, str):
        if inspect.iscoroutine(key):
            key.close()
        raise LMAuthError(
            f"api_key() returned {type(key).__name__!r}; a text was expected. Return "
            "the key itself from a plain function: it runs in a thread and may wait."
        )
    try:
        return Secret(key)
    except ConfigurationError as error:
        raise LMAuthError(f"api_key() gave no usable key: {error}") from None
