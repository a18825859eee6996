"""What a record takes and gives, as values."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from dspex.client.call import AttemptRecord
from dspex.core.example import Example
from dspex.core.lm import Usage
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """An attempt at an example began."""

    stamp: Stamp
    """Which one."""
    at: float
    """When, in seconds since 1970."""
    digest: str
    """The example's digest, from `row_digest`."""
    example: Example | None = None
    """The example, to be kept; `None` when it is kept already, or as `text`."""
    text: str | None = None
    """The example as its record keeps it, for whoever has that already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An outcome counts."""

    outcome: Outcome
    """The outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An outcome came late or twice and does not count."""

    stamp: Stamp
    """Whose outcome it was."""
    why: str
    """Why, in a word or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """A request began or ended; the last word on its id counts."""

    record: AttemptRecord
    """The request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something else that happened in the run: a pause, an outage, a restart."""

    kind: str
    """What kind of thing, in one word."""
    facts: Mapping[str, Any]
    """What there is to say of it."""
    at: float
    """When, in seconds since 1970."""


Entry = Began | Decided | Refused | Requested | Noted
"""What `RunRecord.commit` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An attempt, a request, or what is never run again, that is about to begin."""

    stamp: Stamp
    """Which attempt; of a request, the one it is made for."""
    request_id: str | None = None
    """The request's id as the provider sees it; `None` for an attempt."""
    call_id: str = ""
    """The call the request is made for."""
    number: int = 1
    """Which request of that call."""
    unrepeatable: str = ""
    """What the attempt begins that is marked `retry=False`; else nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt that was made, and how it ended."""

    stamp: Stamp
    """Which one."""
    at: float | None
    """When it began, in seconds since 1970; `None` when only its intent is known."""
    fate: str
    """How it ended: the kind of its outcome, or `lost` when nobody was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOne:
    """An example that was begun and has to run again."""

    example: int
    """Its place in the set."""
    trial: int
    """Which repetition of it."""
    next_attempt: int
    """The number its next attempt must have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What requests come to."""

    usage: Usage = field(default_factory=Usage)
    """Tokens, as far as the provider said."""
    cost: float | None = None
    """Dollars, as far as prices are known; `None` when no price is."""

    @classmethod
    def of(cls, requests: Iterable[AttemptRecord]) -> Self:
        """Add requests up."""
        usage, costs = Usage(), array("d")
        for record in requests:
            usage = usage + record.usage
            if record.cost is not None:
                costs.append(record.cost)
        return cls(usage=usage, cost=math.fsum(costs) if costs else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What all outcomes come to, added up where they lie."""

    n: int = 0
    """Outcomes that count."""
    scored: int = 0
    """How many of them have a score."""
    total: float = 0.0
    """Sum of the scores."""
    squares: float = 0.0
    """Sum of the squared scores."""
    lowest: float | None = None
    """The lowest score."""
    highest: float | None = None
    """The highest score."""
    by_kind: Mapping[OutcomeKind, int] = field(default_factory=dict)
    """How many ended how; kinds that did not occur are left out."""
    usage: Usage = field(default_factory=Usage)
    """Tokens of the answers they used."""
    cost: float | None = None
    """Dollars, of those whose price is known; `None` when no price is."""
    unpriced: int = 0
    """Outcomes whose price is not known though they used answers of a model."""
    calls: int = 0
    """Answers of language models they used."""
    cached: int = 0
    """How many of those came from the cache."""
    latency: float = 0.0
    """Seconds they took together."""
    attempts: int = 0
    """Attempts that were begun."""
    refused: int = 0
    """Outcomes that came late or twice."""
    requests: int = 0
    """Requests made."""
    bill: Bill = field(default_factory=Bill)
    """What these come to, whatever became of them."""
