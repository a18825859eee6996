"""What a language model is to the rest of dspex: a protocol and a few values.

Programs and adapters know only this module. The handle that joins cache and client
(`dspex.LM`) lives in `dspex.runtime` and satisfies the protocol, as does any class a
user writes with the same three members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Literal, NoReturn, Protocol

Role = Literal["system", "user", "assistant", "tool"]
"""Who speaks in a chat turn."""

_NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TextPart:
    """A text inside a turn that has other parts too."""

    text: str
    """What is said."""


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture inside a turn."""

    url: str = field(repr=False)
    """An `https` address, or a `data:` URL that holds the picture itself (base64)."""
    detail: str | None = None
    """How closely to look, in OpenAI's words ("low", "high"); `None` leaves it open."""


@dataclass(frozen=True, slots=True)
class RawPart:
    """A part in the provider's own format, which is passed on as it is."""

    value: Mapping[str, Any] = field(repr=False)
    """A JSON object, such as `{"type": "input_audio", ...}`."""


Part = TextPart | ImagePart | RawPart
"""What the content of a turn can be made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A model's wish to have a tool called."""

    id: str
    """The provider's id of it; the turn with the result names it."""
    name: str
    """The tool."""
    arguments: str
    """A JSON object as text, as the model wrote it; it may be no valid JSON."""


@dataclass(frozen=True, slots=True)
class Message:  # noqa: PLW1641 - the dataclass makes its hash
    """One chat turn."""

    role: Role
    """Who speaks."""
    content: str | tuple[Part, ...]
    """What is said: a text, or several parts."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Tools the assistant wanted called in this turn."""
    tool_call_id: str | None = None
    """In a turn of the role "tool": which call this is the result of."""

    @property
    def text(self) -> str:
        """The words of the turn, its text parts put together."""
        if isinstance(self.content, str):
            return self.content
        parts = (part for part in self.content if isinstance(part, TextPart))
        return "".join(part.text for part in parts)

    def __eq__(self, other: object) -> bool:
        """Say whether it is the same turn; a dict in OpenAI's words may be one, too."""
        if isinstance(other, Message):
            return _turn_facts(self) == _turn_facts(other)
        return self.as_turn() == other if isinstance(other, dict) else NotImplemented

    def keys(self) -> list[str]:
        """Return the keys of the turn as a dict in OpenAI's words."""
        return list(self.as_turn())

    def __getitem__(self, key: str) -> Any:
        """Return what DSPy's users look up: `message["content"]`."""
        return self.as_turn()[key]

    def __setitem__(self, key: str, value: object) -> NoReturn:
        """Refuse what a dict would let pass, as adapters written for DSPy do.

        Raises:
            TypeError: Always; it says what to write.
        """
        message = (
            "a turn is never changed, for others may hold it; put another in its "
            f"place: messages[0] = {{**messages[0], {key!r}: ...}}."
        )
        raise TypeError(message)

    def get(self, key: str, default: Any = None) -> Any:
        """Return one key of the turn as a dict, or `default`."""
        return self.as_turn().get(key, default)

    def as_turn(self) -> dict[str, Any]:
        """Return the turn as a dict in OpenAI's words."""
        turn: dict[str, Any] = {"role": self.role, "content": _written(self)}
        if self.tool_calls:
            turn["tool_calls"] = [_written_call(call) for call in self.tool_calls]
        if self.tool_call_id is not None:
            turn["tool_call_id"] = self.tool_call_id
        return turn


def _written(message: Message) -> object:
    if message.tool_calls and not message.content:
        return None
    if isinstance(message.content, str):
        return message.content
    return [_written_part(part) for part in message.content]


def _written_part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            image = {"url": part.url}
            if part.detail is not None:
                image["detail"] = part.detail
            return {"type": "image_url", "image_url": image}
        case RawPart():
            return dict(part.value)


def _written_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


