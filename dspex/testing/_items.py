"""What the questions of a `ScriptedTask` are about, and how prompts are read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from dspex.core.lm import Message

_ITEM: Final = re.compile(r"\bkind(\d+)-(\d+)\b")
_HEADER: Final = re.compile(r"\[\[ ## (\w+) ## \]\]")


@dataclass(frozen=True, slots=True)
class Item:
    """What a question is about."""

    kind: int
    """Which kind it is of."""
    number: int
    """Its number; no two have the same."""

    def __str__(self) -> str:
        return f"kind{self.kind}-{self.number}"


def item_in(text: str) -> Item | None:
    """Return the last item a text is about.

    Example:
        >>> item_in(f"What is the code of {Item(2, 17)}?")
        Item(kind=2, number=17)
    """
    found = _ITEM.findall(text)
    return Item(*map(int, found[-1])) if found else None


def demos_in(turns: Sequence[Message]) -> Iterator[tuple[Item, str]]:
    """Yield the items that turns before the last one answer, with those answers."""
    for question, answer in pairwise(turns[:-1]):
        item = item_in(question.text)
        if item is not None and answer.role == "assistant":
            yield item, answer.text


def fields_asked(turns: Sequence[Message]) -> list[str]:
    """Return the outputs that a prompt asks for.

    The chat adapter names them in its closing reminder. Of another adapter's prompt
    it is known only whether it speaks of reasoning.
    """
    reminder = turns[-1].text.rpartition("\n\n")[2]
    named = [name for name in _HEADER.findall(reminder) if name != "completed"]
    if named:
        return named
    told = " ".join(turn.text.casefold() for turn in turns)
    return ["reasoning", "answer"] if "reasoning" in told else ["answer"]
