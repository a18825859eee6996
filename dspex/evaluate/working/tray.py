"""The tray between workers and the aggregator: outcomes that wait to be accepted.

It belongs to the run and outlives whoever puts and takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from dspex.evaluate.results.outcome import Outcome

MANY: Final = 16
"""Proposals that are not kept waiting for more."""


class Proposal:
    """An outcome on its way to the aggregator, and the attempt it is of."""

    __slots__ = ("is_decided", "is_void", "outcome")

    def __init__(
        self, outcome: Outcome, *, is_void: bool = False, is_decided: bool = False
    ) -> None:
        self.outcome = outcome
        self.is_decided = is_decided
        """Whether the coordinator proposed it, so that its example is not tried
        again."""
        self.is_void = is_void
        """Whether its worker had been given up: then its calls were refused, and what
        came of that says nothing about the example."""


class Tray:
    """Proposals that wait for the aggregator. Any thread may put, one may take.

    What is taken stays here until it is dropped, so nothing is lost when whoever took
    it dies before it has been dealt with.
    """

    def __init__(self) -> None:
        self._waiting: deque[Proposal] = deque()
        self._rung = False
        self.is_pressing = False
        """Whether what waits is to be taken at once: it is many, or nobody is at work
        who could add to it, or somebody waits for what becomes of it."""
        self.ring: Callable[[], object] = lambda: None
        """Tells the aggregator that something waits; must work from any thread."""

    def put(self, proposal: Proposal) -> None:
        """Add a proposal, and ring unless that was done since the last look."""
        self._waiting.append(proposal)
        if not self._rung:
            self._rung = True
            self.ring()
        elif len(self._waiting) >= MANY and not self.is_pressing:
            self.press()

    def press(self) -> None:
        """Have what waits, if anything does, taken at once."""
        if self._waiting:
            self.is_pressing = True
            self.ring()

    def look(self, most: int) -> list[Proposal]:
        """The oldest proposals, at most so many."""
        # Before the reading: whoever puts after it rings again.
        self._rung = self.is_pressing = False
        waiting = self._waiting
        return [waiting[index] for index in range(min(most, len(waiting)))]

    def drop(self, count: int) -> int:
        """Forget the oldest ones; how many still wait."""
        for _ in range(count):
            self._waiting.popleft()
        return len(self._waiting)
