"""How many restarts are too many. Holds no clock: the time is an argument."""

from __future__ import annotations

import math
from collections import deque

from supervisors.child_spec import Intensity


class RestartLog:
    """Restart times of one supervisor, oldest first.

    One supervisor owns one log and alone touches it, so there is no lock.

    OTP counts in whole seconds: a restart at 1.9 s and one at 2.1 s lie one second
    apart. That is the default here. `precise=True` counts the seconds as they are.

    Example:
        Two restarts in five seconds pass and the third is one too many. The window
        slides: once the early ones have left it, there is room again.

        >>> log = RestartLog(Intensity(max_restarts=2, within=5.0))
        >>> [log.allow(at) for at in (0.0, 1.0, 2.0)]
        [True, True, False]
        >>> log.allow(7.0)
        True
    """

    def __init__(self, intensity: Intensity, *, precise: bool = False) -> None:
        self._intensity = intensity
        self._precise = precise
        self._times: deque[float] = deque()

    def allow(self, now: float) -> bool:
        """Record a restart and say whether the supervisor may make it.

        A refused restart is recorded too; its supervisor ends anyway.

        Args:
            now: Seconds from the supervisor's own monotonic clock; never less than the
                time before.

        Returns:
            `True` while the window holds at most `max_restarts` restarts, this one
            included; `False` means that the supervisor must give up.
        """
        at = now if self._precise else math.floor(now)
        # Inclusive, as in OTP: a restart exactly `within` seconds ago still counts.
        oldest = at - self._intensity.within
        while self._times and self._times[0] < oldest:
            self._times.popleft()
        self._times.append(at)
        return len(self._times) <= self._intensity.max_restarts
