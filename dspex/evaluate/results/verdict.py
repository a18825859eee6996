"""What a paired comparison shows, in one sentence. Pure."""

from __future__ import annotations

from dspex.core.statistics import PairedDifference

SMALLEST_P = 0.0001
"""A p-value below this is told as such."""


def is_shown(paired: PairedDifference, margin: float = 0.0) -> bool:
    """Whether the second of two is shown to be better by more than a margin.

    Its whole interval has to lie above the margin. Unless the margin is below zero, so
    that a small loss is allowed, the test has to agree: interval and test of 0/1 scores
    are computed in different ways, and where they disagree nothing is shown.

    Args:
        paired: What was found.
        margin: As a share, not points.
    """
    found = paired.interval
    if found is None or not found.low > margin:
        return False
    return margin < 0 or _agrees(paired, found.confidence)


def is_worse(paired: PairedDifference) -> bool:
    """Whether the second of two is shown to be worse; interval and test agree."""
    found = paired.interval
    return found is not None and found.high < 0 and _agrees(paired, found.confidence)


def sentence(names: tuple[str, str], paired: PairedDifference) -> str:
    """Say which of two is better, by how much, and how sure that is.

    Example:
        >>> from dspex.core.statistics import paired_difference
        >>> found = paired_difference([0] * 9 + [1] * 9, [1] * 18)
        >>> sentence(("A", "B"), found).partition(" (")[0]
        'B is better than A by 50.0 points'
    """
    first, second = names
    if paired.difference is None:
        return f"There is nothing to compare {first} and {second} on."
    points, found = 100 * paired.difference, _numbers(paired)
    if paired.interval is None:
        told = f"Too little is known to tell {first} and {second} apart:"
        return f"{told} {points:+.1f} points for {second} ({found})."
    if paired.ties == paired.n:
        return f"{first} and {second} score the same on each example ({found})."
    if is_shown(paired):
        return f"{second} is better than {first} by {points:.1f} points ({found})."
    if is_worse(paired):
        return f"{second} is worse than {first} by {-points:.1f} points ({found})."
    told = f"No difference between {first} and {second} is shown:"
    return f"{told} {points:+.1f} points for {second} ({found})."


def _agrees(paired: PairedDifference, confidence: float) -> bool:
    return paired.p_value is not None and paired.p_value < 1 - confidence


def _numbers(paired: PairedDifference) -> str:
    told = []
    if paired.interval is not None:
        low, high = 100 * paired.interval.low, 100 * paired.interval.high
        share = 100 * paired.interval.confidence
        told.append(f"{share:g} % interval {low:+.1f} to {high:+.1f}")
    if paired.p_value is not None:
        tiny = paired.p_value < SMALLEST_P
        told.append(f"p < {SMALLEST_P:g}" if tiny else f"p = {paired.p_value:.2g}")
    told.append(
        f"{paired.n} examples: {paired.wins} won, {paired.losses} lost, "
        f"{paired.ties} tied"
    )
    return ", ".join(told)
