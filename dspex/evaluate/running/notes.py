"""What a caller wants to be remembered with a run: JSON values, and no secret. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dspex.core.errors import ConfigurationError
from dspex.core.setting_names import is_secret

MASK = "***"
"""What stands where a secret would be."""


def checked_notes(notes: Any) -> dict[str, Any]:
    """Return notes as a record keeps them.

    Raises:
        ConfigurationError: They are no mapping of JSON values.

    Example:
        >>> checked_notes({"version": 3, "lm": {"api_key": "sk-1", "top": None}})
        {'version': 3, 'lm': {'api_key': '***', 'top': None}}
    """
    if notes is None:
        return {}
    if not isinstance(notes, Mapping):
        raise ConfigurationError(
            f"notes is {type(notes).__name__!r}; expected a mapping of JSON values by "
            "name. Write notes={'version': 'a41'}."
        )
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(notes)))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"notes are no JSON values: {error}; texts, numbers, lists and mappings "
            "were expected. Write str(...) of what is none of them."
        ) from error
    return {name: _masked(name, value) for name, value in plain.items()}


def _masked(name: str, value: Any) -> Any:
    if value is not None and is_secret(name):
        return MASK
    match value:
        case dict():
            return {inner: _masked(inner, each) for inner, each in value.items()}
        case list():
            return [_masked("", each) for each in value]
        case _:
            return value
