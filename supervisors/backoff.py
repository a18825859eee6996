"""How long a restart waits, when it waits at all. Holds no clock and no randomness."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from supervisors.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Restarts that wait, each longer than the one before. OTP has nothing like it.

    When to use it: a child that needs something which may be away for a while, such as
    a server that is being started. When not: a child whose siblings wait for it, or
    whose callers would rather hear of the failure at once.

    Example:
        >>> backoff = Backoff(initial=1.0, maximum=5.0, jitter=0.0)
        >>> [backoff.delay(failures, lambda: 0.0) for failures in range(4)]
        [1.0, 2.0, 4.0, 5.0]
    """

    initial: float = 0.1
    """Seconds before the first restart."""
    maximum: float = 30.0
    """Seconds that no restart waits longer than."""
    factor: float = 2.0
    """How many times longer each restart waits than the one before; 1 for the same."""
    jitter: float = 0.5
    """The part of each delay, from 0 to 1, that is left to chance: it is shortened by
    at most that much, so that children which failed together do not return together."""
    reset_after: float = 60.0
    """Seconds after a restart, counted from when it was due, from which on an end is no
    longer a failure in a row: the next restart waits for `initial` again."""

    def __post_init__(self) -> None:
        self._check("initial", "above 0", valid=self.initial > 0)
        self._check("maximum", "`initial` or more", valid=self.maximum >= self.initial)
        self._check("factor", "1 or more", valid=self.factor >= 1)
        self._check("jitter", "from 0 to 1", valid=0 <= self.jitter <= 1)
        self._check("reset_after", "above 0", valid=self.reset_after > 0)

    def delay(self, failures: int, random: Callable[[], float]) -> float:
        """Say how long the next restart waits.

        Args:
            failures: How many restarts in a row have waited and come to nothing; 0 for
                the first.
            random: Returns a number from 0 up to 1.

        Returns:
            Seconds, from the full delay less its `jitter` up to the full delay.
        """
        try:
            full = min(self.initial * self.factor**failures, self.maximum)
        except OverflowError:
            full = self.maximum
        return full * (1.0 - self.jitter * random())

    def _check(self, option: str, expected: str, *, valid: bool) -> None:
        value: float = getattr(self, option)
        if valid and math.isfinite(value):
            return
        msg = (
            f"{option} of a Backoff is {value!r}; expected a finite number {expected}. "
            "Pass one, or leave it out for the default."
        )
        raise ConfigError(msg)
