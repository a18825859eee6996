"""What Anthropic's Messages API answers: messages, the events of a stream, errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.chunk_stream import ChunkStream
from dspex.client.providers.format import Chunk, Sender
from dspex.client.providers.json_body import JsonError, read_json, read_object
from dspex.client.providers.json_values import (
    count_of,
    object_of,
    objects_of,
    text_of,
)
from dspex.client.providers.refusals import (
    is_success,
    refused,
    request_id_in,
    says_too_long,
    unreadable,
    usual_class,
)
from dspex.client.providers.sse import Event
from dspex.core.errors import (
    ContextWindowExceededError,
    LMBillingError,
    LMError,
    LMInvalidRequestError,
    LMResponseError,
)
from dspex.core.lm import Reply, ToolCall, Usage

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_NO_MONEY_TEXTS = ("credit balance is too low", "specified api usage limits")
_EXPECTED = "JSON of the type 'message' with a list as its content"
_EXPECTED_STREAM = "server-sent events from message_start to message_stop"


def reply_in(response: HttpResponse, sender: Sender) -> Reply:
    """Read a whole response.

    Raises:
        LMError: The class that fits the status and the provider's own word.
    """
    if not is_success(response.status):
        raise error_for(response, sender)
    try:
        message = read_object(response.body)
    except JsonError as error:
        raise unreadable(
            response, sender, problem=str(error), expected=_EXPECTED
        ) from None
    if message.get("type") == "error":
        raise error_for(response, sender)
    if message.get("type") != "message" or not isinstance(message.get("content"), list):
        raise unreadable(
            response, sender, problem="it is no message", expected=_EXPECTED
        )
    return _reply(message, request_id_in(response.headers, sender))


def error_for(response: HttpResponse, sender: Sender) -> LMError:
    """Say what a refusal means, as an error that can be raised."""
    try:
        error = object_of(object_of(read_json(response.body)).get("error"))
    except JsonError:
        error = {"message": response.body.decode("utf-8-sig", errors="replace").strip()}
    message = text_of(error.get("message"))
    status = response.status
    if is_success(status):
        # The word of an error inside a success tells which status it would have had.
        status = _STATUSES.get(text_of(error.get("type")), status)
    return refused(
        response,
        sender,
        error_class=_class_for(status, message),
        message=message,
        status=status,
    )


class AnthropicStream:
    """Reads the events of one streamed message.

    It puts the message together as the whole one would have been, so both are read by
    the same lines.
    """

    def __init__(self, headers: Mapping[str, str], sender: Sender) -> None:
        self._headers = headers
        self._sender = sender
        self._stream = ChunkStream(self._take, self._unreadable)
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, _Block] = {}
        self._ended = False

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the bytes that came; the chunks they complete."""
        return self._stream.feed(data)

    def finish(self) -> Reply:
        """The whole reply, when the body has ended."""
        self._stream.close()
        if not self._ended:
            raise self._unreadable("it ended before the message did")
        content = [block.whole() for _, block in sorted(self._blocks.items())]
        message = {**self._message, "content": content, "usage": self._usage}
        return _reply(message, request_id_in(self._headers, self._sender))

    def _take(self, received: Event) -> Iterable[Chunk]:
        try:
            event = read_object(received.data)
        except JsonError as error:
            raise self._unreadable(f"in its stream, {error}") from None
        match event.get("type"):
            case "message_start":
                self._message = dict(object_of(event.get("message")))
                self._usage = dict(object_of(self._message.get("usage")))
            case "content_block_start":
                return self._start(event)
            case "content_block_delta":
                return self._go_on(event)
            case "message_delta":
                self._message |= object_of(event.get("delta"))
                self._usage |= _given(object_of(event.get("usage")))
            case "message_stop":
                self._ended = True
            case "error":
                raise error_for(self._response(received.data), self._sender)
        # Nothing to hand on; so are pings, and events newer than this reader.
        return ()

    def _start(self, event: Mapping[str, Any]) -> Iterable[Chunk]:
        block = _Block(object_of(event.get("content_block")))
        self._blocks[count_of(event.get("index"))] = block
        return block.take(block.start)

    def _go_on(self, event: Mapping[str, Any]) -> Iterable[Chunk]:
        block = self._blocks.get(count_of(event.get("index")))
        if block is None:
            raise self._unreadable("a block goes on that has not begun")
        return block.take(object_of(event.get("delta")))

    def _unreadable(self, problem: str) -> LMResponseError:
        return unreadable(
            self._response(b""),
            self._sender,
            problem=problem,
            expected=_EXPECTED_STREAM,
        )

    def _response(self, body: bytes) -> HttpResponse:
        return HttpResponse(status=200, headers=self._headers, body=body)


