"""From the stream of a chat completion to its pieces, and to the reply they make.

The pieces are put together into the body of a whole completion, which `openai_reply`
then reads: a streamed answer and a whole one cannot mean different things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.chunk_stream import ChunkStream
from dspex.client.providers.format import Chunk, Sender
from dspex.client.providers.json_body import JsonError, read_object
from dspex.client.providers.json_values import text_of
from dspex.client.providers.openai_errors import error_for
from dspex.client.providers.openai_reply import (
    NoReplyError,
    RefusedError,
    reasoning_in,
    reply_of,
)
from dspex.client.providers.refusals import request_id_in, unreadable
from dspex.client.providers.sse import Event
from dspex.core.errors import LMError, LMResponseError
from dspex.core.lm import Reply

_DONE = b"[DONE]"
_EXPECTED = "server-sent events with choices[0].delta, and [DONE] at the end"


@dataclass(slots=True, kw_only=True)
class _Choice:
    """What has come of one completion."""

    texts: list[str] = field(default_factory=list)
    """Pieces of its text; none when no content came at all."""
    refusals: list[str] = field(default_factory=list)
    """Pieces of a refusal."""
    reasoning: list[str] = field(default_factory=list)
    """Pieces of its reasoning."""
    calls: list[_Call] = field(default_factory=list)
    """Its tool calls, in the order they began."""
    logprobs: dict[str, list[Any]] = field(default_factory=dict)
    """Lists of log-probabilities, by the name the server gives each."""
    finish_reason: object = None
    """Why it ended; `None` until it has."""

    def whole(self) -> dict[str, Any]:
        """The choice as it stands in a body that comes whole."""
        message = {
            "content": "".join(self.texts) if self.texts else None,
            "refusal": "".join(self.refusals) or None,
            "reasoning_content": "".join(self.reasoning) or None,
            "tool_calls": [call.whole() for call in self.calls],
        }
        return {
            "message": message,
            "finish_reason": self.finish_reason,
            "logprobs": self.logprobs or None,
        }


@dataclass(slots=True, kw_only=True)
class _Call:
    """What has come of one tool call."""

    index: int | None
    """Its number among the calls, where the server numbers them."""
    id: str
    """The server's id of it, or an empty text."""
    name: str = ""
    """The tool."""
    arguments: list[str] = field(default_factory=list)
    """Pieces of its arguments."""

    def whole(self) -> dict[str, Any]:
        """The call as it stands in a body that comes whole."""
        function = {"name": self.name, "arguments": "".join(self.arguments)}
        return {"id": self.id, "function": function}


class OpenAIStream:
    """Reads one streamed completion."""

    def __init__(self, headers: Mapping[str, str], sender: Sender) -> None:
        self._headers = headers
        self._sender = sender
        self._stream = ChunkStream(self._take, self._unreadable)
        self._choices: dict[int, _Choice] = {}
        self._usage: object = None
        self._model = ""
        self._is_done = False

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the bytes that came; the chunks they complete."""
        return self._stream.feed(data)

    def finish(self) -> Reply:
        """The whole reply, when the body has ended."""
        self._stream.close()
        is_finished = self._choices and all(
            choice.finish_reason for choice in self._choices.values()
        )
        if not self._is_done and not is_finished:
            raise self._unreadable("the stream ended before the answer did")
        whole = {
            "choices": [self._choices[at].whole() for at in sorted(self._choices)],
            "usage": self._usage,
            "model": self._model,
        }
        try:
            return reply_of(whole, request_id_in(self._headers, self._sender))
        except NoReplyError as error:
            raise self._unreadable(str(error)) from None

    def _take(self, event: Event) -> list[Chunk]:
        if self._is_done:
            return []
        if event.data.strip() == _DONE:
            self._is_done = True
            return []
        if event.name == "error":
            raise self._refused(event.data)
        try:
            return self._take_part(read_object(event.data))
        except RefusedError as error:
            raise self._refused(error.body) from None
        except (JsonError, NoReplyError) as error:
            raise self._unreadable(f"in its stream, {error}") from None

    def _take_part(self, part: Mapping[str, Any]) -> list[Chunk]:
        # The part with the usage has no choices: an empty list, or `null` in vLLM.
        choices = part.get("choices") or []
        if part.get("error"):
            raise RefusedError(part["error"])
        if not isinstance(choices, list):
            raise NoReplyError("its choices are no list")
        self._usage = part.get("usage") or self._usage
        self._model = text_of(part.get("model")) or self._model
        chunks = [self._take_choice(choice) for choice in choices]
        return [chunk for chunk in chunks if chunk.text or chunk.reasoning]

    def _take_choice(self, part: object) -> Chunk:
        if not isinstance(part, dict):
            raise NoReplyError("a choice is no object")
        index = part.get("index", 0)
        delta = part.get("delta") or {}
        if not isinstance(index, int) or not isinstance(delta, dict):
            raise NoReplyError("a choice has no index or no delta")
        choice = self._choices.setdefault(index, _Choice())
        choice.finish_reason = part.get("finish_reason") or choice.finish_reason
        _take_logprobs(choice, part.get("logprobs"))
        _take_calls(choice, delta.get("tool_calls") or [])
        return _take_texts(choice, delta, index)

    def _refused(self, body: bytes) -> LMError:
        return error_for(self._response(body), self._sender)

    def _unreadable(self, problem: str) -> LMResponseError:
        return unreadable(
            self._response(b""), self._sender, problem=problem, expected=_EXPECTED
        )

    def _response(self, body: bytes) -> HttpResponse:
        return HttpResponse(status=200, headers=self._headers, body=body)


def _take_texts(choice: _Choice, delta: Mapping[str, Any], index: int) -> Chunk:
    text = delta.get("content")
    refusal = text_of(delta.get("refusal"))
    reasoning = reasoning_in(delta)
    if isinstance(text, str):
        choice.texts.append(text)
    choice.refusals.append(refusal)
    choice.reasoning.append(reasoning)
    return Chunk(text=text_of(text) + refusal, reasoning=reasoning, index=index)


def _take_logprobs(choice: _Choice, logprobs: object) -> None:
    if isinstance(logprobs, dict):
        for name, tokens in logprobs.items():
            if isinstance(tokens, list):
                choice.logprobs.setdefault(name, []).extend(tokens)


def _take_calls(choice: _Choice, pieces: object) -> None:
    if not isinstance(pieces, list):
        raise NoReplyError("its tool_calls are no list")
    for piece in pieces:
        function = piece.get("function") if isinstance(piece, dict) else None
        if not isinstance(function, dict):
            raise NoReplyError("a tool call has no function")
        call = _call_of(choice, piece)
        call.name = call.name or text_of(function.get("name"))
        call.arguments.append(text_of(function.get("arguments")))


def _call_of(choice: _Choice, piece: Mapping[str, Any]) -> _Call:
    """Find the call a piece goes on with, or begin a new one.

    OpenAI numbers them. Some servers leave the number out, or give each the number 0,
    and send each call in one piece with an id of its own.
    """
    index, call_id = piece.get("index"), text_of(piece.get("id"))
    for call in reversed(choice.calls):
        if index is None or call.index == index:
            if call_id and call_id != call.id:
                break
            return call
    call = _Call(index=index if isinstance(index, int) else None, id=call_id)
    choice.calls.append(call)
    return call
