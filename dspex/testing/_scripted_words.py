"""The words of a `ScriptedTask`: which a text has, who is told of which.

All is drawn by seed: the same task says the same, in whatever order it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dspex.testing._dice import throw

_DECOYS: Final = ("politely", "quickly", "boldly", "twice", "aloud", "in rhyme")
"""Words that proposals and hints use and that help nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The planted words of one task, and those that only look like them."""

    seed: int
    """The task's."""
    planted: tuple[str, ...]
    """What helps."""
    proposal_share: float
    """The chance of each word to be in a proposal."""
    echo_share: float
    """The chance that one mention in the prompt has it taken up."""
    hint_share: float
    """The share of wrong answers of which a planted word is told."""

    def planted_in(self, text: str) -> int:
        """Count the planted words that a text has, in any order and case."""
        return len(self.planted) - len(list(self._missing(text)))

    def proposal(self, prompt: str, rollout: str) -> str:
        """Return an instruction, drawn by seed and prompt.

        Args:
            prompt: All that is said in it.
            rollout: Draws anew.
        """
        mentions = _said(prompt)
        drawn = [
            word
            for number, word in enumerate((*self.planted, *_DECOYS))
            if throw(self.seed, f"proposal {prompt}{rollout}", number)
            < self._chance(_times(word, mentions))
        ]
        return " ".join(["Give the code of the item", *drawn]) + "."

    def hint(self, item: str, instruction: str) -> str:
        """Return a word to try, which may help or may not.

        Args:
            item: What was answered wrong.
            instruction: What was told already; no planted word of it is named again.
        """
        missing = list(self._missing(instruction))
        helps = throw(self.seed, f"hint for {item}", 0) < self.hint_share
        choice = missing if missing and helps else _DECOYS
        return choice[int(throw(self.seed, f"hint for {item}", 1) * len(choice))]

    def _missing(self, text: str) -> Iterator[str]:
        mentions = _said(text)
        return (word for word in self.planted if not _times(word, mentions))

    def _chance(self, mentions: int) -> float:
        return 1 - (1 - self.proposal_share) * (1 - self.echo_share) ** mentions


def _said(text: str) -> Sequence[str]:
    return re.findall(r"\w+", text.casefold())


def _times(word: str, mentions: Sequence[str]) -> int:
    """Return how often a word is said; of several, all must be, in any order."""
    return min((mentions.count(part) for part in word.casefold().split()), default=0)