_turn_facts = attrgetter(*(each.name for each in fields(Message)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call, or of many added up."""

    prompt_tokens: int = 0
    """Tokens sent, those from the provider's own cache included."""
    completion_tokens: int = 0
    """Tokens received, those of hidden reasoning included."""
    cached_tokens: int = 0
    """How many of the sent ones the provider read from its cache."""
    cache_write_tokens: int = 0
    """How many of the sent ones the provider wrote to its cache, where it charges."""
    reasoning_tokens: int = 0
    """How many of the received ones were hidden reasoning."""

    @property
    def total_tokens(self) -> int:
        """Sent and received together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        """Add two usages, field by field."""
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One language-model call, before any provider's format."""

    model: str
    """The model's name as its provider knows it, without the `provider/` prefix."""
    messages: tuple[Message, ...]
    """The chat, oldest turn first. To embed texts: a user's turn for each."""
    settings: Mapping[str, Any] = field(default_factory=lambda: _NO_SETTINGS)
    """JSON values in OpenAI's words, whatever the provider: temperature, max_tokens,
    stop, n, seed, tools, tool_choice, response_format, logprobs, reasoning_effort, ...

    `rollout_id` is part of a request's identity for the cache and is never sent.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one request."""

    texts: tuple[str, ...] = ()
    """One text per completion: at least one, unless texts were to be embedded."""
    usage: Usage = field(default_factory=Usage)
    """Tokens as the provider counted them; zero for an answer from the cache."""
    model: str = ""
    """The model that answered, as the provider names it."""
    finish_reasons: tuple[str, ...] = ()
    """Why each completion ended, in OpenAI's words whatever the provider: "stop",
    "length", "tool_calls", "content_filter"; another word is the provider's own."""
    request_id: str | None = None
    """The provider's id of the request, when it gives one."""
    cached: bool = False
    """Whether the answer came from the cache, so that nothing was paid."""
    attempts: int = 1
    """Requests sent for this answer; 0 when it came from the cache."""
    latency: float = 0.0
    """Seconds from the request being written to the whole answer, last attempt."""
    tool_calls: tuple[tuple[ToolCall, ...], ...] = ()
    """For each completion the tools it wants called; empty when none does."""
    reasoning: tuple[str, ...] = ()
    """For each completion its reasoning, as far as the provider shows it; empty when
    it shows none."""
    logprobs: tuple[Any, ...] = ()
    """For each completion its log-probabilities, as the provider gives them; empty
    unless they were asked for."""
    refused: bool = False
    """Whether a completion is a refusal of the model or of the provider's filter."""
    vectors: tuple[tuple[float, ...], ...] = ()
    """For texts that were to be embedded: a vector for each."""
    cost: float | None = None
    """What it cost in US dollars by the price table; 0 from the cache, `None` when the
    price is not known."""

    @property
    def text(self) -> str:
        """The first completion."""
        return self.texts[0]

    def with_changes(self, **changes: Any) -> Reply:
        """A copy in which some fields differ, as `dataclasses.replace` makes it.

        Every call needs one, and this takes a third of the time.
        """
        return Reply(
            **dict(zip(_REPLY_FIELDS, _fields_of(self), strict=True), **changes)
        )

    @property
    def is_whole(self) -> bool:
        """Whether no completion was cut off or refused, so that it is worth keeping."""
        cut_off = {"length", "content_filter"} & set(self.finish_reasons)
        return not (self.refused or cut_off)


_REPLY_FIELDS = tuple(each.name for each in fields(Reply))
_fields_of = attrgetter(*_REPLY_FIELDS)


class LanguageModel(Protocol):
    """What `Predict` needs of a language model."""

    @property
    def model(self) -> str:
        """The model string as the user wrote it, such as `openai/gpt-4o-mini`."""

    @property
    def adapter(self) -> str | None:
        """The adapter this model wants, by name ("chat"); `None` for the default."""

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
