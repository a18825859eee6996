"""Writing the body of a request, whatever the format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dspex.client.providers.json_body import JsonError, write_json
from dspex.core.errors import ConfigurationError

NEVER_SENT = frozenset({"rollout_id"})
"""Settings that are only part of a request's identity."""


def written(body: Mapping[str, Any], settings: Mapping[str, Any]) -> bytes:
    """Write a request's body.

    Args:
        body: All of it.
        settings: Those the body was made of, so that an error can name one.

    Raises:
        ConfigurationError: When a setting, or else a turn, is nothing JSON can hold.
    """
    try:
        return write_json(body)
    except JsonError:
        odd = [name for name, value in settings.items() if not _is_json(value)]
        wrong = (
            f"the setting {odd[0]!r} is of type {type(settings[odd[0]]).__name__} and"
            if odd
            else "a part of the messages"
        )
        raise ConfigurationError(
            f"{wrong} cannot be written as JSON; expected numbers, texts, lists or"
            " dicts of them. Convert it first."
        ) from None


def _is_json(value: object) -> bool:
    try:
        write_json(value)
    except JsonError:
        return False
    return True
