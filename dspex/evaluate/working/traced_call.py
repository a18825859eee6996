"""One call of a language model as it is kept with an outcome: prompt, answer, time.

Settings of a call are left out, and long texts are cut: it is for people to look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from dspex.core.history import Exchanged

LONGEST_TEXT: Final = 10_000
"""Characters of one turn or answer that are kept: its beginning and its end."""
LONGEST_TRACE: Final = 100_000
"""Characters of all turns and answers of one example; the first calls make room."""
LONGEST_ASKER: Final = 200
"""Characters of what a program calls itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedCall:
    """One call of a language model that an example made, and its answer."""

    model: str
    """The model string."""
    asker: str = ""
    """The program that asked, as it prints itself; empty when none did."""
    messages: tuple[tuple[str, str], ...] = ()
    """The prompt: each turn's role and text."""
    answers: tuple[str, ...] = ()
    """What came back, as it came: one text for each completion."""
    seconds: float = 0.0
    """From the request being written to the whole answer."""
    cached: bool = False
    """Whether the answer came from the cache."""
    prompt_tokens: int = 0
    """Tokens sent, as the provider counted them."""
    completion_tokens: int = 0
    """Tokens received."""

    @classmethod
    def of(cls, call: Exchanged, asker: object | None) -> Self:
        """Keep of a call what a person wants to see of it."""
        reply = call.reply
        return cls(
            model=call.model,
            asker="" if asker is None else shortened(_named(asker), LONGEST_ASKER),
            messages=tuple(
                (turn.role, shortened(turn.text, LONGEST_TEXT))
                for turn in call.messages
            ),
            answers=tuple(shortened(text, LONGEST_TEXT) for text in reply.texts),
            seconds=reply.latency,
            cached=reply.cached,
            prompt_tokens=reply.usage.prompt_tokens,
            completion_tokens=reply.usage.completion_tokens,
        )

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> Self:
        """Return the call that `plain` wrote.

        Raises:
            TypeError: It wrote no such thing.
            ValueError: It wrote no such thing.
        """
        turns = tuple((str(role), str(text)) for role, text in told["messages"])
        return cls(**{**told, "messages": turns, "answers": tuple(told["answers"])})

    def plain(self) -> dict[str, Any]:
        """Return the call as JSON values."""
        return {
            "model": self.model,
            "asker": self.asker,
            "messages": [list(turn) for turn in self.messages],
            "answers": list(self.answers),
            "seconds": self.seconds,
            "cached": self.cached,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
        }

    @property
    def size(self) -> int:
        """Characters of its prompt and its answers."""
        return sum(len(text) for _, text in self.messages) + sum(map(len, self.answers))


def with_room(calls: Sequence[TracedCall]) -> tuple[TracedCall, ...]:
    """Return the last calls that have room together; the very last in any case."""
    room, kept = LONGEST_TRACE, 0
    for call in reversed(calls):
        room -= call.size
        if room < 0 and kept:
            break
        kept += 1
    return tuple(calls[len(calls) - kept :])


def shortened(text: str, most: int) -> str:
    """Return a text's beginning and end, with what is left out told between.

    Example:
        >>> shortened("a" * 40 + "b" * 40, 20)
        'aaaaaaaaaa [60 characters] bbbbbbbbbb'
    """
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]} [{len(text) - 2 * half:,} characters] {text[-half:]}"


def _named(asker: object) -> str:
    try:
        return repr(asker)
    except Exception:  # noqa: BLE001 - a user's __repr__ may do anything
        return type(asker).__name__
