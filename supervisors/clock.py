"""Where time comes from, as an argument."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock that can tell sleepers when it is moved by hand."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    def subscribe(self, poke: Callable[[], None]) -> Callable[[], None]:
        """Call `poke` whenever time jumps; returns a function that ends that."""


class SystemClock:
    """The machine's monotonic clock. It never jumps, so it never pokes."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic()

    def subscribe(self, poke: Callable[[], None]) -> Callable[[], None]:
        """Do nothing: whoever waits for this clock waits for real."""
        del poke
        return lambda: None


SYSTEM_CLOCK: Clock = SystemClock()
"""The time of every tree and actor that is given no other."""
