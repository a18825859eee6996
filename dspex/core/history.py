"""What language models were asked and what they answered: the last calls."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, overload

from dspex.core.chat import turn_of
from dspex.core.ids import new_id
from dspex.core.lm import Message, Reply
from dspex.core.outputs import outputs_of


@dataclass(frozen=True, kw_only=True)
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
    adapter: str | None = None
    """The adapter that wrote the chat; `None` when no adapter did."""
    id: str = field(default_factory=new_id)
    """Names this call."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When the answer came."""

    @cached_property
    def entry(self) -> dict[str, Any]:
        """The call in DSPy's shape, made when it is first looked at."""
        usage = self.reply.usage
        return {
            "prompt": None,
            "messages": [turn_of(turn) for turn in self.messages],
            "kwargs": dict(self.settings),
            "response": self.reply,
            "outputs": outputs_of(self.reply),
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
            "adapter": self.adapter,
        }


class History(Sequence[dict[str, Any]]):
    """The last calls, oldest first, in DSPy's shape.

    It is bounded: the oldest entry goes when there are too many. Any thread may add;
    an entry is made a dict when it is looked at. It equals a list of the same entries.

    Args:
        most: How many it holds; a call that is added may say otherwise.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # Each change of a deque is one step, so there is no lock.
        self._calls: deque[Exchanged] = deque()

    def add(self, call: Exchanged, most: int | None = None) -> None:
        """Add a call; the oldest go when there are too many.

        Args:
            call: The call.
            most: How many to hold from now on.
        """
        if most is not None:
            self._most = most
        self._calls.append(call)
        while len(self._calls) > self._most:
            # Two threads that add at once may both make room.
            with suppress(IndexError):
                self._calls.popleft()

    def clear(self) -> None:
        """Forget all."""
        self._calls.clear()

    def __len__(self) -> int:
        return len(self._calls)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [call.entry for call in tuple(self._calls)[index]]
        return self._calls[index].entry

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History | list | tuple):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment] # it changes, so it has no hash

    def __repr__(self) -> str:
        return f"<History of {len(self)} calls>"
