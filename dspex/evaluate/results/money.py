"""What a run cost: tokens, dollars, seconds, and what mending took. Pure."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from dspex.client.call import AttemptRecord, Fate
from dspex.core.lm import Usage
from dspex.evaluate.results.outcome import NO_USAGE, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What the answers of a run were, and what they cost."""

    usage: Usage = NO_USAGE
    """Tokens of the answers; those from the cache have none."""
    cost: float | None = None
    """Dollars, as far as prices are known; `None` when no price is."""
    unpriced: int = 0
    """Outcomes that used the model and whose price is not known: not in `cost`."""
    calls: int = 0
    """Answers of models."""
    cached: int = 0
    """How many of those somebody else paid; see `Outcome.cached`."""

    @property
    def cached_share(self) -> float | None:
        """The share of answers from the cache; `None` when there was no answer."""
        return self.cached / self.calls if self.calls else None

    @classmethod
    def of(cls, outcomes: Iterable[Outcome | None]) -> Self:
        """Add the outcomes up."""
        usage, unpriced, calls, cached = NO_USAGE, 0, 0, 0
        costs = array("d")
        for outcome in outcomes:
            if outcome is None:
                continue
            usage = usage + outcome.usage
            calls += outcome.calls
            cached += outcome.cached
            if outcome.cost is not None:
                costs.append(outcome.cost)
            elif outcome.calls > outcome.cached:
                unpriced += 1
        return cls(
            usage=usage,
            cost=math.fsum(costs) if costs else None,
            unpriced=unpriced,
            calls=calls,
            cached=cached,
        )

    def __str__(self) -> str:
        if self.cost is None:
            dollars = "no price known"
        else:
            dollars = f"${self.cost:.4f}"
            if self.unpriced:
                dollars += f" and {self.unpriced} of no known price"
        share = f"{self.cached} of {self.calls} answers from the cache"
        return f"{dollars}, {self.usage.total_tokens:,} tokens, {share}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long an example took, in seconds."""

    n: int
    """Outcomes it is taken from: those measured without any answer of the cache."""
    median: float
    """Half of them took no longer."""
    p95: float
    """95 % of them took no longer."""

    @classmethod
    def of(cls, outcomes: Iterable[Outcome | None]) -> Self | None:
        """Take it from the outcomes; `None` when none of them counts."""
        return cls.of_seconds(
            outcome.latency
            for outcome in outcomes
            if outcome is not None and outcome.kind.is_final and not outcome.cached
        )

    @classmethod
    def of_seconds(cls, seconds: Iterable[float]) -> Self | None:
        """Take it from the seconds of the outcomes that count."""
        taken = sorted(seconds)
        if not taken:
            return None
        return cls(n=len(taken), median=_nearest(taken, 0.5), p95=_nearest(taken, 0.95))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resilience:
    """What it took to get over faults, and what that cost beside the answers."""

    failed: int = 0
    """Requests to which an error came."""
    restarted: int = 0
    """Requests lost to a restart of a part of ours, and made again."""
    cancelled: int = 0
    """Requests broken off because nobody wanted the answer any more."""
    lost: int = 0
    """Requests under way when the process was killed: nobody knows what became of
    them."""
    superseded: int = 0
    """Requests whose answer was for an attempt that another took the place of, and
    was of no use to that one."""
    usage: Usage = NO_USAGE
    """Tokens of all these, as far as the provider said."""
    cost: float = 0.0
    """Dollars for those tokens, where prices are known."""
    seconds: float = 0.0
    """Seconds that all these were under way, added up."""
    restarts: int = 0
    """Parts of the tree that were restarted."""
    refused: int = 0
    """Outcomes that came late or twice and were not counted."""
    attempts_again: int = 0
    """Attempts at an example beyond its first."""

    @classmethod
    def of(
        cls,
        requests: Iterable[AttemptRecord],
        outcomes: Iterable[Outcome | None],
        *,
        restarts: int,
        refused: int,
    ) -> Self:
        """Count the requests that gave no answer of use, and the attempts again."""
        later = {
            one.stamp.key: one
            for one in outcomes
            if one is not None and one.stamp.attempt > 1
        }
        counted = dict.fromkeys(_WASTED, 0)
        usage, costs, seconds = NO_USAGE, array("d"), array("d")
        for record in requests:
            word = record.fate.value
            if record.fate is Fate.ANSWERED and _is_superseded(record, later):
                word = "superseded"
            if word in counted:
                counted[word] += 1
                usage = usage + record.usage
                costs.append(record.cost or 0.0)
                seconds.append(record.seconds)
        again = sum(one.stamp.attempt - 1 for one in later.values())
        return cls(
            **counted,
            usage=usage,
            cost=math.fsum(costs),
            seconds=math.fsum(seconds),
            restarts=restarts,
            refused=refused,
            attempts_again=again,
        )

    @property
    def requests(self) -> int:
        """Requests that gave no answer of use."""
        gave_none = self.failed + self.restarted + self.cancelled + self.lost
        return gave_none + self.superseded

    def __str__(self) -> str:
        told = [
            f"{self.requests} requests in vain" if self.requests else "",
            f"{self.usage.total_tokens:,} tokens" if self.usage.total_tokens else "",
            f"${self.cost:.4f}" if self.cost else "",
            f"{self.seconds:.1f} s" if self.seconds else "",
            f"{self.attempts_again} attempts again" if self.attempts_again else "",
            f"{self.restarts} restarts" if self.restarts else "",
            f"{self.refused} outcomes refused" if self.refused else "",
        ]
        return ", ".join(word for word in told if word) or "nothing"


_WASTED: Final = ("failed", "restarted", "cancelled", "lost", "superseded")
"""Why requests gave no answer of use: their fates, and that there was no use for it."""


def _is_superseded(
    record: AttemptRecord, later: Mapping[tuple[int, int], Outcome]
) -> bool:
    """Whether an answer was for an attempt whose example another one decided."""
    tags = record.tags
    outcome = later.get((tags.get("example", -1), tags.get("trial", 0)))
    if outcome is None or outcome.stamp.attempt == tags.get("attempt", 1):
        return False
    return record.call_id not in outcome.answers


def _nearest(ordered: list[float], share: float) -> float:
    """Return the least number that so large a share does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
