"""Gemini's generateContent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dspex.testing._dialect import (
    Completion,
    Event,
    MalformedError,
    Question,
    arguments_of,
    chat_of,
    number_in,
    part_of,
    pieces,
    sse,
    words,
)
from dspex.testing._dice import throw
from dspex.testing.answers import FullAnswer, ToolCallAnswer
from dspex.testing.faults import Status
from dspex.testing.rate_limit import Verdict

PATH = re.compile(r"/models/([^/:?]+):(generateContent|streamGenerateContent)(\?.*)?$")
"""Which model, and whether it is to answer in pieces."""

_RPC = "type.googleapis.com/google.rpc"
"""Where the types of an error's details are from."""

_FINISH_REASONS = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
_STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Gemini:
    """`/v1beta/models/NAME:generateContent`, whole and streamed."""

    wrong_key = Status(400, message="wrong API key", code="API_KEY_INVALID")

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Read the key."""
        return headers.get("x-goog-api-key")

    def question(self, number: int, path: str, body: Mapping[str, Any]) -> Question:
        """Read a request; the system's text becomes the first turn."""
        found = PATH.search(path)
        if found is None:
            raise MalformedError("the path names no model")
        model, verb, query = found.groups()
        is_streamed = verb == "streamGenerateContent"
        if is_streamed and "alt=sse" not in (query or ""):
            raise MalformedError("the fake provider streams with ?alt=sse only")
        system = part_of(body, "systemInstruction")
        turns = [_turn("system", system)] if system else []
        for turn in chat_of(body, "contents"):
            role = "assistant" if turn.get("role") == "model" else "user"
            turns.append(_turn(role, turn))
        config = part_of(body, "generationConfig")
        wanted = number_in(config, "logprobs")
        return Question(
            number=number,
            model=model,
            messages=turns,
            count=number_in(config, "candidateCount", 1) or 1,
            max_tokens=number_in(config, "maxOutputTokens"),
            is_streamed=is_streamed,
            logprobs=wanted if config.get("responseLogprobs") else None,
        )

    def whole(self, completion: Completion) -> Mapping[str, Any]:
        """Write an answer in one piece."""
        candidates = []
        for index, choice in enumerate(completion.choices):
            candidate = _candidate(index, _parts(choice), choice)
            if completion.question.logprobs is not None:
                candidate["logprobsResult"] = _logprobs(choice.text)
            candidates.append(candidate)
        return {
            "candidates": candidates,
            "usageMetadata": _usage(completion),
            **_frame(completion),
        }

    def events(self, completion: Completion) -> Iterator[Event]:
        """Write an answer in pieces; the last one says why and with what usage."""
        frame = _frame(completion)
        for index, choice in enumerate(completion.choices):
            for part in _small_parts(choice):
                candidate = _candidate(index, [part], None)
                yield Event(sse({"candidates": [candidate], **frame}), _tokens(part))
        ends = [
            _candidate(index, [{"text": ""}], choice)
            for index, choice in enumerate(completion.choices)
        ]
        usage = {"usageMetadata": _usage(completion)}
        yield Event(sse({"candidates": ends, **usage, **frame}))

    def refusal(self, fault: Status) -> Mapping[str, Any]:
        """Write an error, with its code and the time to wait as details."""
        name = _STATUS_NAMES.get(fault.status, "UNKNOWN")
        error = {"code": fault.status, "message": fault.message, "status": name}
        details = []
        if fault.code is not None:
            details.append({"@type": f"{_RPC}.ErrorInfo", "reason": fault.code})
        wait = fault.headers.get("Retry-After", "")
        if wait.isdecimal():
            details.append({"@type": f"{_RPC}.RetryInfo", "retryDelay": f"{wait}s"})
        return {"error": {**error, "details": details} if details else error}

    def broken(self, fault: Status) -> bytes:
        """Write an error that comes inside a stream."""
        return sse(self.refusal(fault))

    def limits(self, verdict: Verdict, wall_clock: float) -> Mapping[str, str]:  # noqa: ARG002 - one signature for all dialects
        """Say nothing: this API has no headers for limits."""
        return {}

    def models(self, names: Iterable[str]) -> Mapping[str, Any]:
        """Write the list of models."""
        return {"models": [{"name": f"models/{name}"} for name in names]}


def _turn(role: str, turn: Mapping[str, Any]) -> dict[str, Any]:
    """Put a turn into OpenAI's words; parts that are no text stay as they are."""
    parts = turn.get("parts", [])
    if not isinstance(parts, list):
        raise MalformedError("'parts' must be a list of objects")
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    spoken = [text for text in texts if isinstance(text, str)]
    is_text = len(spoken) == len(parts)
    return {"role": role, "content": "".join(spoken) if is_text else parts}


def _frame(completion: Completion) -> dict[str, Any]:
    question = completion.question
    return {
        "modelVersion": question.model,
        "responseId": f"gemini-{question.number}",
    }


def _candidate(
    index: int, parts: Sequence[Mapping[str, Any]], ended: FullAnswer | None
) -> dict[str, Any]:
    content = {"role": "model", "parts": list(parts)}
    candidate: dict[str, Any] = {"content": content, "index": index}
    if ended is not None:
        reason = _FINISH_REASONS.get(ended.ended_by, ended.ended_by)
        candidate["finishReason"] = reason
    return candidate


def _parts(choice: FullAnswer) -> list[dict[str, Any]]:
    thought = {"text": choice.reasoning, "thought": True}
    parts: list[dict[str, Any]] = [thought] if choice.reasoning else []
    if choice.text or not choice.tool_calls:
        parts.append({"text": choice.text})
    return [*parts, *map(_call, choice.tool_calls)]


def _small_parts(choice: FullAnswer) -> Iterator[dict[str, Any]]:
    """Yield the parts word by word; a tool call comes whole."""
    for piece in pieces(choice.reasoning):
        yield {"text": piece, "thought": True}
    for piece in pieces(choice.text):
        yield {"text": piece}
    yield from map(_call, choice.tool_calls)


def _call(call: ToolCallAnswer) -> dict[str, Any]:
    try:
        arguments = json.loads(arguments_of(call))
    except ValueError:
        arguments = {}
    return {"functionCall": {"name": call.name, "args": arguments}}


def _tokens(part: Mapping[str, Any]) -> int:
    called = part.get("functionCall")
    if called is None:
        return words([part["text"]])
    return words([called["name"], json.dumps(called["args"])])


def _logprobs(text: str) -> dict[str, Any]:
    chosen = [
        {"token": piece, "logProbability": -throw(0, piece, 0)}
        for piece in pieces(text)
    ]
    return {"chosenCandidates": chosen}


def _usage(completion: Completion) -> dict[str, Any]:
    usage = completion.usage
    written = {
        "promptTokenCount": usage.prompt_tokens,
        "candidatesTokenCount": usage.completion_tokens - usage.reasoning_tokens,
        "totalTokenCount": usage.total_tokens,
    }
    if usage.reasoning_tokens:
        written["thoughtsTokenCount"] = usage.reasoning_tokens
    return written
