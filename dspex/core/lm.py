"""What a language model is to the rest of dspex: a protocol and three values.

Programs and adapters know only this module. The handle that joins cache and client
(`dspex.LM`) lives in `dspex.runtime` and satisfies the protocol, as does any class a
user writes with the same three members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant"]
"""Who speaks in a chat turn."""


@dataclass(frozen=True, slots=True)
class Message:
    """One chat turn."""

    role: Role
    """Who speaks."""
    content: str
    """What is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call, or of many added up."""

    prompt_tokens: int = 0
    """Tokens sent."""
    completion_tokens: int = 0
    """Tokens received."""

    @property
    def total_tokens(self) -> int:
        """Sent and received together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        """Add two usages, field by field."""
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One language-model call, before any provider's format."""

    model: str
    """The model's name as its provider knows it, without the `provider/` prefix."""
    messages: tuple[Message, ...]
    """The chat, oldest turn first."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """JSON values for the provider: temperature, max_tokens, stop, n, seed, ...

    `rollout_id` is part of a request's identity for the cache and is never sent.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one request."""

    texts: tuple[str, ...]
    """One text per completion, at least one."""
    usage: Usage = field(default_factory=Usage)
    """Tokens as the provider counted them; zero for an answer from the cache."""
    model: str = ""
    """The model that answered, as the provider names it."""
    finish_reasons: tuple[str, ...] = ()
    """Why each completion ended, in the provider's words ("stop", "length")."""
    request_id: str | None = None
    """The provider's id of the request, when it gives one."""
    cached: bool = False
    """Whether the answer came from the cache, so that nothing was paid."""
    attempts: int = 1
    """Requests sent for this answer; 0 when it came from the cache."""
    latency: float = 0.0
    """Seconds from the request being written to the whole answer, last attempt."""

    @property
    def text(self) -> str:
        """The first completion."""
        return self.texts[0]


class LanguageModel(Protocol):
    """What `Predict` needs of a language model."""

    @property
    def model(self) -> str:
        """The model string as the user wrote it, such as `openai/gpt-4o-mini`."""

    @property
    def adapter(self) -> str | None:
        """The adapter this model wants ("chat", "line"), or `None` for the default."""

    def complete(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Reply:
        """Answer a chat.

        Args:
            messages: The chat, oldest turn first.
            settings: Settings of this call; they win over the model's own.

        Raises:
            LMError: When the call ended without an answer.
        """

    def dump_state(self) -> dict[str, Any]:
        """The model's settings as JSON values, without any secret."""
