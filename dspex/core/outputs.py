"""A reply as whoever calls a model by hand gets it, in DSPy's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dspex.core.chat import messages_of, turn_of
from dspex.core.lm import Message, Reply, ToolCall


def outputs_of(reply: Reply) -> list[Any]:
    """Return a text for each completion, or a dict for each where there is more.

    A dict has the `text`, and what the completion has of `reasoning_content`,
    `logprobs` and `tool_calls`; these are in OpenAI's words.

    Example:
        >>> outputs_of(Reply(texts=("Lima",)))
        ['Lima']
        >>> outputs_of(Reply(texts=("Lima",), reasoning=("Peru's capital",)))
        [{'text': 'Lima', 'reasoning_content': "Peru's capital"}]
    """
    more = [_more(reply, index) for index in range(len(reply.texts))]
    if not any(more):
        return list(reply.texts)
    return [
        {"text": text, **facts} for text, facts in zip(reply.texts, more, strict=True)
    ]


def facts_in(outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what such dicts say besides their texts, as the fields of a reply.

    Raises:
        ConfigurationError: A tool call is not in OpenAI's words.
    """
    reasoning = tuple(str(one.get("reasoning_content") or "") for one in outputs)
    logprobs = tuple(one.get("logprobs") for one in outputs)
    calls = tuple(_tool_calls_in(one) for one in outputs)
    facts = {"reasoning": reasoning, "logprobs": logprobs, "tool_calls": calls}
    return {name: found if any(found) else () for name, found in facts.items()}


def _tool_calls_in(output: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    calls = output.get("tool_calls")
    turn = {"role": "assistant", "content": "", "tool_calls": calls}
    return messages_of([turn])[0].tool_calls if calls else ()


def _more(reply: Reply, index: int) -> dict[str, Any]:
    """Return what one completion has besides its text."""
    facts = {
        "reasoning_content": _at(reply.reasoning, index),
        "logprobs": _at(reply.logprobs, index),
        "tool_calls": _tool_calls(reply, index),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _tool_calls(reply: Reply, index: int) -> Any:
    calls = _at(reply.tool_calls, index) or ()
    return turn_of(Message("assistant", "", tool_calls=calls)).get("tool_calls")


def _at(facts: tuple[Any, ...], index: int) -> Any:
    """Return the fact of one completion; none has any where the provider gave none."""
    return facts[index] if index < len(facts) else None
