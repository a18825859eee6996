"""One language-model call and the attempts made for it, as values."""

from __future__ import annotations

import contextvars
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from dspex.client.budget import Budget
from dspex.client.channel import Channel
from dspex.client.fair_queue import Priority
from dspex.client.limits import LimitPolicy
from dspex.client.prices import Price
from dspex.client.retry import RetryPolicy
from dspex.core.events import LM_ATTEMPT_START
from dspex.core.lm import Request, Usage

_NO_TAGS: Mapping[str, Any] = MappingProxyType({})

draw_ticket = itertools.count(1).__next__
"""Numbers that tell what came first in this process, whatever a clock shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One logical call: it has one answer, however many requests that takes."""

    id: str
    """The cache key for a call that may be cached, else unique.

    Whoever submits a call whose id is open joins it, so a call that is driven again
    after a restart is not paid again.
    """
    request: Request
    """What is asked."""
    cacheable: bool = False
    """Whether `id` is a cache key, so that the cache is told of the outcome."""
    attempt_timeout: float = 60.0
    """Seconds without a byte after the request was written."""
    deadline: float | None = None
    """When its caller waits no longer, on the tree's clock; `None` for no limit."""
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    """Which errors are tried again, how often and when."""
    limits: LimitPolicy | None = None
    """What may be asked of its model in a minute, by its caller's word; the latest
    word counts."""
    priority: Priority = Priority.INTERACTIVE
    """Who goes first when there is a queue."""
    share: str = ""
    """Whose turn it takes: within a priority, shares (such as runs) take turns."""
    budgets: tuple[Budget, ...] = ()
    """What may be spent: each request reserves in all of them before it is sent."""
    price: Price | None = None
    """What the model charges, for budgets in dollars."""
    channel: Channel | None = None
    """Where the pieces of a streamed answer go; `None` for a whole one."""
    tags: Mapping[str, Any] = field(default_factory=lambda: _NO_TAGS)
    """What the call belongs to (run, example, trial, attempt), for the record."""
    ticket: int = field(default_factory=draw_ticket)
    """Drawn when the caller began: an answer that came later is meant for it too."""
    context: contextvars.Context | None = field(default=None, compare=False, repr=False)
    """Where its caller stands, for those who are told of its requests in other threads;
    `None` when nobody wants to know."""


class Fate(Enum):
    """What became of one request."""

    OPEN = "open"
    """Written, or about to be; nothing is known yet."""
    ANSWERED = "answered"
    """A reply came and was used."""
    FAILED = "failed"
    """An error came; it counts for retries and for the breaker."""
    CANCELLED = "cancelled"
    """Nobody wanted the answer any more, so it was broken off. It may be billed."""
    RESTARTED = "restarted"
    """It was lost when a part of ours restarted, and made again unless that part gave
    up. It may be billed."""
    LOST = "lost"
    """The process ended before anything was known. It may be billed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One request, for the books. Its id is what the provider saw."""

    request_id: str
    """The `X-Client-Request-Id` sent."""
    call_id: str
    """The call it was made for."""
    number: int
    """Which request of that call, from 1."""
    fate: Fate
    """What became of it."""
    error: str | None = None
    """The error's class, for those that failed."""
    sends: int = 1
    """How often it was written: 2 after a stale connection, 0 when it never was."""
    usage: Usage = field(default_factory=Usage)
    """Tokens it cost, as far as the provider said."""
    cost: float | None = None
    """Dollars, by those tokens; `None` when they or the price are not known."""
    seconds: float = 0.0
    """From being sent to its end; 0 while it is open."""
    configuration: int = 1
    """Under which of the client's configurations it was sent."""
    tags: Mapping[str, Any] = field(default_factory=lambda: _NO_TAGS)
    """What the call belongs to."""


ATTEMPT = LM_ATTEMPT_START[:-1]
"""How the names of an attempt's events begin: its start and its end, each with its
`record`."""
