"""How far a sequential search may still have to look, while many look ahead of it.

Pure: it holds no thread and no clock. `BootstrapFewShot` is defined by a search that
takes one example after the other and stops at a number of demos, or of errors. Here is
told what became of examples in any order, and said which of them that search can still
reach, and how many of those are worth beginning now.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

AHEAD = 2
"""How far hands may run ahead of the first example that is not done, in times the
number working. With 1, one slow answer would stop all the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What became of one example."""

    accepted: bool = False
    """Whether it gave demos."""
    errors: int = 0
    """Errors on the way that count for the limit; at most one in each round."""
    fatal: bool = False
    """Whether every other example would end the same way."""


class Forecast:
    """What a search for demos still needs.

    Args:
        examples: How many there are.
        demos: Accepted examples at which the search stops.
        errors: Errors at which it stops; `math.inf` for no limit.
        at_once: Examples worked on at a time, at most.

    Example:
        Two demos are wanted, so two examples are begun. One is refused: of the next
        ones, half may be refused as well, so four are worth trying.

        >>> forecast = Forecast(examples=200, demos=2, errors=10, at_once=16)
        >>> forecast.at_once
        2
        >>> forecast.hear(1, Found())
        >>> forecast.at_once
        4

        Example 3 and 4 are accepted. Whatever becomes of the others, the search ends
        at example 4 or before.

        >>> forecast.hear(3, Found(accepted=True))
        >>> forecast.hear(4, Found(accepted=True))
        >>> forecast.needed, forecast.done
        (5, False)
    """

    def __init__(
        self, *, examples: int, demos: int, errors: float, at_once: int
    ) -> None:
        self._examples = examples
        self._demos = demos
        self._errors_allowed = errors
        self._most = at_once
        self._first_open = 0
        # Done beyond the first that is open.
        self._beyond: set[int] = set()
        self._count_heard = 0
        self._count_accepted = 0
        # Ascending, and never longer than what ends the search.
        self._accepted: list[int] = []
        self._errors: list[int] = []
        self._fatal = math.inf

    def hear(self, number: int, found: Found) -> None:
        """Take in what became of an example; a second time changes nothing."""
        if number < self._first_open or number in self._beyond:
            return
        self._count_heard += 1
        self._beyond.add(number)
        while self._first_open in self._beyond:
            self._beyond.remove(self._first_open)
            self._first_open += 1
        if found.accepted:
            self._count_accepted += 1
            insort(self._accepted, number)
            del self._accepted[self._demos :]
        if not math.isinf(self._errors_allowed):
            for _ in range(found.errors):
                insort(self._errors, number)
            del self._errors[int(self._errors_allowed) :]
        if found.fatal:
            self._fatal = min(self._fatal, number)

    @property
    def needed(self) -> int:
        """The search reaches no example from this one on, whatever is still open."""
        ends = (
            _nth(self._accepted, self._demos),
            _nth(self._errors, self._errors_allowed),
            self._fatal,
        )
        return int(min(self._examples, *(end + 1 for end in ends)))

    @property
    def done(self) -> bool:
        """Whether every example that the search reaches is known."""
        return self._first_open >= self.needed

    @property
    def at_once(self) -> int:
        """How many examples are worth working on now.

        As many as give the demos still wanted, if the share accepted stays what it is.
        The first guess is that every example is accepted, and one more example counts
        as accepted ever after: else nothing would be tried after a first failure.
        """
        wanted = self._demos - len(self._accepted)
        if wanted <= 0:
            # Only what comes before the last known demo is left; see `needed`.
            return self._most
        tried = self._count_heard + 1
        expected = math.ceil(wanted * tried / (self._count_accepted + 1))
        return min(self._most, expected)

    @property
    def until(self) -> int:
        """No example from this one on is worth beginning yet."""
        return min(self.needed, self._first_open + AHEAD * self.at_once)

    @property
    def stopped_by_errors(self) -> int | None:
        """The example at which errors ended the search, once it is done."""
        end = min(_nth(self._errors, self._errors_allowed), self._fatal)
        return int(end) if self.done and end < self.needed else None


def _nth(numbers: Sequence[int], count: float) -> float:
    """The last of so many numbers, or infinity while there are fewer."""
    return numbers[int(count) - 1] if len(numbers) >= count else math.inf
