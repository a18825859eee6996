"""What a bootstrap did: which answers it needed, and what the others cost."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

from dspex.client.call import AttemptRecord, Fate
from dspex.core.lm import Usage
from dspex.evaluate.record.entries import Bill
from dspex.evaluate.results.result import EvaluationResult
from dspex.teleprompt.few_shot.demos import demos_in


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNeeded:
    """Work that was begun ahead of time and then not needed.

    A search for demos one example at a time would not have done it. It is the price of
    being done sooner.
    """

    examples: int = 0
    """Examples that were begun."""
    answers: int = 0
    """Requests that were answered."""
    broken_off: int = 0
    """Requests that were broken off before their answer; they may be billed."""
    usage: Usage = Usage()  # noqa: RUF009 - a frozen value
    """Tokens, as far as the provider said."""
    cost: float | None = None
    """US dollars for those tokens; `None` when no price is known."""

    def __str__(self) -> str:
        if not self.examples:
            return "nothing was begun in vain"
        tokens = f"{self.usage.total_tokens:,} tokens"
        money = "" if self.cost is None else f", ${self.cost:.4f}"
        return (
            f"begun and not needed: {_counted(self.examples, 'example')}, "
            f"{_counted(self.answers, 'answer')} ({tokens}{money}), "
            f"{_counted(self.broken_off, 'request')} broken off"
        )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True, kw_only=True)
class BootstrapResult(EvaluationResult):
    """The teacher's run: an outcome for each example that was worked on.

    The score of an example is whether the metric accepted it. Those from `needed` on
    are no part of the outcome: they were begun because it looked as if they might be.
    """

    needed: int = 0
    """Examples that a search one by one looks at, from the first."""

    @classmethod
    def of(cls, result: EvaluationResult, *, needed: int) -> Self:
        """Take over an evaluation's result."""
        kept = {each.name: getattr(result, each.name) for each in fields(result)}
        return cls(**kept, needed=needed)

    @property
    def accepted(self) -> int:
        """Needed examples that gave demos."""
        return sum(demos_in(each) is not None for each in self.outcomes[: self.needed])

    @cached_property
    def not_needed(self) -> NotNeeded:
        """What was done in vain, and what it cost."""
        records = [
            record for record in self.requests.values() if self._is_extra(record)
        ]
        bill = Bill.of(records)
        begun = {record.tags["example"] for record in records}
        begun.update(
            number
            for number, outcome in enumerate(self.outcomes)
            if outcome is not None and number >= self.needed
        )
        return NotNeeded(
            examples=len(begun),
            answers=sum(record.fate is Fate.ANSWERED for record in records),
            broken_off=sum(record.fate is Fate.CANCELLED for record in records),
            usage=bill.usage,
            cost=bill.cost,
        )

    def _is_extra(self, record: AttemptRecord) -> bool:
        return int(record.tags.get("example", 0)) >= self.needed

    @property
    def taken(self) -> str:
        """Whose answers became demos, in words that are the same each time."""
        return (
            f"demos from {self.accepted} of the first {self.needed} of {self.n} "
            "examples"
        )

    def __str__(self) -> str:
        return f"{self.taken}; {self.not_needed}"
