"""A call as people write it, as turns of a chat, and as callbacks hear of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dspex.core.chat import messages_of, turn_of
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Message


def turns_of(
    prompt: str | Sequence[Mapping[str, Any]] | None,
    messages: Sequence[Mapping[str, Any]] | None,
) -> tuple[Message, ...]:
    """Return a prompt, or a chat as dicts, as turns.

    A chat may stand in the place of the prompt, as it does in programs for DSPy.

    Raises:
        ConfigurationError: Both were given, or neither.
    """
    if (prompt is None) == (messages is None):
        raise ConfigurationError(
            "lm() takes either a prompt or messages. Write lm('your question'), or "
            "lm(messages=[{'role': 'user', 'content': 'your question'}])."
        )
    if isinstance(prompt, str):
        return (Message("user", prompt),)
    return messages_of(prompt or messages or ())


def heard_of(
    messages: Sequence[Message], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What callbacks hear of a call, in DSPy's words."""
    return {
        "prompt": None,
        "messages": [turn_of(turn) for turn in messages],
        "kwargs": dict(settings),
    }
