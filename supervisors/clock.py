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

    monotonic = staticmethod(time.monotonic)

    def subscribe(self, poke: Callable[[], None]) -> Callable[[], None]:
        """Do nothing: whoever waits for this clock waits for real."""
        del poke
        return _nothing


def _nothing() -> None:
    """What ends a subscription that never was."""


SYSTEM_CLOCK: Clock = SystemClock()
"""The time of every tree and actor that is given no other."""
