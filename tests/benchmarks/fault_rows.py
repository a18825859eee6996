"""The rows of `tests.benchmarks.faults`: what goes wrong, and what is evaluated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dspex.testing import FakeProvider
from dspex.testing.answers import Answer
from dspex.testing.faults import (
    NOT_JSON,
    OVERLOADED,
    SERVER_ERROR,
    WRONG_KEY,
    CloseBeforeAnswer,
    Hang,
    RawBody,
    Status,
)
from dspex.testing.latency import Latency, SlowTail, Steady
from dspex.testing.rate_limit import RateLimit

Disturbance = Literal["interrupt", "kill"]

RIGHT = "[[ ## answer ## ]]\nyes\n\n[[ ## completed ## ]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """One row of the table."""

    name: str
    """What goes wrong."""
    order: Mapping[str, Any] = field(default_factory=dict)
    """What is evaluated; fields of `faults_side.Order`."""
    spoil: Callable[[FakeProvider], None] = lambda _provider: None
    """Tells the provider how to misbehave."""
    latency: float | Latency = 0.02
    """Seconds the provider works on a request."""
    limit: RateLimit | None = None
    """What the provider allows."""
    answer: Answer = lambda _messages: RIGHT
    """What the provider says."""
    disturb: Disturbance | None = None
    """What is done to the process in the middle; after "kill" it is run again."""
    after: int = 48
    """Requests on the bill after which it is done."""


def spoiling(fault: Any, **when: Any) -> Callable[[FakeProvider], None]:
    """Return what tells a provider of one fault."""
    return lambda provider: provider.misbehave(fault, **when)


def is_first_question(billed: Any) -> bool:
    """Whether a request asks question 7."""
    turn = billed.body["messages"][-1]["content"]
    return "[[ ## question ## ]]\nq7\n" in turn


def completion(text: str) -> RawBody:
    """An answer of the provider with this text."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {
        "id": "x",
        "object": "chat.completion",
        "model": "gpt-4o-mini",
        "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    return RawBody(json.dumps(body).encode())


NO_MARKERS = completion("I think that the answer is yes.")
"""What no adapter can read."""

FIFTY = RateLimit(requests=50, per=1.0, burst=10)
"""50 a second; a refusal says to come back in a second."""
FIFTY_UNTOLD = RateLimit(
    requests=50, per=1.0, burst=10, announce=False, retry_after=None
)
"""The same from a provider that says nothing about it."""

ROWS = (
    FaultRow(name="baseline"),
    FaultRow(
        name="one request never answered",
        spoil=spoiling(Hang(), on=100, times=1),
    ),
    FaultRow(
        name="one question always hangs, LM(timeout=3)",
        order={"lm": {"timeout": 3}},
        spoil=spoiling(Hang(), on=is_first_question),
    ),
    FaultRow(
        name="5 % status 500",
        order={"examples": 400},
        spoil=spoiling(SERVER_ERROR, share=0.05),
    ),
    FaultRow(
        name="5 % dropped connections",
        order={"examples": 400},
        spoil=spoiling(CloseBeforeAnswer(), share=0.05),
    ),
    FaultRow(
        name="provider down (503)",
        order={"examples": 100},
        spoil=spoiling(OVERLOADED),
    ),
    FaultRow(
        name="wrong key (401)", order={"examples": 100}, spoil=spoiling(WRONG_KEY)
    ),
    FaultRow(name="50 a second, Retry-After: 1", limit=FIFTY),
    FaultRow(name="50 a second, no Retry-After", limit=FIFTY_UNTOLD),
    FaultRow(
        name="Retry-After: 3600 once",
        order={"examples": 32},
        spoil=spoiling(Status(429, {"Retry-After": "3600"}), on=10, times=1),
    ),
    FaultRow(
        name="5 % bodies that are no JSON",
        order={"examples": 100},
        spoil=spoiling(NOT_JSON, share=0.05),
    ),
    FaultRow(name="10 % answers unreadable", spoil=spoiling(NO_MARKERS, share=0.1)),
    FaultRow(name="every answer unreadable", spoil=spoiling(NO_MARKERS)),
    FaultRow(
        name="metric raises on 20 of 100",
        order={"examples": 100, "metric_fails_every": 5, "max_errors": 100},
    ),
    FaultRow(
        name="10 questions 32 times, cache on",
        order={"examples": 320, "times": 32, "cache": True},
    ),
    FaultRow(
        name="1 % of answers take 5 s",
        latency=SlowTail(share=0.01, seconds=5.0, otherwise=Steady(0.02)),
    ),
    FaultRow(name="Ctrl-C", latency=0.2, disturb="interrupt"),
    FaultRow(
        name="Ctrl-C while requests hang",
        spoil=spoiling(Hang()),
        disturb="interrupt",
        after=16,
    ),
    FaultRow(
        name="SIGKILL, and the same again with the cache",
        order={"cache": True},
        latency=0.2,
        disturb="kill",
        after=64,
    ),
    FaultRow(
        name="10 steps, out of time after step 3",
        order={"examples": 1, "steps": 10, "dspex_only": {"timeout": 1.75}},
        latency=0.5,
    ),
)
"""The table of DSPy's faults, and a row for deadlines."""
