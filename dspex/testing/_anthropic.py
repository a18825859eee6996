"""Anthropic's Messages API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from dspex.testing._dialect import (
    Completion,
    Event,
    Question,
    arguments_of,
    call_id,
    chat_of,
    number_in,
    pieces,
    sse,
    words,
)
from dspex.testing.answers import FullAnswer, ToolCallAnswer
from dspex.testing.faults import WRONG_KEY, Status
from dspex.testing.rate_limit import Verdict

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class Anthropic:
    """`/v1/messages`, whole and streamed."""

    wrong_key = WRONG_KEY

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Read the key."""
        return headers.get("x-api-key")

    def question(self, number: int, path: str, body: Mapping[str, Any]) -> Question:  # noqa: ARG002 - one signature for all dialects
        """Read a request; the system's text becomes the first turn."""
        system = body.get("system")
        first = [{"role": "system", "content": _text(system)}] if system else []
        turns = [
            {**turn, "content": _text(turn.get("content", ""))}
            for turn in chat_of(body, "messages")
        ]
        return Question(
            number=number,
            model=str(body.get("model", "fake")),
            messages=[*first, *turns],
            max_tokens=number_in(body, "max_tokens"),
            is_streamed=body.get("stream") is True,
        )

    def whole(self, completion: Completion) -> Mapping[str, Any]:
        """Write an answer in one piece."""
        [choice] = completion.choices
        return {
            **_message(completion),
            "content": _blocks(completion, choice),
            "stop_reason": _stop_reason(choice),
            "usage": {
                "input_tokens": completion.usage.prompt_tokens,
                "output_tokens": completion.usage.completion_tokens,
            },
        }

    def events(self, completion: Completion) -> Iterator[Event]:
        """Write an answer in pieces; `message_stop` is the last."""
        [choice] = completion.choices
        message = _message(completion)
        yield _event("message_start", message=message)
        yield _event("ping")
        for index, block in enumerate(_blocks(completion, choice)):
            yield from _block_events(index, block)
        yield _event(
            "message_delta",
            delta={"stop_reason": _stop_reason(choice), "stop_sequence": None},
            usage={"output_tokens": completion.usage.completion_tokens},
        )
        yield _event("message_stop")

    def refusal(self, fault: Status) -> Mapping[str, Any]:
        """Write an error; its type follows from the status."""
        kind = _ERROR_TYPES.get(fault.status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": fault.message}}

    def broken(self, fault: Status) -> bytes:
        """Write an error that comes inside a stream."""
        return sse(self.refusal(fault), "error")

    def limits(self, verdict: Verdict, wall_clock: float) -> Mapping[str, str]:
        """Write what is left of the limits; Anthropic says resets as moments."""
        headers = {}
        kinds = (("requests", verdict.requests), ("tokens", verdict.tokens))
        for kind, allowed in kinds:
            if allowed is not None:
                full_at = datetime.fromtimestamp(wall_clock + allowed.full_in, UTC)
                moment = full_at.isoformat(timespec="milliseconds")
                name = f"anthropic-ratelimit-{kind}"
                headers[f"{name}-limit"] = str(allowed.limit)
                headers[f"{name}-remaining"] = str(allowed.remaining)
                headers[f"{name}-reset"] = moment.replace("+00:00", "Z")
        return headers

    def models(self, names: Iterable[str]) -> Mapping[str, Any]:
        """Write the list of models."""
        data = [{"type": "model", "id": name, "display_name": name} for name in names]
        return {"data": data, "has_more": False}


def _text(content: object) -> object:
    """Join parts that are all text, and leave anything else as it is."""
    if not isinstance(content, list):
        return content
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    spoken = [text for text in texts if isinstance(text, str)]
    return "".join(spoken) if len(spoken) == len(content) else content


def _message(completion: Completion) -> dict[str, Any]:
    """Return a message in which nothing has been said yet."""
    return {
        "id": f"msg_{completion.question.number}",
        "type": "message",
        "role": "assistant",
        "model": completion.question.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": completion.usage.prompt_tokens,
            "output_tokens": 0,
        },
    }


def _stop_reason(choice: FullAnswer) -> str:
    return _STOP_REASONS.get(choice.ended_by, choice.ended_by)


def _blocks(completion: Completion, choice: FullAnswer) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if choice.reasoning:
        thought = {"thinking": choice.reasoning, "signature": "c2lnbmVk"}
        blocks.append({"type": "thinking", **thought})
    if choice.text or not choice.tool_calls:
        blocks.append({"type": "text", "text": choice.text})
    for at, call in enumerate(choice.tool_calls):
        identity = {"id": call_id(completion, call, at), "name": call.name}
        blocks.append({"type": "tool_use", **identity, "input": _input(call)})
    return blocks


def _input(call: ToolCallAnswer) -> object:
    """Return a tool's input as an object, which is what this API sends."""
    try:
        return json.loads(arguments_of(call))
    except ValueError:
        return {}


def _block_events(index: int, block: Mapping[str, Any]) -> Iterator[Event]:
    kind = block["type"]
    if kind == "thinking":
        start = {**block, "thinking": "", "signature": ""}
        texts, delta, name = pieces(block["thinking"]), "thinking_delta", "thinking"
    elif kind == "text":
        start = {**block, "text": ""}
        texts, delta, name = pieces(block["text"]), "text_delta", "text"
    else:
        start = {**block, "input": {}}
        texts = pieces(json.dumps(block["input"]))
        delta, name = "input_json_delta", "partial_json"
    called = words([block["name"]]) if kind == "tool_use" else 0
    yield _event("content_block_start", called, index=index, content_block=start)
    for text in texts:
        added = {"type": delta, name: text}
        yield _event("content_block_delta", words([text]), index=index, delta=added)
    if kind == "thinking":
        signed = {"type": "signature_delta", "signature": block["signature"]}
        yield _event("content_block_delta", index=index, delta=signed)
    yield _event("content_block_stop", index=index)


def _event(kind: str, tokens: int = 0, **more: object) -> Event:
    return Event(sse({"type": kind, **more}, kind), tokens)
