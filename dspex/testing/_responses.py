"""How the fake provider answers when nothing goes wrong: from requests to responses.

Everything here is pure but the user's answer function.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dspex.core.lm import Usage
from dspex.testing._anthropic import Anthropic
from dspex.testing._dialect import (
    NO_TOKENS,
    Dialect,
    Event,
    MalformedError,
    Question,
    completion_of,
    dump,
)
from dspex.testing._embeddings import embedded
from dspex.testing._gemini import PATH as GEMINI_PATH
from dspex.testing._gemini import Gemini
from dspex.testing._http_server import LAST_CHUNK, chunk
from dspex.testing._openai import OpenAI
from dspex.testing.answers import Answer
from dspex.testing.faults import Status

OPENAI: Dialect = OpenAI()
ANTHROPIC: Dialect = Anthropic()
GEMINI: Dialect = Gemini()

JSON = {"Content-Type": "application/json"}
EVENT_STREAM = {"Content-Type": "text/event-stream"}

_TOKENS_SENT = ("prompt_tokens", "input_tokens", "promptTokenCount")
_TOKENS_RECEIVED = ("completion_tokens", "output_tokens", "candidatesTokenCount")


@dataclass(slots=True, kw_only=True)
class Asked:
    """A request as far as the provider could read it."""

    path: str
    """The path, without its query."""
    dialect: Dialect
    """The API it was written for; OpenAI's when the path belongs to none."""
    body: Mapping[str, Any]
    """The request's JSON; empty when it was not a JSON object."""
    question: Question | None = None
    """What is asked; `None` when it asks for no completion or is malformed."""
    complaint: str | None = None
    """What is wrong with it, when it is malformed."""

    @property
    def is_streamed(self) -> bool:
        """Whether the answer is wanted in pieces."""
        return self.question is not None and self.question.is_streamed

    @property
    def weight(self) -> int:
        """How many tokens it counts with against a limit, before it is answered."""
        if self.question is None:
            return 0
        return self.question.prompt_tokens + self.question.max_tokens


@dataclass(slots=True, kw_only=True)
class Response:
    """An answer before it is put on the wire."""

    status: int = 200
    """The HTTP status."""
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    """All headers but the one that says where the body ends."""
    body: bytes = b""
    """The body, when it is sent in one piece."""
    events: Sequence[Event] | None = None
    """The body, when it is sent in chunks."""
    usage: Usage = NO_TOKENS
    """The tokens to be paid."""

    @property
    def content(self) -> bytes:
        """The whole body, however it is sent."""
        if self.events is None:
            return self.body
        return b"".join(event.data for event in self.events)

    def rest(self) -> Iterator[Event]:
        """Yield what follows the head on the wire."""
        if self.events is None:
            yield Event(self.body, self.usage.completion_tokens)
        elif self.events:
            *first, last = self.events
            yield from in_chunks(first)
            yield Event(chunk(last.data) + LAST_CHUNK, last.tokens)
        else:
            yield Event(LAST_CHUNK)


def in_chunks(events: Sequence[Event]) -> Iterator[Event]:
    """Frame each event as a chunk, without saying that they were all."""
    return (Event(chunk(event.data), event.tokens) for event in events)


def read(number: int, path: str, body: Mapping[str, Any]) -> Asked:
    """Find out which API a request is for and what it asks."""
    bare = path.partition("?")[0]
    if bare.endswith("/chat/completions"):
        dialect = OPENAI
    elif bare.endswith("/messages"):
        dialect = ANTHROPIC
    elif GEMINI_PATH.search(path):
        dialect = GEMINI
    else:
        return Asked(path=bare, dialect=OPENAI, body=body)
    try:
        question = dialect.question(number, path, body)
    except MalformedError as error:
        return Asked(path=bare, dialect=dialect, body=body, complaint=str(error))
    return Asked(path=bare, dialect=dialect, body=body, question=question)


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    """Answers requests. Holds what does not change from one to the next."""

    answer: Answer
    """What the model says."""
    models: Collection[str] | None
    """The models there are; `None` is any."""

    def respond(self, asked: Asked) -> Response:
        """Answer a request as a provider does that works."""
        if asked.complaint is not None:
            return refusal(asked, Status(400, message=asked.complaint))
        try:
            return self._respond(asked)
        except MalformedError as error:
            return refusal(asked, Status(400, message=str(error)))
        except Exception as error:  # noqa: BLE001 - the answer function is the test's own; the server lives on
            message = f"the answer function raised {error!r}"
            return refusal(asked, Status(500, message=message))

    def _respond(self, asked: Asked) -> Response:
        question = asked.question
        if question is None:
            return self._respond_elsewhere(asked)
        if not self._has_model(question.model):
            return _no_model(asked, question.model)
        said = completion_of(question, self.answer)
        if isinstance(said, dict):
            return Response(body=dump(said), usage=_usage_in(said))
        if question.is_streamed:
            # Made before the first byte is out, so that what is wrong with an answer
            # is still a refusal.
            events = list(asked.dialect.events(said))
            return Response(headers=EVENT_STREAM, events=events, usage=said.usage)
        return Response(body=dump(asked.dialect.whole(said)), usage=said.usage)

    def _respond_elsewhere(self, asked: Asked) -> Response:
        if not asked.path.endswith("/embeddings"):
            message = f"no such path: {asked.path}"
            return refusal(asked, Status(404, message=message))
        model = str(asked.body.get("model", "fake"))
        if not self._has_model(model):
            return _no_model(asked, model)
        body, usage = embedded(asked.body)
        return Response(body=dump(body), usage=usage)

    def _has_model(self, name: str) -> bool:
        return self.models is None or name in self.models


def refusal(asked: Asked, fault: Status) -> Response:
    """Refuse a request in the form of its API."""
    return Response(
        status=fault.status,
        headers={**JSON, **fault.headers},
        body=dump(asked.dialect.refusal(fault)),
    )


def packed(response: Response) -> Response:
    """Pack a body with gzip."""
    return Response(
        status=response.status,
        headers={**response.headers, "Content-Encoding": "gzip"},
        body=gzip.compress(response.content),
        usage=response.usage,
    )


def chopped(response: Response, size: int) -> Response:
    """Send a body in chunks of `size` bytes, wherever that cuts it."""
    content = response.content
    cuts = range(0, len(content), size)
    pieces = [Event(content[at : at + size]) for at in cuts]
    if pieces:
        pieces[-1] = Event(pieces[-1].data, response.usage.completion_tokens)
    return Response(
        status=response.status,
        headers=response.headers,
        events=pieces,
        usage=response.usage,
    )


def _no_model(asked: Asked, name: str) -> Response:
    message = f"the model {name!r} does not exist"
    return refusal(asked, Status(404, message=message, code="model_not_found"))


def _usage_in(body: Mapping[str, Any]) -> Usage:
    """Read the usage of a body the answer function wrote itself, if it has one."""
    found = body.get("usage") or body.get("usageMetadata")
    counts = found if isinstance(found, dict) else {}
    return Usage(
        prompt_tokens=sum(counts.get(name, 0) for name in _TOKENS_SENT),
        completion_tokens=sum(counts.get(name, 0) for name in _TOKENS_RECEIVED),
    )
