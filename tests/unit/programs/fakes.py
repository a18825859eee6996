"""A language model of this process: it answers from a list and keeps its calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dspex.core.lm import Message, Reply, Usage


class FakeLM:
    """Answers with the given texts, the last one again and again."""

    def __init__(
        self, *texts: str, adapter: str | None = None, **settings: Any
    ) -> None:
        self.model = "fake/model"
        self.adapter = adapter
        self.calls: list[tuple[Sequence[Message], Mapping[str, Any]]] = []
        self._texts = list(texts)
        self._settings = settings

    def complete(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Reply:
        self.calls.append((messages, settings))
        count = settings.get("n", 1)
        texts = tuple(self._next() for _ in range(count))
        usage = Usage(prompt_tokens=3, completion_tokens=2)
        return Reply(texts=texts, usage=usage, model="fake")

    def dump_state(self) -> dict[str, Any]:
        return {"model": self.model, **self._settings}

    def __deepcopy__(self, memo: dict[int, Any]) -> FakeLM:
        message = "a model is shared, never copied"
        raise TypeError(message)

    def _next(self) -> str:
        return self._texts.pop(0) if len(self._texts) > 1 else self._texts[0]


def chat(**fields: str) -> str:
    """Return a reply as the chat adapter wants it."""
    return "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in fields.items())
