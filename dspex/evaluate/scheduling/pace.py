"""How fast a run goes, and how long it has to go. Holds no clock."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW: Final = 60.0
"""Seconds that a rate is taken over, so that it follows what has changed."""
STEP: Final = 1.0
"""Seconds between two looks that are remembered."""


class Pace:
    """Remembers how much was done when, over the last minute.

    Example:
        >>> pace = Pace()
        >>> for second, done in ((0, 100), (5, 110), (10, 120)):
        ...     pace.add(second, done)
        >>> pace.rate, pace.left(120, 200)
        (2.0, 40.0)
    """

    def __init__(self) -> None:
        # The first is older than the window, or the first there was.
        self._looks: deque[tuple[float, int]] = deque()
        self._last = (0.0, 0)

    def add(self, now: float, done: int) -> None:
        """Look at a run.

        Args:
            now: Seconds of any clock that only goes forward.
            done: How much is done; what was done at the first look counts for nothing.
        """
        self._last = now, done
        if not self._looks or now - self._looks[-1][0] >= STEP:
            self._looks.append(self._last)
        while len(self._looks) > 1 and now - self._looks[1][0] >= WINDOW:
            self._looks.popleft()

    @property
    def rate(self) -> float | None:
        """How much is done in a second; `None` before a second is over."""
        if not self._looks:
            return None
        then, had = self._looks[0]
        now, done = self._last
        return (done - had) / (now - then) if now - then >= STEP else None

    def left(self, done: int, total: int | None) -> float | None:
        """Return the seconds left; `None` when nobody can know."""
        if total is None or not self.rate:
            return None
        return max(total - done, 0) / self.rate
