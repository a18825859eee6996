"""How an optimiser steers its run: how far to go, and how many at a time.

Values and a protocol only. The coordinator tells a steering of each outcome that counts
and does what its course says; an optimiser's rules are in the optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dspex.evaluate.results.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a run goes on from what is known so far. Numbers of examples, from 0."""

    needed: int
    """Examples from this one on are not needed: they are not begun, and given up where
    they are. It never grows."""
    until: int
    """Examples from this one on are not begun yet. At most `needed`."""
    at_once: int
    """Examples worked on at a time, at most."""
    done: bool = False
    """Whether all that is needed is there, so that the run ends."""


class Steering(Protocol):
    """Decides how far a run goes. It takes the place of `max_errors` and its like.

    It belongs to the run and not to an actor: it outlives a coordinator's restart, and
    only the coordinator's thread touches it while the run goes on.
    """

    def hear(self, outcome: Outcome) -> None:
        """Take an outcome in. They come in any order; one may come twice."""

    @property
    def course(self) -> Course:
        """How to go on. Also asked before the first outcome."""
