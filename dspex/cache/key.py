"""What makes two calls the same call."""

from __future__ import annotations

import hashlib
import json

from dspex.core.lm import Request

VERSION = 1
"""Part of every key; raised when the meaning of a request changes."""


def cache_key(provider: str, place: str, request: Request) -> str:
    """Name a call by everything that can change its answer, and nothing else.

    Args:
        provider: Whose format it is.
        place: The base URL, or what identifies a local model's file: two servers never
            share answers. The API key is no part of it.
        request: The chat and its settings, `rollout_id` included.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> from dspex.core.lm import Message
        >>> ask = Request(model="m", messages=(Message("user", "hi"),))
        >>> again = Request(model="m", messages=(Message("user", "hi"),), settings={})
        >>> key = cache_key("openai", "http://a", ask)
        >>> key == cache_key("openai", "http://a", again)
        True
        >>> key == cache_key("openai", "http://b", ask)
        False
    """
    identity = {
        "version": VERSION,
        "provider": provider,
        "place": place,
        "model": request.model,
        "messages": [[turn.role, turn.content] for turn in request.messages],
        "settings": dict(request.settings),
    }
    try:
        text = json.dumps(identity, sort_keys=True, ensure_ascii=True, default=repr)
    except (TypeError, ValueError):
        # Keys of several types, or a circle. Whether it can be sent at all is not for
        # this function to say; if so, the order of the keys then counts.
        text = ascii(identity)
    return hashlib.sha256(text.encode()).hexdigest()
