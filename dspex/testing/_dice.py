"""Chance that can be repeated: the same seed and the same number, the same throw."""

from __future__ import annotations

from hashlib import blake2b

_FINEST = 2**53
"""How many different throws there are: as many as a float can tell apart."""


def throw(seed: int, purpose: str, number: int) -> float:
    """Draw a number above 0 and below 1.

    It depends on nothing but its arguments: not on what was drawn before, nor on the
    order in which threads ask.

    Args:
        seed: Another seed, another series.
        purpose: What it is for, so that two draws for one number are independent.
        number: Which draw of the series.
    """
    text = f"{seed}/{purpose}/{number}".encode(errors="surrogatepass")
    drawn = int.from_bytes(blake2b(text, digest_size=8).digest())
    return (drawn % _FINEST + 0.5) / _FINEST
