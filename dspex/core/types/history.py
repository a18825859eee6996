"""`History`: earlier turns of a conversation, as an input."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class History(BaseModel):
    """Earlier turns, each a mapping of the signature's fields.

    An adapter writes each turn as a user's and an assistant's message before the
    current inputs.

    Example:
        >>> history = History(messages=[{"question": "2 + 2?", "answer": "4"}])
        >>> len(history.messages)
        1
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: list[dict[str, Any]]
    """The turns, oldest first."""
