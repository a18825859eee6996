"""What Gemini's generateContent answers: candidates, the chunks of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.chunk_stream import ChunkStream
from dspex.client.providers.foreign_text import visible
from dspex.client.providers.format import Chunk, Sender
from dspex.client.providers.gemini_errors import error_for
from dspex.client.providers.gemini_request import SIGNATURE_MARK
from dspex.client.providers.json_body import JsonError, read_object
from dspex.client.providers.json_values import (
    count_of,
    object_of,
    objects_of,
    text_of,
)
from dspex.client.providers.refusals import is_success, shown_id, unreadable
from dspex.client.providers.sse import Event
from dspex.core.errors import LMResponseError
from dspex.core.lm import Reply, ToolCall, Usage

_FILTERED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
    }
)
_FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(_FILTERED, "content_filter"),
}
_ENDS_WITHOUT_CONTENT = frozenset({"length", "content_filter"})
_EXPECTED = "JSON with candidates[0].content.parts"
_EXPECTED_STREAM = "server-sent events with candidates, up to a finishReason"


def reply_in(response: HttpResponse, sender: Sender) -> Reply:
    """Read a whole response.

    Raises:
        LMError: The class that fits the status and Gemini's own word.
    """
    if not is_success(response.status):
        raise error_for(response, sender)
    try:
        answer = read_object(response.body)
    except JsonError as error:
        raise unreadable(
            response, sender, problem=str(error), expected=_EXPECTED
        ) from None
    if "error" in answer:
        raise error_for(response, sender)
    try:
        return _reply(answer, sender)
    except _NoReplyError as error:
        raise unreadable(
            response, sender, problem=str(error), expected=_EXPECTED
        ) from None


class GeminiStream:
    """Reads the chunks of one streamed answer.

    Each chunk has the shape of a whole answer. They are put together as the whole one
    would have been, so both are read by the same lines.
    """

    def __init__(self, headers: Mapping[str, str], sender: Sender) -> None:
        self._headers = headers
        self._sender = sender
        self._stream = ChunkStream(self._take, self._unreadable)
        self._answer: dict[str, Any] = {}
        self._candidates: dict[int, _Candidate] = {}

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the bytes that came; the chunks they complete."""
        return self._stream.feed(data)

    def finish(self) -> Reply:
        """The whole reply, when the body has ended."""
        self._stream.close()
        candidates = [found.whole() for _, found in sorted(self._candidates.items())]
        if not all(candidate.get("finishReason") for candidate in candidates):
            raise self._unreadable("it ended before the answer did")
        try:
            answer = {**self._answer, "candidates": candidates}
            return _reply(answer, self._sender)
        except _NoReplyError as error:
            raise self._unreadable(str(error)) from None

    def _take(self, event: Event) -> Iterable[Chunk]:
        try:
            part = read_object(event.data)
        except JsonError as error:
            raise self._unreadable(f"in its stream, {error}") from None
        if "error" in part:
            raise error_for(self._response(event.data), self._sender)
        self._answer |= part
        chunks: list[Chunk] = []
        for candidate in objects_of(part.get("candidates")):
            index = count_of(candidate.get("index"))
            found = self._candidates.setdefault(index, _Candidate())
            chunks += found.take(candidate, index)
        return chunks

    def _unreadable(self, problem: str) -> LMResponseError:
        return unreadable(
            self._response(b""),
            self._sender,
            problem=problem,
            expected=_EXPECTED_STREAM,
        )

    def _response(self, body: bytes) -> HttpResponse:
        return HttpResponse(status=200, headers=self._headers, body=body)


class _Candidate:
    """A candidate of a streamed answer, as far as it has come."""

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}
        self._parts: list[Mapping[str, Any]] = []
        self._logprobs: dict[str, list[Any]] = {}

    def take(self, candidate: Mapping[str, Any], index: int) -> Iterable[Chunk]:
        """Take what came of it; the chunks in that."""
        self._last |= candidate
        parts = objects_of(object_of(candidate.get("content")).get("parts"))
        self._parts += parts
        for name, items in object_of(candidate.get("logprobsResult")).items():
            if isinstance(items, list):
                self._logprobs.setdefault(name, []).extend(items)
        for part in parts:
            text = text_of(part.get("text"))
            if text and part.get("thought") is True:
                yield Chunk(reasoning=text, index=index)
            elif text:
                yield Chunk(text=text, index=index)

    def whole(self) -> dict[str, Any]:
        """The candidate as it would stand in an answer that came whole."""
        logprobs = {"logprobsResult": self._logprobs} if self._logprobs else {}
        return {**self._last, "content": {"parts": self._parts}, **logprobs}


