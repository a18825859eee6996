"""How many examples each of several runs may work on, when all share a number. Pure."""

from __future__ import annotations


def shares(hands: int, runs: int) -> list[int]:
    """Share hands out among runs, the oldest first; each gets one at least.

    Example:
        >>> shares(16, 3), shares(2, 4)
        ([6, 5, 5], [1, 1, 1, 1])
    """
    each, left = divmod(hands, runs)
    return [max(1, each + (place < left)) for place in range(runs)]
