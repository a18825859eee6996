"""`majority`: the answer that most completions give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.core.metrics import normalize_text
from dspex.core.prediction import Completions, Prediction


def default_normalize(value: Any) -> Any:
    """Reduce an answer to what `majority` compares by default.

    A text goes through `normalize_text`, and one of which nothing is left counts as no
    answer (`None`). Everything else is compared as it is.
    """
    if isinstance(value, str):
        return normalize_text(value) or None
    return value


def majority(
    prediction_or_completions: Prediction
    | Completions
    | Sequence[Prediction | Mapping[str, Any]],
    normalize: Callable[[Any], Any] | None = default_normalize,
    field: str | None = None,
) -> Prediction:
    """Return the completion whose answer is the most frequent one.

    Among equally frequent answers the one that came first wins.

    Args:
        prediction_or_completions: A prediction, its completions, or a list of
            predictions or mappings.
        normalize: What each answer goes through before it is compared; where it gives
            `None` the completion has no vote, unless nobody has one. `None` compares
            the answers as they are.
        field: The field that is compared: the signature's last output, or the last
            field of the first completion, unless given.

    Raises:
        DataError: When there is no completion, or one lacks the field.

    Example:
        >>> answers = [{"city": "Lima"}, {"city": "Cusco"}, {"city": " lima."}]
        >>> majority(answers).city
        'Lima'
    """
    found = prediction_or_completions
    completions = found.completions if isinstance(found, Prediction) else found
    rows = [_fields(row) for row in completions]
    signature = getattr(completions, "signature", None)
    name = field or _last_field(rows, signature)
    votes = [_vote(row, name, normalize, at) for at, row in enumerate(rows)]
    # A Counter keeps the order of first sight, and max() takes the first of equals.
    counted = Counter(vote for vote in votes if vote is not None) or Counter(votes)
    winner = max(counted, key=counted.__getitem__)
    return Prediction.from_completions([rows[votes.index(winner)]], signature=signature)


def _fields(row: Example | Mapping[str, Any]) -> dict[str, Any]:
    return dict(row.items())


def _last_field(rows: Sequence[Mapping[str, Any]], signature: Any) -> str:
    if not rows:
        raise DataError(
            "there is no completion, so none is in the majority; at least one was "
            "expected. Ask with n=5, or pass a list of predictions."
        )
    fields = rows[0] if signature is None else signature.output_fields
    *_, last = fields
    return str(last)


def _vote(
    row: Mapping[str, Any],
    name: str,
    normalize: Callable[[Any], Any] | None,
    at: int,
) -> Any:
    if name not in row:
        raise DataError(
            f"completion {at} has no field {name!r}; its fields are "
            f"{', '.join(map(repr, row)) or 'none'}. Pass field= with one that all "
            "completions have."
        )
    value = normalize(row[name]) if normalize else row[name]
    try:
        hash(value)
    except TypeError:
        # Lists and dicts cannot be counted; what they look like can.
        return repr(value)
    return value
