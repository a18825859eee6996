"""What follows when a worker ended without handing an outcome in. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dspex.evaluate.results.outcome import OutcomeKind, Stage, Stamp
from dspex.evaluate.scheduling import quarantine
from dspex.evaluate.scheduling.quarantine import Death


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of an attempt that has none of its own."""

    kind: OutcomeKind
    """How its example ended."""
    stage: Stage
    """In whose code."""
    text: str
    """Why, in words."""
    evidence: tuple[str, ...] = ()
    """How each of its workers died, where that is why."""


def killed(
    stamp: Stamp, deaths: Sequence[Death], begun: Sequence[str]
) -> Verdict | None:
    """Say what a worker's death means; `None` to try the example again.

    Args:
        stamp: The attempt.
        deaths: How each of the example's workers died, the last one included.
        begun: What it had begun that is marked `retry=False`.
    """
    if begun:
        text = (
            f"its worker was killed from outside after {begun[-1]!r} had begun, which "
            "is marked retry=False and never run again"
        )
    elif quarantine.is_set_aside(deaths):
        text = quarantine.verdict(stamp.example, deaths)
    else:
        return None
    return Verdict(
        kind=OutcomeKind.INFRASTRUCTURE,
        stage="runtime",
        text=text,
        evidence=quarantine.evidence(deaths),
    )


def too_slow(
    stamp: Stamp,
    where: Stage,
    *,
    timeout: float | None = None,
    metric_timeout: float | None = None,
) -> Verdict:
    """What is said of an attempt that was given up because its time was over.

    Args:
        stamp: The attempt.
        where: In whose code it was.
        timeout: Seconds the attempt had.
        metric_timeout: Seconds its metric had.
    """
    number = stamp.example
    if where == "metric":
        text = (
            f"the metric of example {number} was not done after {metric_timeout:g} s "
            "and was given up. Give it more time with metric_timeout=, or find out "
            "what hangs."
        )
        return Verdict(kind=OutcomeKind.TIMEOUT, stage="metric", text=text)
    text = (
        f"example {number} was not done after {timeout:g} s and was given up. Give it "
        "more time with timeout=, or find out what hangs."
    )
    return Verdict(kind=OutcomeKind.TIMEOUT, stage="runtime", text=text)
