"""What a piece of work has had from models: answers, tokens, dollars.

Whoever gets an answer says so here, and whoever wants the sum looks on. It follows the
context: threads and tasks that run in a copy of it are counted too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

from dspex.core.blocks import put_back
from dspex.core.lm import Reply, Usage

_NO_USAGE = Usage()


class Spent(NamedTuple):
    """What answers of models come to."""

    usage: Usage = _NO_USAGE
    """Their tokens; an answer from the cache has none."""
    cost: float | None = None
    """Dollars; `None` when there was no answer, or the price of one is not known."""
    calls: int = 0
    """How many answers."""
    cached: int = 0
    """How many of those somebody else paid: from the cache, or shared with an equal
    call that was under way."""
    answers: tuple[str, ...] = ()
    """The ids of the calls they answer, of those that have one."""


class Spending:
    """The answers that a piece of work has had until now. Any thread may add."""

    __slots__ = ("_asked", "_replies")

    def __init__(self) -> None:
        # One step for each addition, so no lock is needed.
        self._replies: list[tuple[Reply, str | None]] = []
        # By identity; the list above keeps them alive.
        self._asked: set[int] = set()

    def add(self, reply: Reply, call_id: str) -> None:
        """Count an answer of a model of ours."""
        self._replies.append((reply, call_id))
        self._asked.add(id(reply))

    def add_unless_asked(self, reply: Reply) -> None:
        """Count an answer that may have come from a model of ours, and counted then."""
        if id(reply) not in self._asked:
            self._replies.append((reply, None))

    def total(self) -> Spent:
        """Add up what there is."""
        replies = self._replies[:]
        if not replies:
            return NOTHING_SPENT
        if len(replies) == 1:
            return _of_one(*replies[0])
        usage = _NO_USAGE
        for reply, _ in replies:
            if not reply.cached:
                usage = reply.usage if usage is _NO_USAGE else usage + reply.usage
        return Spent(
            usage=usage,
            cost=_cost([reply for reply, _ in replies]),
            calls=len(replies),
            cached=sum(reply.cached for reply, _ in replies),
            answers=tuple(call for _, call in replies if call is not None),
        )


NOTHING_SPENT: Final = Spent()
"""No answer at all."""


def _of_one(reply: Reply, call_id: str | None) -> Spent:
    # Nearly all examples of most programs.
    answers = () if call_id is None else (call_id,)
    if reply.cached:
        return Spent(_NO_USAGE, 0.0, 1, 1, answers)
    return Spent(reply.usage, reply.cost, 1, 0, answers)


def _cost(replies: Sequence[Reply]) -> float | None:
    costs = [0.0 if reply.cached else reply.cost for reply in replies]
    known = [cost for cost in costs if cost is not None]
    return math.fsum(known) if len(known) == len(costs) else None


_counting: ContextVar[tuple[Spending, ...]] = ContextVar("dspex_spending", default=())


def count_from_here(spending: Spending) -> None:
    """Count the answers of the rest of this context, beside whoever does already.

    The context is somebody's own, and no block.
    """
    _counting.set((*_counting.get(), spending))


@contextmanager
def counting(spending: Spending) -> Iterator[None]:
    """Count the answers of the block, beside whoever does already."""
    token = _counting.set((*_counting.get(), spending))
    try:
        yield
    finally:
        put_back(_counting, token)


def answered(reply: Reply, call_id: str) -> None:
    """Say that a model of ours has answered."""
    for spending in _counting.get():
        spending.add(reply, call_id)


def used(reply: Reply) -> None:
    """Say that a program uses an answer, whoever gave it."""
    for spending in _counting.get():
        spending.add_unless_asked(reply)
