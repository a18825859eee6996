"""One digest of what a run measured, to hold two runs against each other.

Time, cost and attempts are no part of it: a run that was disturbed and one that was not
measured the same when each example and trial came to the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from dspex.core.prediction import Prediction
from dspex.evaluate.record.codec import decode, encode
from dspex.evaluate.results.outcome import Outcome

NEVER_BEGUN = "never begun"
"""Stands for the class of an outcome where there is none."""


def digest_of(outcomes: Iterable[Outcome | None], trials: int = 1) -> str:
    """Return the SHA-256 of (example, trial, outcome class, score, prediction).

    Args:
        outcomes: One for each trial of each example, in order.
        trials: How many of them belong to an example.

    Example:
        >>> digest_of([None])[:8], digest_of([None]) == digest_of([None, None])
        ('2386ea5a', False)
    """
    digest = hashlib.sha256()
    for place, outcome in enumerate(outcomes):
        line = encode([*divmod(place, trials), *_facts(outcome)])
        digest.update(line.encode("ascii") + b"\n")
    return digest.hexdigest()


def _facts(outcome: Outcome | None) -> tuple[Any, ...]:
    if outcome is None:
        return NEVER_BEGUN, None, None
    return outcome.kind.value, outcome.score, _kept(outcome.prediction)


def _kept(prediction: Any) -> Any:
    """A prediction as a record gives it back, without the tokens that it took."""
    if isinstance(prediction, Prediction):
        prediction = dict(prediction.items())
    return decode(encode(prediction))
