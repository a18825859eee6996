"""Texts that a provider wrote, made fit for an error message."""

from __future__ import annotations

import re

from dspex.client.secrets import MASK, Secret

_MAX_LENGTH = 500
_KEY_LIKE = re.compile(
    r"\b(?:sk|gsk|pk|key|xai|csk|fw)[-_][\w-]{6,}|\bAIza[\w-]{10,}|(?i:bearer )\S+"
)


def visible(text: str, *, limit: int = _MAX_LENGTH) -> str:
    r"""Shorten a text and make what is not printable visible.

    Example:
        >>> visible("red \x1b[31m\nalert")
        'red \\x1b[31m\\nalert'
    """
    shown = "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in text[:limit]
    )
    return shown if len(text) <= limit else f"{shown} ... ({len(text)} characters)"


def masked(text: str, secret: Secret | None) -> str:
    """Put a mask over the key that was sent, and over all that looks like a key.

    Mask before `visible` shortens: the cut might leave half of a key.
    """
    scrubbed = text if secret is None else secret.scrub(text)
    return _KEY_LIKE.sub(MASK, scrubbed)