class _Block:
    """A block of a streamed message, as far as it has come."""

    def __init__(self, start: Mapping[str, Any]) -> None:
        self.start = start
        self._pieces: dict[str, list[str]] = {}

    def take(self, delta: Mapping[str, Any]) -> Iterable[Chunk]:
        """Take a piece, or the start itself, which may hold one too."""
        for name in ("text", "thinking", "partial_json"):
            piece = text_of(delta.get(name))
            if piece:
                self._pieces.setdefault(name, []).append(piece)
        text, thinking = text_of(delta.get("text")), text_of(delta.get("thinking"))
        return [Chunk(text=text, reasoning=thinking)] if text or thinking else []

    def whole(self) -> dict[str, Any]:
        """The block as it would stand in a message that came whole."""
        joined = {name: "".join(pieces) for name, pieces in self._pieces.items()}
        arguments = joined.pop("partial_json", None)
        whole = {**self.start, **joined}
        return whole if arguments is None else {**whole, "input": arguments}


def _class_for(status: int, message: str) -> type[LMError]:
    usual = usual_class(status)
    if usual is not LMInvalidRequestError:
        return usual
    if any(text in message.lower() for text in _NO_MONEY_TEXTS):
        return LMBillingError
    return ContextWindowExceededError if says_too_long(message) else usual


def _reply(message: Mapping[str, Any], request_id: str | None) -> Reply:
    blocks = objects_of(message.get("content"))
    reason = text_of(message.get("stop_reason"))
    calls = tuple(_call(block) for block in blocks if block.get("type") == "tool_use")
    thoughts = _joined(blocks, "thinking")
    return Reply(
        texts=(_joined(blocks, "text"),),
        usage=_usage(object_of(message.get("usage"))),
        model=text_of(message.get("model")),
        finish_reasons=(_FINISH_REASONS.get(reason, reason),),
        request_id=request_id,
        tool_calls=(calls,) if calls else (),
        reasoning=(thoughts,) if thoughts else (),
        refused=reason == "refusal",
    )


def _joined(blocks: Sequence[Mapping[str, Any]], kind: str) -> str:
    found = (block for block in blocks if block.get("type") == kind)
    return "".join(text_of(block.get(kind)) for block in found)


def _call(block: Mapping[str, Any]) -> ToolCall:
    given = block.get("input", {})
    return ToolCall(
        id=text_of(block.get("id")),
        name=text_of(block.get("name")),
        # In a stream they come as text, which may have been cut off.
        arguments=given
        if isinstance(given, str)
        else json.dumps(given, ensure_ascii=False),
    )


def _usage(usage: Mapping[str, Any]) -> Usage:
    read = count_of(usage.get("cache_read_input_tokens"))
    written = count_of(usage.get("cache_creation_input_tokens"))
    details = object_of(usage.get("output_tokens_details"))
    return Usage(
        # The API counts tokens from and to its cache beside the others.
        prompt_tokens=count_of(usage.get("input_tokens")) + read + written,
        completion_tokens=count_of(usage.get("output_tokens")),
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=count_of(details.get("thinking_tokens")),
    )


def _given(usage: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in usage.items() if value is not None}
