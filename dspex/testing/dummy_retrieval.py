"""Texts as vectors and a search among a few passages, for tests. No model is asked."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from operator import mul
from typing import Any, Final

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example

_PRIME: Final = 10**9 + 7
_SPARE: Final = 100
"""Places in the vectors of `dummy_rm` beyond the longest passage, as in DSPy."""


class DummyVectorizer:
    """Makes vectors of how often groups of letters occur in a text.

    Texts that share words have near vectors; nothing else is promised. The vectors are
    lists of floats of length 1 with the mean 0, so their product is a correlation.

    Example:
        >>> near, same, far = DummyVectorizer()(["a red car", "a red cat", "hello"])
        >>> sum(map(float.__mul__, near, same)) > sum(map(float.__mul__, near, far))
        True

    Args:
        max_length: Numbers in a vector.
        n_gram: Letters in a group.
    """

    def __init__(self, max_length: int = 100, n_gram: int = 2) -> None:
        self.max_length = max_length
        self.n_gram = n_gram
        # A generator of its own: DSPy's seeds the one of the whole process.
        dice = random.Random(123)  # noqa: S311 - no secret
        self._factors = [dice.randrange(1, _PRIME) for _ in range(n_gram)]

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text."""
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        counts = [0] * self.max_length
        for start in range(len(text) - self.n_gram + 1):
            counts[self._place(text[start : start + self.n_gram])] += 1
        mean = sum(counts) / self.max_length
        centred = [count - mean for count in counts]
        length = math.hypot(*centred) or 1.0
        return [number / length for number in centred]

    def _place(self, letters: str) -> int:
        place = 1
        for factor, letter in zip(self._factors, letters, strict=True):
            place = (place * factor + ord(letter)) % _PRIME
        return place % self.max_length


def dummy_rm(passages: Sequence[str] = ()) -> Callable[..., list[Example]]:
    """Return a search among passages: `search(query, k=3)`.

    Each result is an `Example` with the passage as `long_text`, the nearest first.

    Args:
        passages: What to search. Without any, each search is an error.
    """
    vectorizer = DummyVectorizer(max(map(len, passages), default=0) + _SPARE)
    vectors = vectorizer(passages)

    def search(query: str, *, k: int, **_ignored: Any) -> list[Example]:
        if not 0 < k <= len(passages):
            raise ConfigurationError(
                f"{k} passages were asked for; there are {len(passages)}. Give "
                "dummy_rm() passages, and ask for at most as many."
            )
        wanted = vectorizer([query])[0]
        nearness = [sum(map(mul, wanted, vector)) for vector in vectors]
        best = sorted(range(len(passages)), key=lambda at: -nearness[at])[:k]
        return [Example(long_text=passages[at]) for at in best]

    return search
