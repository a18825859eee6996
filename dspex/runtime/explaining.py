"""Why a call is or was no hit, found out without making it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dspex.cache.explain import Explanation
from dspex.cache.key import Identity
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Message
from dspex.runtime.recording import recording
from dspex.runtime.runtime import current_runtime

if TYPE_CHECKING:
    from dspex.runtime.language_model import LM


def explain(
    lm: LM, messages: Sequence[Message], settings: Mapping[str, Any]
) -> Explanation:
    """Say whether a call is answered from the file of the cache, and why if not.

    Nothing is sent, and no branch of the tree is started.

    Args:
        lm: The model; its fallbacks are not looked at.
        messages: The chat, oldest turn first.
        settings: Settings of the call; they win over the model's own.

    Raises:
        ConfigurationError: The call may not be cached, or there is no file
            (`persist=False`).
        CacheFileError: The file cannot be used.
    """
    asked: list[Identity] = []
    # A rehearsal of the call: it goes the way of every other, up to the cache.
    with recording(asked.append):
        lm.ask(messages, settings)
    if not asked:
        raise ConfigurationError(
            f"the call of {lm.model!r} has cache=False, and one that may be answered "
            "from the cache was expected. Ask about it without cache=False."
        )
    return current_runtime().cache.explain(asked[0])
