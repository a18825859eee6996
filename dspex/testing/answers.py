"""Answers for `FakeProvider`: what a language model would have written.

The chat adapter frames each field with a marker, `[[ ## name ## ]]`; the helpers here
write answers in that frame and read the inputs out of a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCallAnswer:
    """An answer that wants a tool called."""

    name: str
    """The tool."""
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    """What to call it with; a text is sent as it is, so it may be broken JSON."""
    id: str | None = None
    """The call's id; made from the request's number unless given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FullAnswer:
    """An answer of which more is said than its text."""

    text: str = ""
    """The completion's text."""
    tool_calls: tuple[ToolCallAnswer, ...] = ()
    """Tools it wants called."""
    reasoning: str = ""
    """What it thought before, for those who show that."""
    finish_reason: str | None = None
    """Why it ended, in OpenAI's words: "stop", "length", "content_filter",
    "tool_calls". Unless given, the last of these when there are such calls, else the
    first. Other APIs get their own word for it."""

    @property
    def ended_by(self) -> str:
        """Why it ended, whether given or not."""
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")


Answer = Callable[
    [Sequence[Mapping[str, Any]]], str | dict[str, Any] | ToolCallAnswer | FullAnswer
]
"""From chat messages, as OpenAI writes them, to what the model says: a text, a tool
call, a `FullAnswer`, or a whole response body that is sent as it is."""

_MARKER = re.compile(r"^\[\[ ## (\w+) ## \]\]", re.MULTILINE)


def chat_answer(**fields: object) -> str:
    r"""Write a completion the chat adapter can read.

    Example:
        >>> chat_answer(capital="Lima")
        '[[ ## capital ## ]]\nLima\n\n[[ ## completed ## ]]'
    """
    framed = [f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items()]
    return "\n\n".join([*framed, "[[ ## completed ## ]]"])


def inputs_of(messages: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    r"""Read the framed inputs out of the last user message.

    A value ends at the next marker; the last one at the first empty line, because the
    adapter's request for an answer follows there. Without any frame: an empty dict.

    Example:
        >>> ask = "[[ ## country ## ]]\nPeru\n\nAnswer with the field `capital`."
        >>> inputs_of([{"role": "user", "content": ask}])
        {'country': 'Peru'}
    """
    text = _last_user_text(messages)
    found = list(_MARKER.finditer(text))
    if not found:
        return {}
    ends = [mark.start() for mark in found[1:]] + [len(text)]
    values = {
        mark.group(1): text[mark.end() : end].strip()
        for mark, end in zip(found, ends, strict=True)
    }
    last = found[-1].group(1)
    values[last] = values[last].split("\n\n", 1)[0]
    return values


def answers_by_input(
    table: Mapping[str, Mapping[str, object] | str],
    *,
    otherwise: Mapping[str, object] | str = "",
) -> Answer:
    r"""Answer from a table that is looked up by the value of any input field.

    Args:
        table: From an input's value to the output fields (framed for the chat adapter)
            or to the exact text of the completion.
        otherwise: What to answer when no input is in the table.

    Example:
        >>> answer = answers_by_input({"Peru": {"capital": "Lima"}})
        >>> ask = {"role": "user", "content": "[[ ## country ## ]]\nPeru"}
        >>> print(answer([ask]))
        [[ ## capital ## ]]
        Lima
        <BLANKLINE>
        [[ ## completed ## ]]
    """

    def answer(messages: Sequence[Mapping[str, Any]]) -> str:
        values = inputs_of(messages).values()
        entry = next((table[value] for value in values if value in table), otherwise)
        return entry if isinstance(entry, str) else chat_answer(**entry)

    return answer


def _last_user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    spoken = [turn for turn in messages if turn.get("role") == "user"]
    return str(spoken[-1].get("content", "")) if spoken else ""
