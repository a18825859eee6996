"""What an API's wire format is to the fake provider: pure functions over values.

A dialect turns a request into a `Question` and a `Completion` into bytes. It knows no
socket and no fault; what else a provider does is the same whatever it speaks.

Its values are made for each request and stay on the server's thread. Nobody changes
them; that they are not frozen saves a tenth of what a request costs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dspex.core.lm import Usage
from dspex.testing.answers import Answer, FullAnswer, ToolCallAnswer
from dspex.testing.faults import Status
from dspex.testing.rate_limit import Verdict

NO_TOKENS = Usage()
"""The usage of what costs nothing."""

# `json.dumps` looks at its eight options first, each time.
_encode = json.JSONEncoder().encode

_PIECE = re.compile(r"\s*\S+|\s+$")


class MalformedError(Exception):
    """A request's body is not what its API expects; the text says what is wrong."""


@dataclass(slots=True, kw_only=True)
class Question:
    """A request, whatever API it was written for."""

    number: int
    """The request's number."""
    model: str
    """The model that is asked."""
    messages: Sequence[Mapping[str, Any]]
    """The chat in OpenAI's words."""
    count: int = 1
    """How many completions are wanted."""
    max_tokens: int = 0
    """How long each may be; 0 when nothing is said."""
    is_streamed: bool = False
    """Whether the answer is wanted in pieces."""
    with_usage: bool = False
    """Whether a streamed answer shall say its usage, where that is a choice."""
    logprobs: int | None = None
    """How many alternatives each token is wanted with; `None`: no log-probabilities."""

    @property
    def prompt_tokens(self) -> int:
        """The words of the prompt."""
        return words([str(turn.get("content", "")) for turn in self.messages])


@dataclass(slots=True, kw_only=True)
class Completion:
    """What is answered to a question."""

    question: Question
    """What was asked."""
    choices: tuple[FullAnswer, ...]
    """The completions."""
    usage: Usage
    """Words of the prompt and of all completions."""


@dataclass(slots=True)
class Event:
    """One event of a streamed answer."""

    data: bytes
    """The event as it goes over the wire."""
    tokens: int = 0
    """How many tokens of the completion are in it."""


class Dialect(Protocol):
    """One API's wire format."""

    @property
    def wrong_key(self) -> Status:
        """What a wrong key is answered with."""

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Read the key a request came with."""

    def question(self, number: int, path: str, body: Mapping[str, Any]) -> Question:
        """Read a request.

        Raises:
            MalformedError: The body does not have the form the API asks for.
        """

    def whole(self, completion: Completion) -> Mapping[str, Any]:
        """Write an answer in one piece."""

    def events(self, completion: Completion) -> Iterator[Event]:
        """Write an answer in pieces; the last event says that it is complete."""

    def refusal(self, fault: Status) -> Mapping[str, Any]:
        """Write an error."""

    def broken(self, fault: Status) -> bytes:
        """Write an error that comes inside a stream."""

    def limits(self, verdict: Verdict, wall_clock: float) -> Mapping[str, str]:
        """Write what is left of the limits as headers."""

    def models(self, names: Iterable[str]) -> Mapping[str, Any]:
        """Write the list of models."""


def completion_of(question: Question, answer: Answer) -> Completion | dict[str, Any]:
    """Ask for each completion; one that is a whole response body is all there is."""
    said = [answer(question.messages) for _ in range(question.count)]
    whole = next((one for one in said if isinstance(one, dict)), None)
    if whole is not None:
        return whole
    choices = tuple([_full(one) for one in said if not isinstance(one, dict)])
    thought = words([choice.reasoning for choice in choices if choice.reasoning])
    usage = Usage(
        prompt_tokens=question.prompt_tokens,
        completion_tokens=thought + sum(map(_tokens, choices)),
        reasoning_tokens=thought,
    )
    return Completion(question=question, choices=choices, usage=usage)


def pieces(text: str) -> list[str]:
    """Cut a text into words, each with the space before it; together they are it.

    Example:
        >>> pieces("Lima, of course. ")
        ['Lima,', ' of', ' course.', ' ']
    """
    return _PIECE.findall(text)


def words(texts: Iterable[str]) -> int:
    """Count words, which are the fake provider's tokens."""
    return sum([len(text.split()) for text in texts])


def arguments_of(call: ToolCallAnswer) -> str:
    """Return a tool call's arguments as text."""
    given = call.arguments
    return given if isinstance(given, str) else json.dumps(given)


def call_id(completion: Completion, call: ToolCallAnswer, index: int) -> str:
    """Return a tool call's id, made up unless given."""
    return call.id or f"call_{completion.question.number}_{index}"


def chat_of(body: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    """Read a list of turns.

    Raises:
        MalformedError: It is none.
    """
    turns = body.get(field, [])
    kinds = set(map(type, turns)) if isinstance(turns, list) else {type(turns)}
    if isinstance(turns, list) and kinds <= {dict}:
        return turns
    raise MalformedError(f"{field!r} must be a list of objects")


def number_in(body: Mapping[str, Any], field: str, default: int = 0) -> int:
    """Read a whole number that may be left out or null.

    Raises:
        MalformedError: It is no whole number from 0 on.
    """
    value = body.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise MalformedError(f"{field!r} must be a whole number from 0 on")
    return value


def part_of(body: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Read an object that may be left out or null.

    Raises:
        MalformedError: It is no object.
    """
    value = body.get(field) or {}
    if not isinstance(value, dict):
        raise MalformedError(f"{field!r} must be an object")
    return value


def dump(body: object) -> bytes:
    """Write a body."""
    return _encode(body).encode()


def sse(body: object, event: str | None = None) -> bytes:
    """Write a server-sent event."""
    name = b"event: %s\n" % event.encode() if event else b""
    return b"%sdata: %s\n\n" % (name, dump(body))


def _full(said: str | ToolCallAnswer | FullAnswer) -> FullAnswer:
    match said:
        case FullAnswer():
            return said
        case ToolCallAnswer():
            return FullAnswer(tool_calls=(said,))
        case _:
            return FullAnswer(text=str(said))


def _tokens(choice: FullAnswer) -> int:
    """Count the words that are no reasoning."""
    spoken = len(choice.text.split())
    if not choice.tool_calls:
        return spoken
    called = [f"{call.name} {arguments_of(call)}" for call in choice.tool_calls]
    return spoken + words(called)
