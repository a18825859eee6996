"""What a language model was asked and what it answered: the last calls, for people."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, overload

from dspex.core.chat import turn_of
from dspex.core.ids import new_id
from dspex.core.lm import Message, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """One call and its reply."""

    model: str
    """The model string as the user wrote it."""
    messages: tuple[Message, ...]
    """The chat."""
    settings: Mapping[str, Any]
    """The settings it was sent with."""
    reply: Reply
    """The answer."""
    id: str = field(default_factory=new_id)
    """Names this call."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When the answer came."""

    def as_dict(self) -> dict[str, Any]:
        """The entry in DSPy's shape."""
        usage = self.reply.usage
        return {
            "prompt": None,
            "messages": [turn_of(turn) for turn in self.messages],
            "kwargs": dict(self.settings),
            "response": self.reply,
            "outputs": list(self.reply.texts),
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
            },
            "cost": self.reply.cost,
            "timestamp": self.at.isoformat(),
            "uuid": self.id,
            "model": self.model,
            "response_model": self.reply.model,
            "model_type": "chat",
        }


class History(Sequence[dict[str, Any]]):
    """The last calls of one language model, oldest first, in DSPy's shape.

    It is bounded: the oldest entry goes when there are too many. Any thread may add;
    an entry is made a dict when it is looked at.
    """

    def __init__(self, most: int) -> None:
        # Appending to a bounded deque is one step, so there is no lock.
        self._entries: deque[Exchanged] = deque(maxlen=most)

    def add(self, entry: Exchanged) -> None:
        """Add a call; the oldest goes when there are too many."""
        self._entries.append(entry)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [entry.as_dict() for entry in tuple(self._entries)[index]]
        return self._entries[index].as_dict()

    def __repr__(self) -> str:
        return f"<History of {len(self)} calls>"
