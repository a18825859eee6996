"""Where the key of a provider comes from, when it is not a fixed text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from dspex.client.secrets import Secret
from dspex.core.errors import ConfigurationError, LMAuthError

GetKey = Callable[[], str]
"""Returns a key; called in a thread, so it may read files and call services."""


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
    """

    def __init__(self, get_key: GetKey | None) -> None:
        self._get_key = get_key
        self._key = NumberedKey(None, 0)
        # Hundreds of requests may need the key at once; it is asked for once.
        self._asking = asyncio.Lock()

    async def key(self, *, later_than: int, fixed: Secret | None) -> NumberedKey:
        """The key for a request.

        Args:
            later_than: The number of a key that was refused.
            fixed: The endpoint's own key, sent when there is nobody to ask.

        Raises:
            LMAuthError: Whoever should give the key raised, or gave none.
        """
        if self._get_key is None:
            return NumberedKey(fixed, 0)
        async with self._asking:
            if self._key.number <= later_than:
                secret = await asyncio.to_thread(_ask, self._get_key)
                self._key = NumberedKey(secret, self._key.number + 1)
            return self._key


def _ask(get_key: GetKey) -> Secret:
    try:
        return Secret(get_key())
    except ConfigurationError as error:
        raise LMAuthError(f"api_key() gave no usable key: {error}") from None
    except Exception as error:
        # Its text is not shown: it may quote what it was asked for.
        name = type(error).__name__
        raise LMAuthError(
            f"api_key() raised {name} instead of returning a key; it is called when a "
            "key is first needed and once more when one was refused. See the cause."
        ) from error
