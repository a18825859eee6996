"""Who has taken too long, and when to look again. Pure: the clock is an argument."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from dspex.evaluate.results.outcome import Stage


class Running(Protocol):
    """An attempt at work, as far as its time is concerned."""

    began: float
    """When it began."""
    metric_began: float | None
    """When its metric began, once it has."""


R = TypeVar("R", bound=Running)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds that parts of a run may take; `None` for no limit."""

    attempt: float | None = None
    """One attempt at an example, its metric included."""
    metric: float | None = None
    """The metric of it."""

    @property
    def shortest(self) -> float | None:
        """The least of them: whatever begins from now on is not overdue before that."""
        known = [limit for limit in (self.attempt, self.metric) if limit is not None]
        return min(known) if known else None

    def due(self, running: Running) -> tuple[float, Stage] | None:
        """When an attempt is overdue, and by which of the limits."""
        dues: list[tuple[float, Stage]] = []
        if self.attempt is not None:
            dues.append((running.began + self.attempt, "program"))
        if self.metric is not None and running.metric_began is not None:
            dues.append((running.metric_began + self.metric, "metric"))
        return min(dues) if dues else None


def overdue(
    running: Iterable[R], limits: Limits, now: float
) -> tuple[list[tuple[R, Stage]], float | None]:
    """Who is overdue and in whose code, and when to look again.

    Whoever begins after this look is overdue after the next one at the earliest, so one
    timer serves the whole run.

    Returns:
        The overdue ones, and a time on the same clock; `None` without limits.
    """
    late: list[tuple[R, Stage]] = []
    shortest = limits.shortest
    if shortest is None:
        return late, None
    look = now + shortest
    for one in running:
        due = limits.due(one)
        if due is None:
            continue
        if due[0] <= now:
            late.append((one, due[1]))
        else:
            look = min(look, due[0])
    return late, look