class _NoReplyError(Exception):
    """A body is not what the format promises; the text says where."""


def _reply(answer: Mapping[str, Any], sender: Sender) -> Reply:
    candidates = [_candidate(one) for one in objects_of(answer.get("candidates"))]
    if not candidates:
        candidates = [_blocked(object_of(answer.get("promptFeedback")))]
    return Reply(
        texts=tuple(one.texts[0] for one in candidates),
        usage=_usage(object_of(answer.get("usageMetadata"))),
        model=text_of(answer.get("modelVersion")),
        finish_reasons=tuple(one.finish_reasons[0] for one in candidates),
        request_id=shown_id(answer.get("responseId"), sender),
        tool_calls=_where_any([one.tool_calls for one in candidates], ((),)),
        reasoning=_where_any([one.reasoning for one in candidates], ("",)),
        logprobs=_where_any([one.logprobs for one in candidates], (None,)),
        refused=any(one.refused for one in candidates),
    )


def _where_any(found: Sequence[tuple[Any, ...]], empty: tuple[Any, ...]) -> Any:
    """One for each candidate when any has one, else nothing."""
    return tuple((one or empty)[0] for one in found) if any(found) else ()


def _candidate(candidate: Mapping[str, Any]) -> Reply:
    """Read one candidate, as a reply of its own."""
    parts = objects_of(object_of(candidate.get("content")).get("parts"))
    text, thoughts = _texts(parts, thought=False), _texts(parts, thought=True)
    calls = tuple(
        _call(part, number)
        for number, part in enumerate(parts)
        if isinstance(part.get("functionCall"), dict)
    )
    word = text_of(candidate.get("finishReason"))
    reason = _FINISH_REASONS.get(word, word)
    if not (text or calls) and reason not in _ENDS_WITHOUT_CONTENT:
        raise _NoReplyError(f"a candidate that ended with {visible(word)!r} is empty")
    logprobs = candidate.get("logprobsResult")
    return Reply(
        texts=(text,),
        finish_reasons=("tool_calls" if calls and reason == "stop" else reason,),
        tool_calls=(calls,) if calls else (),
        reasoning=(thoughts,) if thoughts else (),
        logprobs=(logprobs,) if logprobs else (),
        refused=reason == "content_filter",
    )


def _blocked(feedback: Mapping[str, Any]) -> Reply:
    """The reply to a prompt that a filter did not let through."""
    if not feedback.get("blockReason"):
        raise _NoReplyError("it has no candidates")
    return Reply(texts=("",), finish_reasons=("content_filter",), refused=True)


def _texts(parts: Sequence[Mapping[str, Any]], *, thought: bool) -> str:
    found = (part for part in parts if (part.get("thought") is True) == thought)
    return "".join(text_of(part.get("text")) for part in found)


def _call(part: Mapping[str, Any], number: int) -> ToolCall:
    function = object_of(part.get("functionCall"))
    # Models before Gemini 3 give no ids; their calls are told apart by their place.
    call_id = text_of(function.get("id")) or f"call_{number}"
    signature = text_of(part.get("thoughtSignature"))
    return ToolCall(
        id=f"{call_id}{SIGNATURE_MARK}{signature}" if signature else call_id,
        name=text_of(function.get("name")),
        arguments=json.dumps(object_of(function.get("args")) or {}, ensure_ascii=False),
    )


def _usage(usage: Mapping[str, Any]) -> Usage:
    def count(name: str) -> int:
        return count_of(usage.get(name))

    return Usage(
        # What its own tools read is counted beside the prompt, and thoughts beside
        # the answer.
        prompt_tokens=count("promptTokenCount") + count("toolUsePromptTokenCount"),
        completion_tokens=count("candidatesTokenCount") + count("thoughtsTokenCount"),
        cached_tokens=count("cachedContentTokenCount"),
        reasoning_tokens=count("thoughtsTokenCount"),
    )
