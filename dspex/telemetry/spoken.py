"""Prompts and answers as OpenTelemetry's conventions write them, as JSON texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

from dspex.core.lm import Message, Reply, Request, ToolCall


def asked_turns(request: Request) -> str:
    """The turns of a request; pictures and the like are left out."""
    return json.dumps(
        [
            {"role": turn.role, "parts": list(_asked_parts(turn))}
            for turn in request.messages
        ]
    )


def answered_turns(reply: Reply) -> str:
    """A turn for each completion: its reasoning, its text, the tools it wants."""
    return json.dumps(
        [
            {
                "role": "assistant",
                "parts": list(_answered_parts(text, reasoning or "", calls or ())),
                "finish_reason": reason or "stop",
            }
            for text, reason, reasoning, calls in zip_longest(
                reply.texts, reply.finish_reasons, reply.reasoning, reply.tool_calls
            )
        ]
    )


def _asked_parts(turn: Message) -> Iterator[dict[str, Any]]:
    if turn.tool_call_id is not None:
        yield {
            "type": "tool_call_response",
            "id": turn.tool_call_id,
            "response": turn.text,
        }
    elif turn.text or not turn.tool_calls:
        yield {"type": "text", "content": turn.text}
    yield from _wished(turn.tool_calls)


def _answered_parts(
    text: str | None, reasoning: str, calls: Iterable[ToolCall]
) -> Iterator[dict[str, Any]]:
    if reasoning:
        yield {"type": "reasoning", "content": reasoning}
    if text:
        yield {"type": "text", "content": text}
    yield from _wished(calls)


def _wished(calls: Iterable[ToolCall]) -> Iterator[dict[str, Any]]:
    for call in calls:
        yield {
            "type": "tool_call",
            "id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }
