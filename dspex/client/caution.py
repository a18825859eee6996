"""How many requests may be out while it is not known whether their provider is well.

A breaker opens after several failures in a row. Until then each request that returns
would be followed by another, and in an outage all of them are lost. So each failure
takes one place away, until a request that was sent after it is answered: a provider
that goes down costs no more requests than were out, and a single failure among answers
costs one place for about as long as one request takes.

What was under way when the provider went down may still be answered. That breaks the
breaker's row of failures and says nothing of the provider as it is now, so the row is
not what bounds the cost. Invariant: after each request sent, those that are out and the
failures in doubt are together at most as many as there are places, but for one look in
`look_every` seconds. Nothing that was sent before a failure takes that failure away, so
this holds for all that one outage costs.

Pure: no clock and no thread. The client's thread owns it, in the branch's ledger.
"""

from __future__ import annotations

import math
from collections import deque


class Caution:
    """Counts the requests of one model at one endpoint that are out, and failures.

    Requests are numbered in the order they are sent.

    Args:
        look_every: Seconds after the latest failure, or the latest request sent, until
            one goes beyond the places that are left: whatever is out may never return.
        fewest: Places there are at least, to be used one at a time: who asks for one
            thing after another does not wait after each failure.

    Example:
        >>> caution = Caution(look_every=5.0, fewest=5)
        >>> for number in (1, 2):
        ...     caution.sent(number, 0.0)
        >>> caution.returned()
        >>> caution.failed(0.1)
        >>> caution.wait(0.1), caution.wait(5.1)
        (5.0, 0.0)
        >>> caution.returned()
        >>> caution.wait(0.2)
        0.0
    """

    def __init__(self, look_every: float, fewest: int) -> None:
        self.look_every = look_every
        """See the class."""
        self.fewest = fewest
        """See the class."""
        self._out = 0
        self._latest = 0
        self._latest_answered = 0
        # The most that were out at a time since nothing was, and nothing in doubt.
        self._most = 0
        # For each failure in doubt, the latest request that had been sent by then.
        self._failures: deque[int] = deque()
        self._look_at = -math.inf

    @property
    def in_doubt(self) -> int:
        """Failures after which nothing was sent that has been answered."""
        return len(self._failures)

    @property
    def is_spent(self) -> bool:
        """Whether failures have taken all places away: nobody is answered any more."""
        return len(self._failures) >= max(self._most, self.fewest)

    def may_be_down_since(self, number: int) -> bool:
        """Whether no request has been answered that was sent after this one."""
        return self._latest_answered <= number

    def wait(self, now: float) -> float:
        """Seconds until a request may be sent: 0 for now.

        What is out may shorten it when it returns.
        """
        in_doubt = len(self._failures)
        has_place = not in_doubt or self._out + in_doubt < self._most
        if has_place or (not self._out and in_doubt < self.fewest):
            return 0.0
        return max(0.0, self._look_at - now)

    def sent(self, number: int, now: float) -> None:
        """Note that a request goes out."""
        if self._failures:
            self._look_at = now + self.look_every
        elif not self._out:
            self._most = 0
        self._out += 1
        self._latest = number
        self._most = max(self._most, self._out)

    def returned(self) -> None:
        """Note that a request is out no more, whatever became of it."""
        self._out -= 1

    def failed(self, now: float) -> None:
        """Note that one that returned says the provider is unwell."""
        self._look_at = now + self.look_every
        self._failures.append(self._latest)
        while len(self._failures) > max(self._most, self.fewest):
            # They take all places away already.
            self._failures.popleft()

    def answered(self, number: int) -> None:
        """Note that one was answered: what failed before it was sent is no more."""
        self._latest_answered = max(self._latest_answered, number)
        while self._failures and self._failures[0] < number:
            self._failures.popleft()

    def trust(self) -> None:
        """Forget all failures: somebody knows that the provider is well."""
        self._failures.clear()
