"""Values of examples and predictions as JSON, and as text for one cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dspex.core.example import Example
from dspex.evaluate.record.codec import encode


def as_json(value: Any) -> Any:
    """Return a value as JSON's own types, as the run's record writes it."""
    return json.loads(encode(value))


def text_of(value: Any) -> str:
    """Return a value for one cell: a text as it is, all else as one line of JSON.

    Example:
        >>> text_of("Lima"), text_of({"n": 1}), text_of(None)
        ('Lima', '{"n": 1}', '')
    """
    if type(value) is str:
        return value
    return "" if value is None else json.dumps(as_json(value), ensure_ascii=False)


def fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of an example or a prediction.

    What has no fields stands under `prediction`; `None` has none.
    """
    match value:
        case None:
            return {}
        case Example():
            return dict(value.items())
        case Mapping():
            return {str(name): one for name, one in value.items()}
        case _:
            return {"prediction": value}
