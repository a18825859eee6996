"""From the JSON of a chat completion to a reply.

It takes what the servers that speak OpenAI's format really send, which is more than
its specification: contents in parts, reasoning under two names, usage counted in two
ways, errors inside a success.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dspex.client.providers.json_body import write_json
from dspex.client.providers.json_values import count_of, object_of, text_of
from dspex.core.lm import Reply, ToolCall, Usage

_ENDS_WITHOUT_TEXT = frozenset({"length", "content_filter"})
_BROKEN_OFF = frozenset({"error", "insufficient_system_resource"})
"""Finish reasons that mean the server gave up midway (OpenRouter, DeepSeek)."""
_OPENAI_WORDS = {"eos": "stop", "model_length": "length", "function_call": "tool_calls"}
"""Finish reasons of other servers, and OpenAI's words for them."""


class NoReplyError(Exception):
    """A body is not what the format promises; the text says where, as a clause."""


class RefusedError(Exception):
    """A body holds an error although the status says success.

    Attributes:
        body: The error, in the shape that comes with a status of its own.
    """

    def __init__(self, error: object) -> None:
        super().__init__()
        self.body = write_json({"error": error})


def reply_of(parsed: Mapping[str, Any], request_id: str | None) -> Reply:
    """Read a whole completion.

    A completion without a text has the text `""` when that is right: it calls tools, it
    ended at its length or in a filter, or the model only reasoned. A refusal's text is
    the refusal.

    Args:
        parsed: Its JSON.
        request_id: The provider's id of the request.

    Raises:
        RefusedError: When an error is inside.
        NoReplyError: When it is no completion.
    """
    choices = parsed.get("choices")
    if parsed.get("error") and not choices:
        raise RefusedError(parsed["error"])
    if not isinstance(choices, list) or not choices:
        raise NoReplyError("it has no choices")
    pairs = [(choice, _message(choice)) for choice in choices]
    calls = tuple(_tool_calls(message) for _, message in pairs)
    reasoning = tuple(reasoning_in(message) for _, message in pairs)
    logprobs = tuple(choice.get("logprobs") for choice, _ in pairs)
    reasons = tuple(_finish_reason(choice) for choice, _ in pairs)
    return Reply(
        texts=tuple(
            _text(message, reason, found)
            for (_, message), reason, found in zip(pairs, reasons, calls, strict=True)
        ),
        usage=usage_of(parsed.get("usage")),
        model=text_of(parsed.get("model")),
        finish_reasons=reasons,
        request_id=request_id,
        tool_calls=calls if any(calls) else (),
        reasoning=reasoning if any(reasoning) else (),
        logprobs=logprobs if any(logprobs) else (),
        refused="content_filter" in reasons
        or any(text_of(message.get("refusal")) for _, message in pairs),
    )


def reasoning_in(message: Mapping[str, Any]) -> str:
    """Find the reasoning of a message or of a piece of one; `""` when it has none."""
    shown = text_of(message.get("reasoning_content"))
    return shown or text_of(message.get("reasoning"))


def usage_of(value: object) -> Usage:
    """Read the `usage` of an answer; what is missing or odd counts as none."""
    usage = object_of(value)
    sent = object_of(usage.get("prompt_tokens_details"))
    received = object_of(usage.get("completion_tokens_details"))
    prompt = count_of(usage.get("prompt_tokens"))
    completion = count_of(usage.get("completion_tokens"))
    reasoning = count_of(received.get("reasoning_tokens"))
    if count_of(usage.get("total_tokens")) == prompt + completion + reasoning:
        # xAI counts hidden reasoning beside the completion, OpenAI inside it.
        completion += reasoning
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=count_of(sent.get("cached_tokens"))
        or count_of(usage.get("prompt_cache_hit_tokens")),
        cache_write_tokens=count_of(sent.get("cache_write_tokens")),
        reasoning_tokens=reasoning,
    )


def _message(choice: object) -> Mapping[str, Any]:
    if isinstance(choice, dict) and isinstance(choice.get("error"), dict):
        raise RefusedError(choice["error"])
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise NoReplyError("a choice has no message")
    return message


def _finish_reason(choice: Mapping[str, Any]) -> str:
    reason = text_of(choice.get("finish_reason"))
    if reason in _BROKEN_OFF:
        raise NoReplyError(f"the server broke it off (finish_reason {reason!r})")
    return _OPENAI_WORDS.get(reason, reason)


def _text(message: Mapping[str, Any], reason: str, calls: tuple[ToolCall, ...]) -> str:
    text = _content(message)
    is_right = calls or reason in _ENDS_WITHOUT_TEXT or reasoning_in(message)
    if text is None and is_right:
        return ""
    if text is None:
        raise NoReplyError("a message has no text content")
    return text


def _content(message: Mapping[str, Any]) -> str | None:
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        texts = [part for part in parts if isinstance(part, str)]
        return "".join(texts) if texts else None
    refusal = text_of(message.get("refusal"))
    if isinstance(content, str):
        return content or refusal
    return refusal or None


def _tool_calls(message: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise NoReplyError("its tool_calls are no list")
    return tuple(_tool_call(call) for call in calls)


def _tool_call(call: object) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        raise NoReplyError("a tool call has no function")
    name = text_of(function.get("name"))
    if not name:
        raise NoReplyError("a tool call has no name")
    return ToolCall(
        id=text_of(call.get("id")),
        name=name,
        arguments=_arguments(function.get("arguments")),
    )


def _arguments(arguments: object) -> str:
    if isinstance(arguments, dict):
        # Some servers give the object itself, not its text.
        return write_json(arguments).decode()
    return text_of(arguments)
